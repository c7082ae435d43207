"""The outbox: what happened reaches it in order, and is taken fairly, once at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from psycopg_pool import AsyncConnectionPool

from core.database.presence import KIND, Presence
from core.events.events import record
from core.ids import new_id
from core.webhooks.endpoints import Endpoint
from core.webhooks.outbox import Message, Outbox
from core.webhooks.results import Result
from tests.core.webhooks.house import VAULT, House

DELIVERED = Result(state="delivered", http_status=200)


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    return await House(pool).settle_in()


@pytest.fixture
def outbox(pool: AsyncConnectionPool) -> Outbox:
    return Outbox(pool, VAULT)


def steps(messages: Sequence[Message], endpoint: Endpoint, post: UUID) -> list[tuple[int, int | None, str]]:
    return sorted(
        (m.sequence, m.previous_sequence, m.type)
        for m in messages
        if m.endpoint_id == endpoint.id and m.data["postId"] == str(post)
    )


async def somebody_waits_for_a_lock(pool: AsyncConnectionPool) -> None:
    query = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(10), pool.connection() as connection:
        while (await connection.execute(query)).rowcount == 0:
            await connection.rollback()


async def everything(outbox: Outbox) -> list[Message]:
    messages: list[Message] = []
    while taken := await outbox.take(1000):
        messages += taken
        await asyncio.gather(*(outbox.settle(message, DELIVERED) for message in taken))
    return messages


async def test_a_filter_leaves_no_gap_and_the_sequence_has_none(house: House, outbox: Outbox) -> None:
    every, some = await house.endpoint(), await house.endpoint("delivery.failed", "post.failed")
    one, two = await house.post(), await house.post()
    await house.happened(house.event(one), house.event(two), house.event(one, "delivery.failed"))
    await house.happened(house.event(two), house.event(one))
    await house.happened(
        house.event(one, "delivery.failed"), house.event(one), house.event(one, "post.failed"), house.event(two)
    )
    messages = await everything(outbox)
    assert [step[:2] for step in steps(messages, every, one)] == [(1, None), (2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]
    assert [step[:2] for step in steps(messages, every, two)] == [(1, None), (2, 1), (3, 2)]
    assert steps(messages, some, one) == [
        (2, None, "delivery.failed"), (4, 2, "delivery.failed"), (6, 4, "post.failed"),
    ]  # fmt: skip
    assert steps(messages, some, two) == []


async def test_a_message_says_what_the_event_said(house: House, outbox: Outbox) -> None:
    await house.endpoint()
    post = await house.post()
    await house.happened(house.event(post, "post.published"))
    [message] = await outbox.take(1)
    async with house.pool.connection() as connection:
        row = await (await connection.execute("select id, created_at from events")).fetchone()
    assert row == (message.event_id, message.happened_at)
    assert (message.type, message.data, message.attempts) == ("post.published", {"postId": str(post)}, 1)
    assert outbox.signed(message).headers["webhook-id"] == str(message.event_id)


async def test_what_is_rolled_back_never_happened(house: House, outbox: Outbox) -> None:
    await house.endpoint()
    post = await house.post()
    async with house.pool.connection() as connection:
        assert await record(connection, [house.event(post)]) == 1
        await connection.rollback()
    assert await outbox.next_due() is None
    assert await house.happened(house.event(post)) == 1
    assert [message.sequence for message in await outbox.take(9)] == [1]


async def test_only_the_team_the_organization_and_who_is_switched_on_hear_of_it(house: House, outbox: Outbox) -> None:
    stranger = await House(house.pool).settle_in()
    await stranger.endpoint()
    off, ours, whole = await house.endpoint(), await house.endpoint(team=house.team), await house.endpoint()
    await house.run("insert into teams (id, organization_id, name) values (%s, %s, 'b')", new_id(), house.organization)
    sibling = House(house.pool)
    sibling.organization = house.organization
    await sibling.run(
        "insert into teams (id, organization_id, name) values (%s, %s, 'c')", sibling.team, house.organization
    )
    await sibling.endpoint(team=sibling.team)
    await house.run("update webhook_endpoints set disabled_at = now() where id = %s", off.id)
    assert await house.happened(house.event(await house.post())) == 2
    assert {message.endpoint_id for message in await outbox.take(9)} == {ours.id, whole.id}


async def test_a_taken_message_is_nobody_elses_until_its_lease_ends(house: House, outbox: Outbox) -> None:
    await house.endpoint()
    await house.happened(house.event(await house.post()))
    [first] = await outbox.take(9, lease_seconds=60)
    assert await outbox.take(9) == []
    due = await outbox.next_due()
    assert due is not None
    assert 0 < due <= 60
    await house.run("update webhook_messages set lease_until = now(), due_at = now()")
    [second] = await outbox.take(9)
    assert (second.event_id, second.fence, second.attempts) == (first.event_id, 2, 2)


async def test_who_comes_late_changes_nothing(house: House, outbox: Outbox) -> None:
    await house.endpoint()
    await house.happened(house.event(await house.post()))
    [late] = await outbox.take(1, lease_seconds=0)
    [current] = await outbox.take(1)
    assert not await outbox.settle(late, Result(state="failed", error="late"))
    assert await outbox.settle(current, DELIVERED)
    assert not await outbox.settle(current, Result(state="waiting", due_in=0, error="twice"))
    assert await outbox.next_due() is None


async def test_a_message_that_waits_is_due_after_its_wait_and_no_sooner(house: House, outbox: Outbox) -> None:
    await house.endpoint()
    await house.happened(house.event(await house.post()))
    assert await outbox.due()
    [message] = await outbox.take(1)
    await outbox.settle(message, Result(state="waiting", due_in=1000, http_status=500, error="no"))
    assert await outbox.take(1) == []
    assert not await outbox.due()
    due = await outbox.next_due()
    assert due is not None
    assert 900 < due <= 1000
    await house.run("update webhook_messages set due_at = now()")
    assert [again.attempts for again in await outbox.take(1)] == [2]


async def test_endpoints_take_turns_however_much_waits_for_one(house: House, outbox: Outbox) -> None:
    greedy, modest = await house.endpoint("delivery.retrying"), await house.endpoint("post.failed")
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(50)])
    await house.happened(*[house.event(post, "post.failed") for _ in range(3)])
    assert [message.endpoint_id for message in await outbox.take(3)] == [greedy.id, modest.id]
    await house.run("update webhook_messages set lease_until = null, due_at = created_at")
    taken = Counter(message.endpoint_id for message in await outbox.take(8))
    assert taken == {greedy.id: 3, modest.id: 3}


async def test_an_endpoint_has_no_more_under_way_than_it_may(house: House, pool: AsyncConnectionPool) -> None:
    outbox = Outbox(pool, VAULT, per_endpoint=5)
    await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(20)])
    first = await outbox.take(64)
    assert len(first) == 5
    for message in first[:2]:
        await outbox.settle(message, DELIVERED)
    assert len(await outbox.take(64)) == 2


async def test_an_endpoint_that_never_answers_leaves_places_free(house: House, pool: AsyncConnectionPool) -> None:
    outbox = Outbox(pool, VAULT, per_endpoint=100)
    for _ in range(3):
        await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(100)])
    places, held = 64, 0
    while taken := await outbox.take(places - held):
        held += len(taken)
    assert held == 48
    late = await house.endpoint("post.failed")
    await house.happened(house.event(post, "post.failed"))
    assert late.id in {message.endpoint_id for message in await outbox.take(places - held)}


async def test_senders_that_take_at_once_never_take_too_much_or_the_same(
    house: House, pool: AsyncConnectionPool
) -> None:
    outbox = Outbox(pool, VAULT, per_endpoint=5)
    for _ in range(2):
        await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(100)])
    rounds = [await asyncio.gather(*(outbox.take(6) for _ in range(12))) for _ in range(4)]
    messages = [message for takes in rounds for taken in takes for message in taken]
    assert Counter(message.endpoint_id for message in messages).most_common()[0][1] == 5
    assert len({message.id for message in messages}) == len(messages) == 10
    assert not await outbox.due()


async def test_an_endpoint_in_another_hand_holds_nobody_up(house: House, outbox: Outbox) -> None:
    held, free = await house.endpoint(), await house.endpoint()
    await house.happened(house.event(await house.post()))
    async with house.pool.connection() as connection:
        await connection.execute("select from webhook_endpoints where id = %s for update", [held.id])
        assert [message.endpoint_id for message in await outbox.take(9)] == [free.id]
    assert [message.endpoint_id for message in await outbox.take(9)] == [held.id]


async def test_an_endpoint_that_is_gone_is_switched_off_and_what_waited_fails(house: House, outbox: Outbox) -> None:
    gone, other = await house.endpoint(), await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(12)])
    taken = await outbox.take(64)
    message = next(message for message in taken if message.endpoint_id == gone.id)
    await outbox.settle(message, Result(state="failed", http_status=410, error="gone", disable=True))
    assert (await house.endpoints.get(house.organization, gone.id)).disabled_at is not None
    assert (await house.endpoints.get(house.organization, other.id)).disabled_at is None
    again = Result(state="waiting", due_in=0, error="no")
    await asyncio.gather(*(outbox.settle(rest, again) for rest in taken if rest is not message))
    assert {again.endpoint_id for again in await everything(outbox)} == {other.id}
    async with house.pool.connection() as connection:
        cursor = await connection.execute("select endpoint_id, state, count(*) from webhook_messages group by 1, 2")
        states = {(row[0], row[1]): row[2] async for row in cursor}
    # The other one is told of it, too.
    assert states == {(gone.id, "failed"): 12, (other.id, "delivered"): 13}
    assert await outbox.next_due() is None


async def test_a_deleted_endpoint_takes_what_waits_with_it(house: House, outbox: Outbox) -> None:
    endpoint = await house.endpoint()
    await house.happened(house.event(await house.post()), house.event(await house.post()))
    [message, _] = await outbox.take(9)
    await house.endpoints.delete(house.organization, endpoint.id)
    assert not await outbox.settle(message, DELIVERED)
    assert await outbox.take(9) == []
    assert await outbox.next_due() is None


async def test_an_endpoint_may_be_deleted_while_something_happens(house: House, outbox: Outbox) -> None:
    going, staying = await house.endpoint(), await house.endpoint()
    post = await house.post()
    async with house.pool.connection() as deleting:
        await deleting.execute("delete from webhook_endpoints where id = %s", [going.id])
        happening = asyncio.create_task(house.happened(house.event(post)))
        await somebody_waits_for_a_lock(house.pool)
        await deleting.commit()
    assert await happening == 1
    assert [message.endpoint_id for message in await outbox.take(9)] == [staying.id]


async def test_what_is_in_the_hands_of_one_that_is_gone_is_not_waited_for(
    house: House, pool: AsyncConnectionPool, database_url: str
) -> None:
    await house.endpoint()
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(8)])
    async with present(database_url) as other:
        stays = Outbox(pool, VAULT, presence=other)
        async with present(database_url) as one:
            number = one.number
            goes = Outbox(pool, VAULT, per_endpoint=5, presence=one)
            lost, kept = await goes.take(64), await stays.take(64)
            await stays.let_go()
            assert (len(lost), len(kept)) == (5, 3)
            assert not await stays.due(), "both are there"
        await gone(pool, number)
        await stays.let_go()
        assert {message.id for message in await stays.take(64)} == {message.id for message in lost}
        assert not await goes.settle(lost[0], DELIVERED), "its word came too late"
        assert await stays.settle(kept[0], DELIVERED)


async def test_who_loses_the_connection_is_there_again(pool: AsyncConnectionPool, database_url: str) -> None:
    async with present(database_url) as one, pool.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = %s", [KIND]
        )
        await connection.commit()
        async with asyncio.timeout(30):
            while one.number is not None:  # noqa: ASYNC110 - what is waited for is another connection
                await asyncio.sleep(0.01)
            await there(one)


@asynccontextmanager
async def present(url: str) -> AsyncIterator[Presence]:
    presence, stop = Presence(url, name="presence"), asyncio.Event()
    task = asyncio.create_task(presence.keep(stop))
    async with asyncio.timeout(30):
        await there(presence)
    try:
        yield presence
    finally:
        stop.set()
        await task


async def there(presence: Presence) -> None:
    while presence.number is None:  # noqa: ASYNC110 - what is waited for is another connection
        await asyncio.sleep(0.01)


async def gone(pool: AsyncConnectionPool, number: int | None) -> None:
    """Wait until PostgreSQL has ended the connection."""
    query = "select from pg_locks where locktype = 'advisory' and classid = %s and objid = %s"
    async with asyncio.timeout(30), pool.connection() as connection:
        while (await connection.execute(query, [KIND, number])).rowcount:
            await connection.rollback()
