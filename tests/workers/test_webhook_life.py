"""What an endpoint lives through over real HTTP: down and back, asked to wait, out of order, asked to repeat itself."""

import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from aiohttp import web
from psycopg_pool import AsyncConnectionPool
from standardwebhooks import Webhook

from core.http import open_transport
from core.retry import Policy
from core.webhooks.log import WebhookLog
from core.webhooks.outbox import PATIENCE, Outbox
from core.webhooks.terms import Terms
from tests.core.webhooks.house import GUARD, VAULT
from tests.workers.webhook_receiver import Receiver, Subscriber, receiving
from workers.webhooks import ANSWER_BYTES, Sender

STUBBORN = Policy(attempts=1000, first=0.0)
LATER = Policy(attempts=4, first=3600.0, floor=1800.0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def house(pool: AsyncConnectionPool, receiver: Receiver) -> Subscriber:
    return await Subscriber(pool, receiver).settle_in()


@pytest.fixture
async def sender(pool: AsyncConnectionPool) -> AsyncIterator[Callable[..., Sender]]:
    transport = open_transport(guard=GUARD)

    def opened(policy: Policy = STUBBORN, **options: Any) -> Sender:
        return Sender(Outbox(pool, VAULT), transport, GUARD, random=Random(1), policy=policy, **options)

    yield opened
    await transport.aclose()


async def open_again(house: Subscriber) -> None:
    await house.run("update webhook_endpoints set retry_at = now() where retry_at is not null")


async def test_one_that_comes_back_gets_all_of_it_after_few_tries(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    await house.subscribe("/hook")
    receiver.answers("/hook", 500)
    await house.lives_through(*["post.published"] * 100)
    await sender().drain()
    down = len(receiver.calls)
    assert PATIENCE <= down < 100
    for _ in range(5):
        await open_again(house)
        await sender().drain()
    assert len(receiver.calls) == down + 5
    receiver.answers("/hook", 200)
    await open_again(house)
    await sender().drain()
    assert len({call.id for call in receiver.calls}) == 100
    assert {message["state"] for message in await house.messages()} == {"delivered"}


async def test_one_that_asks_for_time_is_sent_nothing_else_meanwhile(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    await house.subscribe("/hook")
    await house.subscribe("/other")
    receiver.answers("/hook", 429, **{"Retry-After": "600"})
    await house.lives_through(*["post.published"] * 30)
    await sender(in_flight=4).drain()
    assert 0 < len(receiver.at("/hook")) <= 4
    assert len(receiver.at("/other")) == 30
    receiver.answers("/hook", 200)
    await house.run("update webhook_messages set due_at = now() where state = 'waiting'")
    await sender().drain()
    assert len(receiver.at("/hook")) <= 4
    await open_again(house)
    await sender().drain()
    assert {message["state"] for message in await house.messages()} == {"delivered"}


async def test_an_ordered_one_hears_of_everything_in_order_though_it_refuses_at_random(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    random = Random(2)
    taken: list[tuple[str, int]] = []

    async def moody(request: web.Request) -> web.Response:
        if random.random() < 0.4:
            return web.Response(status=500)
        event = json.loads(await request.read())
        taken.append((event["subject"], event["sequence"]))
        return web.Response()

    receiver.handlers["/hook"] = moody
    terms = Terms(url=f"{receiver.url}/hook", ordered=True)
    await house.endpoints.create(house.organization, None, terms.url, terms=terms)
    posts = [await house.post() for _ in range(6)]
    for _ in range(5):
        await house.happened(*[house.event(post) for post in posts for _ in range(2)])
    outbox = Outbox(house.pool, VAULT)
    while await outbox.next_due() is not None:
        await open_again(house)
        await sender().drain()
    for post in posts:
        assert [sequence for subject, sequence in taken if subject == str(post)] == list(range(1, 11))


async def test_the_log_keeps_what_came_back_and_no_more_of_it_than_a_kilobyte(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    made = await house.subscribe("/hook")
    nobody = await house.subscribe("", url="http://127.0.0.1:9/nobody")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=503)
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"so much " * 1000)
        return response

    receiver.handlers["/hook"] = endless
    await house.lives_through("post.published")
    await sender(LATER).drain()
    log = WebhookLog(house.pool)
    [listed] = await log.page(house.organization, made.endpoint.id)
    _, [one] = await log.get(house.organization, listed.id)
    assert (one.http_status, one.number) == (503, 1)
    assert one.answer is not None
    assert one.answer.startswith("so much so much")
    assert len(one.answer) <= ANSWER_BYTES
    assert one.seconds > 0
    [listed] = await log.page(house.organization, nobody.endpoint.id)
    _, [none] = await log.get(house.organization, listed.id)
    assert (none.http_status, none.error, none.answer) == (None, "The endpoint could not be reached.", None)


async def test_what_is_sent_again_has_the_same_id_and_the_same_bytes(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    made = await house.subscribe("/hook")
    await house.lives_through("post.published")
    await sender().drain()
    log = WebhookLog(house.pool)
    [message] = await log.page(house.organization, made.endpoint.id)
    await log.resend(house.organization, message.id)
    await sender().drain()
    first, second = receiver.calls
    assert (first.id, first.body) == (second.id, second.body)
    _, tries = await log.get(house.organization, message.id)
    assert [one.number for one in tries] == [1, 2]


async def test_a_receiver_with_the_old_secret_and_one_with_the_new_both_take_it(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    old = await house.subscribe("/hook")
    new = await house.endpoints.rotate_secret(house.organization, old.endpoint.id)
    await house.endpoints.test(house.organization, old.endpoint.id)
    await sender().drain()
    [call] = receiver.calls
    for secret in (old.secret, new.secret):
        assert Webhook(secret).verify(call.body, call.headers)["type"] == "webhook_endpoint.test"


async def test_one_that_has_failed_for_three_days_is_sent_nothing_more(
    house: Subscriber, receiver: Receiver, sender: Callable[..., Sender]
) -> None:
    made = await house.subscribe("/dead")
    await house.subscribe("/told", "webhook_endpoint.disabled")
    receiver.answers("/dead", 302, Location=f"{receiver.url}/elsewhere")
    await house.lives_through(*["post.published"] * 20)
    await sender(in_flight=1).drain()
    await house.run("update webhook_endpoints set failing_since = now() - interval '3 days', retry_at = null")
    await sender(in_flight=1).drain()
    await sender().drain()
    tries = len(receiver.at("/dead"))
    off = await house.endpoints.get(house.organization, made.endpoint.id)
    assert off.disabled_reason == "failing"
    [call] = receiver.at("/told")
    assert json.loads(call.body)["data"]["webhookEndpointId"] == str(made.endpoint.id)
    assert receiver.at("/elsewhere") == []
    receiver.answers("/dead", 200)
    await house.endpoints.enable(house.organization, made.endpoint.id)
    log, [row] = WebhookLog(house.pool), await house.run("select min(created_at) as since from webhook_messages")
    assert await log.resend_failed(house.organization, made.endpoint.id, row["since"]) == 20
    await sender().drain()
    assert len({call.id for call in receiver.at("/dead")[tries:]}) == 20
