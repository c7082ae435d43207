"""Endpoints: made, kept secret, and nobody else's."""

import base64
import io
from uuid import UUID

import pytest
import rich.console
from psycopg_pool import AsyncConnectionPool

from core.errors import InvalidPost, NotFound
from core.guard import Guard
from core.ids import new_id
from core.vault import Vault
from core.webhooks.endpoints import Endpoints
from core.webhooks.event_types import EVENT_TYPES

URL = "http://127.0.0.1:9/hook"
VAULT = Vault.parse(Vault.generate())


@pytest.fixture
def endpoints(pool: AsyncConnectionPool) -> Endpoints:
    return Endpoints(pool, VAULT, Guard(["127.0.0.1"]))


@pytest.fixture
async def organization(pool: AsyncConnectionPool) -> UUID:
    return await an_organization(pool)


async def an_organization(pool: AsyncConnectionPool) -> UUID:
    id = new_id()
    async with pool.connection() as connection:
        await connection.execute("insert into organizations (id, name) values (%s, 'us')", [id])
    return id


async def a_team(pool: AsyncConnectionPool, organization: UUID) -> UUID:
    id = new_id()
    async with pool.connection() as connection:
        await connection.execute(
            "insert into teams (id, organization_id, name) values (%s, %s, 'team')", [id, organization]
        )
    return id


async def stored(pool: AsyncConnectionPool) -> int:
    async with pool.connection() as connection:
        row = await (await connection.execute("select count(*) from webhook_endpoints")).fetchone()
        assert row
        return int(row[0])


def test_every_type_of_event_a_client_cares_for_is_named_once() -> None:
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)
    assert {"delivery.published", "delivery.failed", "delivery.retrying", "delivery.deferred"} < set(EVENT_TYPES)
    assert {"delivery.unconfirmed", "delivery.needs_review", "post.published", "post.failed"} < set(EVENT_TYPES)
    assert not {"delivery.queued", "delivery.publishing", "delivery.scheduled"} & set(EVENT_TYPES)


async def test_what_was_created_is_listed_got_and_deleted(
    pool: AsyncConnectionPool, endpoints: Endpoints, organization: UUID
) -> None:
    team = await a_team(pool, organization)
    whole = await endpoints.create(organization, None, URL, ["post.failed", "post.published", "post.failed"])
    part = await endpoints.create(organization, team, URL)
    assert whole.endpoint.event_types == ("post.failed", "post.published")
    assert part.endpoint.team_id == team
    assert part.endpoint.event_types == ()
    assert await endpoints.list(organization) == (whole.endpoint, part.endpoint)
    assert await endpoints.get(organization, part.endpoint.id) == part.endpoint
    await endpoints.delete(organization, whole.endpoint.id)
    assert await endpoints.list(organization) == (part.endpoint,)
    with pytest.raises(NotFound):
        await endpoints.get(organization, whole.endpoint.id)


async def test_a_stranger_can_neither_see_nor_delete(
    pool: AsyncConnectionPool, endpoints: Endpoints, organization: UUID
) -> None:
    made = await endpoints.create(organization, None, URL)
    stranger = await an_organization(pool)
    assert await endpoints.list(stranger) == ()
    with pytest.raises(NotFound):
        await endpoints.get(stranger, made.endpoint.id)
    with pytest.raises(NotFound):
        await endpoints.delete(stranger, made.endpoint.id)
    assert await endpoints.get(organization, made.endpoint.id) == made.endpoint


async def test_a_strangers_team_and_no_team_at_all_are_told_alike(
    pool: AsyncConnectionPool, endpoints: Endpoints, organization: UUID
) -> None:
    foreign = await a_team(pool, await an_organization(pool))
    words = []
    for team in (foreign, new_id()):
        with pytest.raises(NotFound) as caught:
            await endpoints.create(organization, team, URL)
        words.append(caught.value.message)
    assert words[0] == words[1]
    assert await stored(pool) == 0


async def test_every_fault_is_told_at_once_and_nothing_is_stored(
    pool: AsyncConnectionPool, endpoints: Endpoints, organization: UUID
) -> None:
    with pytest.raises(InvalidPost) as caught:
        await endpoints.create(
            organization, None, "http://10.0.0.1/hook", ["post.publishd", "post.failed", "Delivery.Failed", "x"]
        )
    faults = caught.value.report.errors
    assert [(fault.code, fault.path) for fault in faults] == [
        ("url_refused", ("url",)),
        ("unknown_event_type", ("eventTypes", 0)),
        ("unknown_event_type", ("eventTypes", 2)),
        ("unknown_event_type", ("eventTypes", 3)),
    ]
    assert "did you mean 'post.published'" in faults[1].message
    assert "did you mean 'delivery.failed'" in faults[2].message
    assert "delivery.needs_review" in faults[3].message
    assert await stored(pool) == 0


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "ftp://example.com", "http://10.1.2.3/", "nonsense"])
async def test_a_url_that_leads_inside_is_refused(endpoints: Endpoints, organization: UUID, url: str) -> None:
    with pytest.raises(InvalidPost) as caught:
        await endpoints.create(organization, None, url)
    assert [fault.path for fault in caught.value.report.errors] == [("url",)]


async def test_the_secret_is_shown_once_and_nowhere_else(
    pool: AsyncConnectionPool, endpoints: Endpoints, organization: UUID
) -> None:
    made = await endpoints.create(organization, None, URL)
    shown = io.StringIO()
    rich.console.Console(file=shown, width=400).print(made, [made])
    bare = made.secret.removeprefix("whsec_")
    assert bare not in f"{made!r} {made} {[made]!r} {shown.getvalue()}"
    async with pool.connection() as connection:
        row = await (await connection.execute("select w::text, secret from webhook_endpoints w")).fetchone()
    assert row
    text, sealed = row
    assert made.secret.encode() not in sealed
    assert bare.encode().hex() not in text
    assert base64.b64decode(bare).hex() not in text
    place = {"table": "webhook_endpoints", "row": str(made.endpoint.id), "column": "secret"}
    assert VAULT.open(sealed, **place) == made.secret
