"""What endpoints want: filters, bounds, changes, two secrets at a time, and tests."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import pytest
from psycopg_pool import AsyncConnectionPool
from standardwebhooks import Webhook, WebhookVerificationError

from core.errors import Conflict, InvalidPost, NotFound
from core.events.events import Event
from core.ids import new_id
from core.vault import BrokenSeal
from core.webhooks.endpoints import Endpoint, Endpoints
from core.webhooks.outbox import Outbox
from core.webhooks.results import Result
from core.webhooks.terms import Change, Terms
from tests.core.webhooks.house import GUARD, VAULT, House

pytestmark = pytest.mark.engine
URL = "http://127.0.0.1:9/"


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    made = await House(pool).settle_in()
    made.endpoints = Endpoints(pool, VAULT, GUARD, platforms=["ECHO", "OTHER"], most=3)
    return made


@pytest.fixture
def outbox(pool: AsyncConnectionPool) -> Outbox:
    return Outbox(pool, VAULT)


async def wanting(house: House, team: UUID | None = None, **terms: object) -> Endpoint:
    made = Terms(url=URL, **terms)  # type: ignore[arg-type]  # whatever a test wants
    return (await house.endpoints.create(house.organization, team, URL, terms=made)).endpoint


async def another_team(house: House) -> UUID:
    id = new_id()
    await house.run("insert into teams (id, organization_id, name) values (%s, %s, 'b')", id, house.organization)
    return id


async def heard_by(house: House, outbox: Outbox, *events: Event) -> set[UUID]:
    await house.happened(*events)
    taken = await outbox.take(64)
    await asyncio.gather(*(outbox.settle(m, Result(state="delivered", http_status=200)) for m in taken))
    return {message.endpoint_id for message in taken}


async def test_a_list_of_platforms_lets_these_through_and_what_concerns_none(house: House, outbox: Outbox) -> None:
    echo, every = await wanting(house, platforms=["ECHO"]), await wanting(house)
    post = await house.post()

    def told(**data: str) -> Event:
        return Event(
            organization_id=house.organization, team_id=house.team, type="delivery.failed", subject=post, data=data
        )

    assert await heard_by(house, outbox, told(platform="ECHO")) == {echo.id, every.id}
    assert await heard_by(house, outbox, told(platform="OTHER")) == {every.id}
    assert await heard_by(house, outbox, told()) == {echo.id, every.id}


async def test_a_list_of_teams_lets_these_through_alone(house: House, outbox: Outbox) -> None:
    second = await another_team(house)
    some, every = await wanting(house, team_ids=[second]), await wanting(house)
    post = await house.post()
    assert await heard_by(house, outbox, house.event(post)) == {every.id}
    of_second = Event(organization_id=house.organization, team_id=second, type="post.failed", subject=post, data={})
    assert await heard_by(house, outbox, of_second) == {some.id, every.id}
    of_none = Event(organization_id=house.organization, team_id=None, type="post.failed", subject=post, data={})
    assert await heard_by(house, outbox, of_none) == {every.id}


async def test_terms_that_cannot_be_had_are_told_all_at_once(house: House) -> None:
    terms = Terms(url="http://10.0.0.1/", event_types=["post.deletd"], platforms=["ECO"], team_ids=[new_id()])
    with pytest.raises(InvalidPost) as caught:
        await house.endpoints.create(house.organization, house.team, terms.url, terms=terms)
    assert [(fault.code, fault.path) for fault in caught.value.report.errors] == [
        ("url_refused", ("url",)),
        ("unknown_event_type", ("eventTypes", 0)),
        ("unknown_platform", ("platforms", 0)),
        ("field_unused", ("teamIds",)),
        ("unknown_team", ("teamIds", 0)),
    ]
    foreign = await House(house.pool).settle_in()
    with pytest.raises(InvalidPost):
        await wanting(house, team_ids=[foreign.team])


async def test_in_the_vendors_format_the_vendors_events_are_asked_for(house: House, outbox: Outbox) -> None:
    with pytest.raises(InvalidPost):
        await wanting(house, format="bundle.social", event_types=["delivery.failed"])
    with pytest.raises(InvalidPost):
        await wanting(house, event_types=["social-account.created"])
    posts = await wanting(house, format="bundle.social", event_types=["post.published", "comment.published"])
    accounts = await wanting(house, format="bundle.social", event_types=["social-account.deleted"])
    with pytest.raises(InvalidPost):
        await house.endpoints.change(house.organization, posts.id, Change(format="fingerpost"))
    post = await house.post()
    failed = Event(
        organization_id=house.organization,
        team_id=house.team,
        type="post.failed",
        subject=post,
        data={"status": "ERROR"},
    )
    assert await heard_by(house, outbox, failed) == {posts.id}
    assert await heard_by(house, outbox, house.event(post, "delivery.failed")) == set()
    gone = Event(
        organization_id=house.organization,
        team_id=house.team,
        type="account.disconnected",
        subject=new_id(),
        data={},
    )
    assert await heard_by(house, outbox, gone) == {accounts.id}


async def test_a_team_has_no_more_endpoints_than_it_may_however_many_ask_at_once(house: House) -> None:
    made = await asyncio.gather(*(wanting(house, house.team) for _ in range(8)), return_exceptions=True)
    refused = [error for error in made if isinstance(error, Conflict)]
    assert (len(made) - len(refused), len(refused)) == (3, 5)
    assert {error.code for error in refused} == {"too_many_endpoints"}
    # Each team counts for itself, and so does the organization.
    second = await another_team(house)
    for _ in range(3):
        await wanting(house, second)
        await wanting(house)
    with pytest.raises(Conflict):
        await wanting(house)
    (first, *_) = await house.endpoints.list(house.organization)
    await house.endpoints.delete(house.organization, first.id)
    await wanting(house, house.team)


async def test_a_change_changes_what_it_names_and_nothing_else(house: House, outbox: Outbox) -> None:
    before = await wanting(house, event_types=["post.failed"], description="mine")
    after = await house.endpoints.change(house.organization, before.id, Change(platforms=["ECHO", "ECHO"]))
    assert after.platforms == ("ECHO",)
    assert (after.event_types, after.description, after.url) == (("post.failed",), "mine", URL)
    moved = await house.endpoints.change(house.organization, before.id, Change(url=f"{URL}other", event_types=[]))
    assert (moved.url, moved.event_types, moved.platforms) == (f"{URL}other", (), ("ECHO",))
    with pytest.raises(InvalidPost):
        await house.endpoints.change(house.organization, before.id, Change(url="http://10.0.0.1/"))
    assert await house.endpoints.get(house.organization, before.id) == moved


async def test_one_that_is_switched_off_by_its_owner_hears_nothing_until_it_is_on(house: House, outbox: Outbox) -> None:
    endpoint, post = await wanting(house), await house.post()
    off = await house.endpoints.change(house.organization, endpoint.id, Change(enabled=False))
    assert (off.disabled_reason, off.disabled_at is None) == ("owner", False)
    assert await heard_by(house, outbox, house.event(post)) == set()
    with pytest.raises(Conflict):
        await house.endpoints.test(house.organization, endpoint.id)
    assert (await house.endpoints.enable(house.organization, endpoint.id)).disabled_at is None
    assert await heard_by(house, outbox, house.event(post)) == {endpoint.id}


async def test_for_a_day_both_secrets_are_good_and_then_the_new_one_alone(house: House, outbox: Outbox) -> None:
    old = await house.endpoints.create(house.organization, None, URL)
    new = await house.endpoints.rotate_secret(house.organization, old.endpoint.id)
    assert new.secret != old.secret
    assert new.secret not in repr(new)
    assert new.endpoint.previous_until is not None
    await house.happened(house.event(await house.post()))
    [message] = await outbox.take(1, lease_seconds=0)
    signed = outbox.signed(message)
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(signed.body, signed.headers)
    await house.run("update webhook_endpoints set previous_until = now() - interval '1 second'")
    [message] = await outbox.take(1)
    signed = outbox.signed(message)
    Webhook(new.secret).verify(signed.body, signed.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(signed.body, signed.headers)
    await outbox.sweep()
    [row] = await house.run("select previous_secret, previous_until from webhook_endpoints")
    assert row == {"previous_secret": None, "previous_until": None}


async def test_rotating_twice_keeps_the_last_two(house: House, outbox: Outbox) -> None:
    first = await house.endpoints.create(house.organization, None, URL)
    second = await house.endpoints.rotate_secret(house.organization, first.endpoint.id)
    third = await house.endpoints.rotate_secret(house.organization, first.endpoint.id)
    await house.happened(house.event(await house.post()))
    [message] = await outbox.take(1)
    signed = outbox.signed(message)
    for secret in (second.secret, third.secret):
        Webhook(secret).verify(signed.body, signed.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(first.secret).verify(signed.body, signed.headers)


async def test_a_secret_that_is_changed_while_messages_go_out_signs_from_the_next_one_on(
    house: House, outbox: Outbox
) -> None:
    old = await house.endpoints.create(house.organization, None, URL)
    await house.happened(house.event(await house.post()))
    [message] = await outbox.take(1, lease_seconds=0)
    assert "," not in outbox.signed(message).headers["webhook-signature"].removeprefix("v1,")
    new = await house.endpoints.rotate_secret(house.organization, old.endpoint.id)
    [message] = await outbox.take(1)
    signed = outbox.signed(message)
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(signed.body, signed.headers)
    assert all(old.secret[6:] not in repr(each) for each in (outbox, outbox.__dict__, message, signed.headers))


async def test_a_secret_opens_for_its_own_endpoint_alone_though_it_was_opened_before(
    house: House, outbox: Outbox
) -> None:
    for _ in range(2):
        await house.endpoint()
    await house.happened(house.event(await house.post()))
    ours, theirs = await outbox.take(2)
    outbox.signed(ours)
    with pytest.raises(BrokenSeal):
        outbox.signed(msgspec.structs.replace(theirs, sealed_secret=ours.sealed_secret))


async def test_a_test_goes_to_its_endpoint_alone_whatever_that_wants(house: House, outbox: Outbox) -> None:
    tried, _ = await wanting(house, event_types=["post.failed"]), await wanting(house)
    ids = [await house.endpoints.test(house.organization, tried.id) for _ in range(2)]
    taken = await outbox.take(64)
    assert [message.id for message in taken] == ids
    assert {message.endpoint_id for message in taken} == {tried.id}
    assert [(m.type, m.sequence, m.previous_sequence) for m in taken] == [
        ("webhook_endpoint.test", 1, None),
        ("webhook_endpoint.test", 2, 1),
    ]


async def test_a_stranger_changes_tests_and_rotates_nothing(house: House) -> None:
    endpoint, stranger = await wanting(house), new_id()
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: house.endpoints.change(stranger, endpoint.id, Change(description="x")),
        lambda: house.endpoints.enable(stranger, endpoint.id),
        lambda: house.endpoints.rotate_secret(stranger, endpoint.id),
        lambda: house.endpoints.test(stranger, endpoint.id),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt()
    assert await house.endpoints.get(house.organization, endpoint.id) == endpoint
