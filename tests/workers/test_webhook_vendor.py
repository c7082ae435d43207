"""Endpoints in bundle.social's format get its names, its whole objects and its signature."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from adapters.echo.sandbox import EchoSandbox
from core.events.events import Event, record
from core.http import open_transport
from core.ledger.control import Control
from core.retry import Policy
from core.tenants.tenants import TeamChange
from core.webhooks.endpoints import Endpoints
from core.webhooks.outbox import Outbox
from core.webhooks.terms import Terms
from core.webhooks.vendor import VendorMessage, bodies
from tests.core.webhooks.house import GUARD
from tests.workers.webhook_receiver import Call, Receiver, receiving
from tests.world import Pool, World, world
from workers.webhooks import Sender

AT_ONCE = Policy(attempts=4, first=0.0)
ONCE = Policy(attempts=1)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def subscribe(here: World, receiver: Receiver) -> str:
    terms = Terms(url=f"{receiver.url}/hook", format="bundle.social")
    made = await Endpoints(here.pool, here.vault, GUARD).create(here.organization_id, None, terms.url, terms=terms)
    return made.secret


async def send(here: World) -> None:
    transport = open_transport(guard=GUARD)
    await Sender(Outbox(here.pool, here.vault), transport, GUARD, random=Random(1), policy=AT_ONCE).drain()
    await transport.aclose()


def said(call: Call) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(call.body)
    assert list(body) == ["type", "data"]
    return body


async def test_a_post_that_went_out_comes_as_the_api_shows_it(pool: Pool, tmp_path: Path, receiver: Receiver) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        secret = await subscribe(here, receiver)
        post = await here.post()
        await here.work()
        await send(here)
        [call] = receiver.calls
        shown = msgspec.to_builtins(await here.posts.get(here.organization_id, str(post.id)))
        assert said(call) == {"type": "post.published", "data": shown}
        assert shown["status"] == "POSTED"
        assert call.headers["x-signature"] == hmac.new(secret.encode(), call.body, hashlib.sha256).hexdigest()


async def test_a_post_that_failed_is_published_with_an_error(pool: Pool, tmp_path: Path, receiver: Receiver) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), policy=ONCE) as here:
        await subscribe(here, receiver)
        await here.fault("POST /messages", "error", status=400)
        post = await here.post()
        await here.work()
        # It is tried again before anybody was told of it: what is told is the event, not the present.
        await Control(here.pool, here.ledger.notices, patience=60).retry(here.organization_id, post.id)
        await send(here)
        [call] = receiver.calls
        body = said(call)
        assert (body["type"], body["data"]["status"], body["data"]["id"]) == ("post.published", "ERROR", str(post.id))


async def test_every_try_has_the_same_bytes_whatever_has_become_of_the_post(
    pool: Pool, tmp_path: Path, receiver: Receiver
) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await subscribe(here, receiver)
        receiver.answers("/hook", 500, 200)
        post = await here.post()
        await here.work()
        outbox = Outbox(here.pool, here.vault)
        [message] = await outbox.take(1, lease_seconds=0)
        await Control(here.pool, here.ledger.notices, patience=60).delete(here.organization_id, post.id)
        await send(here)
        assert {call.body for call in receiver.calls} == {outbox.signed(message).body}
        assert len(receiver.calls) == 2


async def test_of_two_bodies_that_are_made_of_a_message_the_first_is_sent(
    pool: Pool, tmp_path: Path, receiver: Receiver
) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await subscribe(here, receiver)
        post = await here.post()
        await here.work()
        outbox = Outbox(here.pool, here.vault)
        [message] = await outbox.take(1)
        await Control(here.pool, here.ledger.notices, patience=60).delete(here.organization_id, post.id)
        again = VendorMessage(
            id=message.id,
            organization_id=message.organization_id,
            type=message.type,
            subject=message.subject,
            data=message.data,
        )
        async with here.pool.connection() as connection:
            assert await bodies(connection, [again]) == {message.id: message.body}


async def test_teams_and_accounts_come_as_the_vendor_has_them(pool: Pool, tmp_path: Path, receiver: Receiver) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await subscribe(here, receiver)
        team = await here.tenants.create_team(here.organization_id, "New")
        await here.tenants.change_team(here.organization_id, team.id, TeamChange(name="Newer"))
        await here.tenants.delete_team(here.organization_id, team.id)
        async with here.pool.connection() as connection:
            gone = Event(
                organization_id=here.organization_id,
                team_id=here.team_id,
                type="account.disconnected",
                subject=here.account.id,
                data={"platform": "ECHO"},
            )
            await record(connection, [gone])
        await send(here)
        told = {said(call)["type"]: said(call)["data"] for call in receiver.calls}
        assert set(told) == {"team.created", "team.updated", "team.deleted", "social-account.deleted"}
        assert (told["team.created"]["name"], told["team.updated"]["name"]) == ("New", "Newer")
        assert (told["team.deleted"]["id"], told["team.deleted"]["deletedAt"] is None) == (str(team.id), False)
        account = told["social-account.deleted"]
        assert (account["id"], account["type"]) == (str(here.account.id), "ECHO")


async def test_a_test_comes_in_the_same_form(pool: Pool, tmp_path: Path, receiver: Receiver) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await subscribe(here, receiver)
        endpoints = Endpoints(here.pool, here.vault, GUARD)
        (endpoint,) = await endpoints.list(here.organization_id)
        await endpoints.test(here.organization_id, endpoint.id)
        await send(here)
        [call] = receiver.calls
        assert said(call)["type"] == "webhook_endpoint.test"
