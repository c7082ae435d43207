"""A subscriber that knows nothing but what it is sent agrees with the API, and sees what it was not sent."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
from aiohttp import web

from adapters.echo.sandbox import EchoSandbox
from core.errors import Conflict, NotFound
from core.events.feed import BEGINNING, Feed
from core.events.kinds import kind_of
from core.http import open_transport
from core.ledger.control import Control
from core.retry import Policy
from core.webhooks.endpoints import Endpoints
from core.webhooks.outbox import Outbox
from tests.core.webhooks.house import GUARD
from tests.workers.webhook_receiver import Call, Receiver, receiving
from tests.world import Pool, World, world
from workers.webhooks import Sender

STUBBORN = Policy(attempts=1000, first=0.0)
SHORT = Policy(attempts=2, first=0.01)
POSTS = 30


class Subscriber:
    """What is known of posts and deliveries from webhooks alone."""

    def __init__(self) -> None:
        self.seen: dict[str, set[int]] = {}
        self.known: dict[str, tuple[int, dict[str, Any]]] = {}
        self.wanted: dict[str, set[int]] = {}

    def hear(self, call: Call) -> None:
        event = json.loads(call.body)
        subject, sequence, data = event["subject"], event["sequence"], event["data"]
        self.seen.setdefault(subject, set()).add(sequence)
        if event["previousSequence"] is not None:
            self.wanted.setdefault(subject, set()).add(event["previousSequence"])
        if event["type"].startswith("delivery."):
            self._learn(data["deliveryId"], sequence, data)
            self._learn(data["postId"], sequence, {"status": data["postStatus"]})
        elif event["type"].startswith("post."):
            self._learn(data["postId"], sequence, data)

    def _learn(self, id: str, sequence: int, facts: dict[str, Any]) -> None:
        if self.known.get(id, (0, {}))[0] < sequence:
            self.known[id] = (sequence, facts)

    def gaps(self) -> dict[str, set[int]]:
        """What somebody was sent before what is here, and what is not here."""
        found = {subject: wanted - self.seen[subject] for subject, wanted in self.wanted.items()}
        return {subject: missing for subject, missing in found.items() if missing}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def eventful(here: World) -> list[str]:
    """Posts that go out, fail, are unclear, are called off and are tried again; their ids."""
    random, control = Random(5), Control(here.pool, here.ledger.notices, patience=3600.0)
    await here.fault("POST /messages", "error", status=500, probability=0.4, times=3 * POSTS)
    await here.fault("POST /messages", "error", status=400, probability=0.2, times=POSTS)
    await here.fault("POST /messages", "error_after", status=500, probability=0.2, times=POSTS)
    posts = [str((await here.post(title=f"{n}")).id) for n in range(POSTS)]
    await here.work()
    for id in random.sample(posts, POSTS // 3):
        try:
            await control.delete(here.organization_id, UUID(id))
        except (Conflict, NotFound):
            continue
    await here.to_the_end()
    await here.mend()
    for id in random.sample(posts, POSTS // 3):
        try:
            await control.retry(here.organization_id, UUID(id))
        except (Conflict, NotFound):
            continue
    await here.to_the_end()
    posts.append(str((await here.post(title="Well")).id))
    await here.to_the_end()
    await here.fault("POST /messages", "error", status=400)
    posts.append(str((await here.post(title="Ill")).id))
    await here.to_the_end()
    return posts


async def send_all(here: World) -> None:
    """Send until nothing waits, however often the receiver refuses."""
    transport, outbox = open_transport(guard=GUARD), Outbox(here.pool, here.vault)
    sender = Sender(outbox, transport, GUARD, random=Random(1), policy=STUBBORN)
    try:
        while await outbox.next_due() is not None:
            await here.travel(120)
            await sender.drain()
    finally:
        await transport.aclose()


async def test_from_events_alone_the_state_of_every_post_is_known(
    pool: Pool, tmp_path: Path, receiver: Receiver
) -> None:
    subscriber, random = Subscriber(), Random(9)
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), policy=SHORT, readback="0.1,0.2") as here:

        async def moody(_: web.Request) -> web.Response:
            return web.Response(status=500 if random.random() < 0.3 else 204)

        receiver.handlers["/hook"] = moody
        endpoints = Endpoints(here.pool, here.vault, GUARD)
        await endpoints.create(here.organization_id, None, f"{receiver.url}/hook")
        posts = await eventful(here)
        await send_all(here)
        calls = list(receiver.calls)
        # As they come is not as they happened, and many come again.
        random.shuffle(calls)
        for call in calls:
            subscriber.hear(call)
        assert subscriber.gaps() == {}
        statuses = set()
        for id in posts:
            shown = await here.posts.get(here.organization_id, id)
            statuses.add(shown.status)
            assert subscriber.known[id][1]["status"] == shown.status
            for delivery in shown.deliveries:
                told = subscriber.known[str(delivery.id)][1]
                assert (told["state"], told["externalId"]) == (delivery.state, delivery.external_id)
        assert {"POSTED", "ERROR", "DELETED"} <= statuses
        await tells_what_is_documented(here)


async def tells_what_is_documented(here: World) -> None:
    """Every event that was written fits the shape of its kind."""
    for told in await Feed(here.pool).read(here.organization_id, BEGINNING, 10_000):
        kind = kind_of(told.type)
        _, schemas = msgspec.json.schema_components([kind.data])
        schema = {"$ref": f"#/$defs/{kind.data.__name__}", "$defs": schemas}
        jsonschema.Draft202012Validator(schema).validate(told.data)
        assert set(told.data) == set(kind.data.__struct_encode_fields__)


async def test_what_is_lost_is_told_by_the_sequence_and_what_is_filtered_is_not(
    pool: Pool, tmp_path: Path, receiver: Receiver
) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), policy=SHORT, readback="0.1,0.2") as here:
        endpoints = Endpoints(here.pool, here.vault, GUARD)
        await endpoints.create(here.organization_id, None, f"{receiver.url}/all")
        await endpoints.create(here.organization_id, None, f"{receiver.url}/some", ["delivery.retrying", "post.failed"])
        await eventful(here)
        await send_all(here)
    for path in ("/all", "/some"):
        calls = receiver.at(path)
        whole = Subscriber()
        for call in calls:
            whole.hear(call)
        assert whole.gaps() == {}
        # Of any that is followed by another one the loss is seen, and just that one is named.
        events = [json.loads(call.body) for call in calls]
        for lost in (event for event in events if event["sequence"] in whole.wanted.get(event["subject"], ())):
            partial = Subscriber()
            for call, event in zip(calls, events, strict=True):
                if event["id"] != lost["id"]:
                    partial.hear(call)
            assert partial.gaps() == {lost["subject"]: {lost["sequence"]}}
