"""Webhooks over real HTTP: delivered, signed, tried again, and never in each other's way."""

import asyncio
import hashlib
import hmac
import json
import logging
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from random import Random
from typing import Any

import pytest
import structlog.testing
from aiohttp import web
from psycopg_pool import AsyncConnectionPool
from standardwebhooks import Webhook

from core.guard import Guard
from core.http import open_transport
from core.retry import Policy
from core.vault import Vault
from core.webhooks.outbox import Outbox
from tests.core.webhooks.house import GUARD, MASTER, VAULT
from tests.workers.webhook_receiver import DEADLINE, Receiver, Subscriber, receiving
from workers.webhooks import ANSWER_BYTES, Sender

AT_ONCE = Policy(attempts=4, first=0.0)
NEVER = Policy(attempts=4, first=3600.0, floor=1800.0)
Opens = Callable[..., Sender]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def house(pool: AsyncConnectionPool, receiver: Receiver) -> Subscriber:
    return await Subscriber(pool, receiver).settle_in()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged; nothing may break off unforeseen."""
    with structlog.testing.capture_logs() as entries:
        yield entries
    assert {entry["event"] for entry in entries} <= {"webhook_settled", "webhook_unsigned"}


@pytest.fixture
async def sender_with(pool: AsyncConnectionPool) -> AsyncIterator[Opens]:
    transport = open_transport(guard=GUARD)

    def open_sender(*, policy: Policy = AT_ONCE, guard: Guard = GUARD, **options: Any) -> Sender:
        return Sender(Outbox(pool, VAULT), transport, guard, random=Random(1), policy=policy, **options)

    yield open_sender
    await transport.aclose()


async def finish(sender: Sender) -> None:
    async with asyncio.timeout(DEADLINE):
        await sender.drain()


async def test_a_webhook_arrives_once_and_every_verifier_takes_it(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    made = await house.subscribe("/hook")
    await house.lives_through("post.published")
    await finish(sender_with())
    [call] = receiver.calls
    [post] = [row["id"] for row in await house.run("select id from posts")]
    body = Webhook(made.secret).verify(call.body, call.headers)
    assert (body["type"], body["sequence"], body["previousSequence"], body["data"]) == (
        "post.published", 1, None, house.event(post).data,
    )  # fmt: skip
    assert call.headers["x-signature"] == hmac.new(made.secret.encode(), call.body, hashlib.sha256).hexdigest()
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["User-Agent"].startswith("fingerpost/")
    [event] = await house.run("select id from events")
    assert call.id == str(event["id"])
    [message] = await house.messages()
    assert (message["state"], message["attempts"], message["http_status"]) == ("delivered", 1, 204)


async def test_nothing_due_means_nothing_sent(receiver: Receiver, sender_with: Opens) -> None:
    await finish(sender_with())
    assert receiver.calls == []


async def test_what_is_refused_is_sent_again_the_same_and_counted(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    made = await house.subscribe("/hook")
    receiver.answers("/hook", 500, 302, 200)
    await house.lives_through("post.published")
    await finish(sender_with())
    assert len(receiver.calls) == 3
    assert len({(call.id, call.body) for call in receiver.calls}) == 1
    for call in receiver.calls:
        Webhook(made.secret).verify(call.body, call.headers)
    [message] = await house.messages()
    assert (message["state"], message["attempts"], message["error"]) == ("delivered", 3, None)


async def test_it_is_given_up_after_the_last_try_of_the_policy(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    await house.subscribe("/hook")
    receiver.answers("/hook", 500, text="out of\0 order")
    await house.lives_through("post.published")
    await finish(sender_with())
    assert len(receiver.calls) == AT_ONCE.attempts
    [message] = await house.messages()
    assert (message["state"], message["attempts"], message["http_status"]) == ("failed", 4, 500)
    assert message["error"] == "The endpoint answered 500: out of\N{REPLACEMENT CHARACTER} order"


async def test_410_switches_the_endpoint_off_and_nothing_more_is_sent(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    made = await house.subscribe("/gone")
    await house.subscribe("/here")
    receiver.answers("/gone", 410)
    await house.lives_through(*["post.published"] * 5)
    await finish(sender_with(in_flight=1))
    assert len(receiver.at("/gone")) == 1
    assert len(receiver.at("/here")) == 5
    endpoint = await house.endpoints.get(house.organization, made.endpoint.id)
    assert endpoint.disabled_at is not None
    await house.lives_through("post.published")
    await finish(sender_with())
    assert len(receiver.at("/gone")) == 1
    states = Counter((m["endpoint_id"] == made.endpoint.id, m["state"]) for m in await house.messages())
    assert states == {(True, "failed"): 5, (False, "delivered"): 7}
    [told] = [json.loads(call.body) for call in receiver.at("/here") if b"webhook_endpoint.disabled" in call.body]
    assert (told["data"]["webhookEndpointId"], told["data"]["reason"]) == (str(made.endpoint.id), "gone")


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(house: Subscriber, receiver: Receiver, sender_with: Opens, status: int) -> None:
    await house.subscribe("/hook")
    receiver.answers("/hook", status, **{"Retry-After": "7200"})
    await house.lives_through("post.published")
    await finish(sender_with())
    assert len(receiver.calls) == 1
    [message] = await house.messages()
    assert message["state"] == "waiting"
    assert 7000 < message["wait"] <= 7200


async def test_a_redirect_is_not_followed(house: Subscriber, receiver: Receiver, sender_with: Opens) -> None:
    await house.subscribe("/hook")
    receiver.answers("/hook", 307, Location=f"{receiver.url}/elsewhere")
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER))
    assert [call.path for call in receiver.calls] == ["/hook"]
    assert [message["state"] for message in await house.messages()] == ["waiting"]


async def test_endpoints_that_do_not_answer_delay_no_other(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    for n in range(5):
        await house.subscribe(f"/slow{n}")
    releases = [receiver.hangs(f"/slow{n}") for n in range(5)]
    await house.lives_through(*["post.published"] * 40)
    await house.subscribe("/fast")
    sender = sender_with(in_flight=16, try_seconds=60)
    draining = asyncio.create_task(sender.drain())
    await receiver.until(lambda: len(receiver.calls) >= 10)
    await house.lives_through(*["post.failed"] * 60)
    await sender.drain()  # as a second wake-up does: the one under way looks again
    await receiver.until(lambda: len(receiver.at("/fast")) == 60)
    assert not draining.done()
    for released in releases:
        released.set()
    async with asyncio.timeout(DEADLINE):
        await draining
    assert {message["state"] for message in await house.messages()} == {"delivered"}
    assert Counter(call.path for call in receiver.calls) == {"/fast": 60, **{f"/slow{n}": 100 for n in range(5)}}


async def test_two_senders_share_the_work_and_double_none_of_it(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    for n in range(4):
        await house.subscribe(f"/{n}")
    await house.lives_through(*["post.published"] * 50)
    senders = [sender_with(), sender_with()]
    async with asyncio.timeout(DEADLINE):
        while {message["state"] for message in await house.messages()} != {"delivered"}:
            await asyncio.gather(*(sender.drain() for sender in senders))
    assert len(receiver.calls) == len({(call.path, call.id) for call in receiver.calls}) == 200


async def test_who_never_answers_is_left_after_the_bound(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    await house.subscribe("/hook")
    receiver.hangs("/hook")
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER, try_seconds=0.3))
    [message] = await house.messages()
    assert (message["state"], message["error"]) == ("waiting", "The endpoint did not answer within 0.3 seconds.")


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (500, "waiting")])
async def test_an_answer_without_end_is_read_no_further_than_the_bound(
    house: Subscriber, receiver: Receiver, sender_with: Opens, status: int, state: str
) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    for path, handler in (("/flood", flood), ("/drip", drip)):
        await house.subscribe(path)
        receiver.handlers[path] = handler
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER, try_seconds=0.5))
    messages = await house.messages()
    assert [(message["state"], message["http_status"]) for message in messages] == [(state, status)] * 2
    assert all(len(message["error"] or "") <= ANSWER_BYTES + 40 for message in messages)


async def test_a_url_that_the_guard_refuses_is_never_called(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    await house.subscribe("/hook")
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER, guard=Guard()))
    assert receiver.calls == []
    [message] = await house.messages()
    assert message["state"] == "waiting"
    assert "not allowed" in message["error"]


async def test_what_went_wrong_is_told_without_our_side_of_the_network(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.close()
        return web.Response()

    await house.subscribe("", url="http://127.0.0.1:1/closed")
    await house.subscribe("", url=receiver.url.replace("http", "https"))
    await house.subscribe("/drop")
    receiver.handlers["/drop"] = drop
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER))
    assert {message["error"] for message in await house.messages()} == {
        "The endpoint could not be reached.",
        "The endpoint's TLS certificate or handshake was refused.",
        "The connection to the endpoint broke off before it had answered.",
    }


async def test_a_secret_that_cannot_be_opened_holds_up_only_its_own_endpoint(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    await house.subscribe("/sealed-elsewhere", vault=Vault.parse(Vault.generate(2)))
    await house.subscribe("/ours")
    await house.lives_through("post.published")
    await finish(sender_with(policy=NEVER))
    assert [call.path for call in receiver.calls] == ["/ours"]
    messages = {message["state"]: message["error"] for message in await house.messages()}
    assert messages == {"delivered": None, "waiting": "The message could not be signed."}


async def test_the_secret_is_neither_logged_nor_in_a_repr_nor_in_the_database(
    house: Subscriber,
    receiver: Receiver,
    sender_with: Opens,
    pool: AsyncConnectionPool,
    logs: list[MutableMapping[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await house.subscribe("/hook")
    receiver.answers("/hook", 500, 410)
    await house.lives_through("post.published", "post.failed")
    outbox = Outbox(pool, VAULT)
    [message, *_] = await outbox.take(8, lease_seconds=0)
    await finish(sender_with())
    assert len(logs) == len(receiver.calls) > 1
    assert logs[0]["endpoint"] == str(made.endpoint.id)
    rows = await house.run("select m::text from webhook_messages m union all select w::text from webhook_endpoints w")
    bare = made.secret.removeprefix("whsec_")
    said = f"{logs} {caplog.text} {message!r} {made!r} {rows}"
    assert bare not in said
    assert bare.encode().hex() not in said


KILLED = """
import asyncio, sys
from random import Random
from core.database.pool import open_pool
from core.guard import Guard
from core.http import open_transport
from core.vault import Vault
from core.webhooks.outbox import Outbox
from workers.webhooks import Sender

async def main(url, master):
    guard = Guard(["127.0.0.1"])
    async with open_pool(url, size=2, name="doomed") as pool:
        outbox = Outbox(pool, Vault.parse(master))
        await Sender(outbox, open_transport(guard=guard), guard, random=Random(), lease_seconds=1).drain()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_a_killed_sender_had_in_hand_is_sent_again_with_the_same_id(
    house: Subscriber, receiver: Receiver, sender_with: Opens, database_url: str
) -> None:
    await house.subscribe("/hook")
    receiver.hangs("/hook")
    await house.lives_through("post.published", "post.failed")
    doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, database_url, MASTER)
    try:
        await receiver.until(lambda: len(receiver.calls) == 2)
    finally:
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
    receiver.answers("/hook", 200)
    async with asyncio.timeout(DEADLINE):
        while len(receiver.calls) < 4:
            await sender_with().drain()
    before, after = receiver.calls[:2], receiver.calls[2:]
    assert {(call.id, call.body) for call in before} == {(call.id, call.body) for call in after}
    assert [(m["state"], m["attempts"], m["fence"]) for m in await house.messages()] == [("delivered", 2, 2)] * 2


async def test_a_sender_that_is_told_to_stop_finishes_what_it_has_and_takes_no_more(
    house: Subscriber, receiver: Receiver, sender_with: Opens
) -> None:
    await house.subscribe("/hook")
    released = receiver.hangs("/hook")
    await house.lives_through(*["post.published"] * 5)
    sender = sender_with(in_flight=2)
    draining = asyncio.create_task(sender.drain())
    await receiver.until(lambda: len(receiver.calls) == 1)
    sender.stop()
    released.set()
    async with asyncio.timeout(DEADLINE):
        await draining
    assert Counter(message["state"] for message in await house.messages()) == {"delivered": 1, "waiting": 4}
