"""Ordered endpoints: the events of one subject come one after the other, and never get stuck."""

import asyncio
from random import Random
from uuid import UUID

import pytest
from psycopg_pool import AsyncConnectionPool

from core.webhooks.endpoints import Endpoint
from core.webhooks.outbox import Outbox
from core.webhooks.results import Result
from core.webhooks.terms import Change, Terms
from tests.core.webhooks.house import VAULT, House

pytestmark = pytest.mark.engine
DELIVERED = Result(state="delivered", http_status=200)
FAILED = Result(state="waiting", due_in=0.0, http_status=500, error="no")
GIVEN_UP = Result(state="failed", http_status=500, error="no")


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    return await House(pool).settle_in()


@pytest.fixture
def outbox(pool: AsyncConnectionPool) -> Outbox:
    return Outbox(pool, VAULT, per_endpoint=100)


async def ordered(house: House) -> Endpoint:
    terms = Terms(url="http://127.0.0.1:9/", ordered=True)
    return (await house.endpoints.create(house.organization, None, terms.url, terms=terms)).endpoint


async def test_the_next_of_a_subject_goes_when_the_one_before_has_ended(house: House, outbox: Outbox) -> None:
    await ordered(house)
    one, two = await house.post(), await house.post()
    await house.happened(*[house.event(one) for _ in range(3)])
    await house.happened(house.event(one), house.event(two))
    seen: list[tuple[UUID, int]] = []
    for result in (FAILED, DELIVERED, GIVEN_UP, DELIVERED, DELIVERED):
        taken = await outbox.take(64)
        assert len({message.subject for message in taken}) == len(taken)
        seen += [(message.subject, message.sequence) for message in taken]
        await asyncio.gather(*(outbox.settle(message, result) for message in taken))
    assert [sequence for subject, sequence in seen if subject == one] == [1, 1, 2, 3, 4]
    assert [sequence for subject, sequence in seen if subject == two] == [1, 1]
    assert await outbox.next_due() is None


async def test_an_endpoint_beside_it_that_asks_for_no_order_waits_for_nothing(house: House, outbox: Outbox) -> None:
    await ordered(house)
    plain = await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(5)])
    taken = await outbox.take(64)
    assert sorted(m.sequence for m in taken if m.endpoint_id == plain.id) == [1, 2, 3, 4, 5]
    assert [m.sequence for m in taken if m.endpoint_id != plain.id] == [1]


async def test_one_that_asks_for_no_order_any_more_gets_all_of_it(house: House, outbox: Outbox) -> None:
    endpoint = await ordered(house)
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(5)])
    await house.endpoints.change(house.organization, endpoint.id, Change(ordered=False))
    assert len(await outbox.take(64)) == 5


async def test_one_that_asks_for_order_while_a_message_is_in_hand_gets_the_next_when_that_has_ended(
    house: House, outbox: Outbox
) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(house.event(post))
    [first] = await outbox.take(64)
    await house.endpoints.change(house.organization, endpoint.id, Change(ordered=True))
    await house.happened(house.event(post))
    assert await outbox.take(64) == []
    assert await outbox.settle(first, DELIVERED)
    assert [message.sequence for message in await outbox.take(64)] == [2]


async def test_what_ends_in_different_ways_may_end_together(house: House, outbox: Outbox) -> None:
    plain, failing, strict = await house.endpoint(), await house.endpoint(), await ordered(house)
    post = await house.post()
    await house.happened(house.event(post), house.event(post))
    taken = await outbox.take(64)
    results = {plain.id: DELIVERED, failing.id: FAILED, strict.id: DELIVERED}
    told = await asyncio.gather(*(outbox.settle(message, results[message.endpoint_id]) for message in taken))
    assert told == [True] * len(taken)
    rows = await house.run("select endpoint_id, state, count(*) as n from webhook_messages group by 1, 2")
    assert {(row["endpoint_id"], row["state"]): row["n"] for row in rows} == {
        (plain.id, "delivered"): 2, (failing.id, "waiting"): 2, (strict.id, "delivered"): 1, (strict.id, "waiting"): 1,
    }  # fmt: skip
    rows = await house.run("select id, failures from webhook_endpoints")
    assert {row["id"]: row["failures"] for row in rows} == {plain.id: 0, failing.id: 1, strict.id: 0}


async def test_one_that_is_switched_off_leaves_nothing_behind(house: House, outbox: Outbox) -> None:
    await ordered(house)
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(5)])
    [message] = await outbox.take(64)
    await outbox.settle(message, Result(state="failed", http_status=410, error="gone", disable=True))
    await outbox.sweep()
    assert await outbox.take(64) == []
    assert {row["state"] for row in await house.run("select state from webhook_messages")} == {"failed"}


async def test_events_and_endings_at_the_same_time_leave_nothing_stuck_and_keep_the_order(
    house: House, outbox: Outbox
) -> None:
    await ordered(house)
    posts, random, over = [await house.post() for _ in range(4)], Random(3), asyncio.Event()
    taken: dict[UUID, list[int]] = {post: [] for post in posts}

    async def happen(post: UUID) -> None:
        for _ in range(30):
            await house.happened(*[house.event(post) for _ in range(random.randint(1, 2))])
            await asyncio.sleep(random.random() / 200)

    async def send() -> None:
        while not over.is_set() or await outbox.next_due() is not None:
            messages = await outbox.take(64)
            for message in messages:
                taken[message.subject].append(message.sequence)
            await asyncio.gather(*(outbox.settle(message, DELIVERED) for message in messages))
            await asyncio.sleep(0)

    sending = [asyncio.create_task(send()) for _ in range(2)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(happen(post) for post in posts))
        over.set()
        await asyncio.gather(*sending)
    states = await house.run("select state, count(*) as n from webhook_messages group by 1")
    assert [row["state"] for row in states] == ["delivered"]
    for sequences in taken.values():
        assert sequences == list(range(1, len(sequences) + 1))
