"""What concurrent callers submit goes by one statement on its own connection, and each learns what became of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.express import Express, Row
from core.database.group import CommitUnknown, ConnectionLost, GroupCommit
from core.database.pool import open_pool

TABLE = """
create table item (
    id int primary key check (id >= 0),
    late int references item (id) deferrable initially deferred,
    load text
)
"""
STATEMENT = """
insert into item (id, late, load)
select i.id, i.late, i.load from jsonb_to_recordset(%(items)s::jsonb) as i(id int, late int, load text)
where i.load is distinct from %(unless)s
returning id::text, pg_current_xact_id()::text, load
"""
SIZE = 12


class Item(msgspec.Struct, frozen=True):
    id: int
    late: int | None = None
    load: Any = None


class Written(msgspec.Struct, frozen=True):
    """By which transaction an item was written, and what was written with it."""

    transaction: str | None
    load: str | None


def values(items: Sequence[Item]) -> dict[str, bytes]:
    return {"unless": b"nothing", "items": msgspec.json.encode(items)}


def told(items: Sequence[Item], rows: list[Row]) -> list[Written]:
    found = {row[0]: Written(*row[1:]) for row in rows}
    return [found[str(item.id)] for item in items]


async def one_by_one(connection: AsyncConnection, items: Sequence[Item]) -> list[Written]:
    cursor = await connection.execute(STATEMENT, {name: value.decode() for name, value in values(items).items()})
    return told(items, await cursor.fetchall())


@asynccontextmanager
async def express_over(url: str, pool: AsyncConnectionPool, **changes: Any) -> AsyncIterator[Express[Item, Written]]:
    settings: dict[str, Any] = {"values": values, "told": told, "size": SIZE, **changes}
    async with (
        open_pool(url, size=1, name="express", patience_seconds=1, autocommit=True) as own,
        GroupCommit[Item, Written](pool, one_by_one) as otherwise,
    ):
        made = Express[Item, Written](own, STATEMENT, otherwise=otherwise, **settings)
        yield made
        await made.aclose()
        async with own.connection():
            """Others may have its place in the pool."""


@pytest.fixture
async def express(database_url: str, pool: AsyncConnectionPool) -> AsyncIterator[Express[Item, Written]]:
    async with pool.connection() as connection:
        await connection.execute(TABLE)
    async with asyncio.timeout(60), express_over(database_url, pool) as made:
        yield made


async def stored(pool: AsyncConnectionPool) -> list[int]:
    async with pool.connection() as connection:
        return [row[0] for row in await (await connection.execute("select id from item order by id")).fetchall()]


class Held(msgspec.Struct, frozen=True):
    """An item under way that waits as long as `connection` holds the table; the backend that has it in hand."""

    first: asyncio.Task[Written]
    backend: int
    connection: AsyncConnection


@asynccontextmanager
async def held_up(express: Express[Item, Written], pool: AsyncConnectionPool) -> AsyncIterator[Held]:
    """With an item stored before, 0, there is one under way, 1, until this block ends."""
    await express.submit(Item(0))
    async with pool.connection() as connection:
        await connection.execute("lock table item in exclusive mode")
        first = asyncio.create_task(express.submit(Item(1)))
        while not (found := await (await connection.execute("select pid from pg_locks where not granted")).fetchall()):
            await connection.execute("select pg_sleep(0.01)")
        ((backend,),) = found
        yield Held(first, backend, connection)


async def turns(count: int) -> None:
    """Let the loop call all that is ready, so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_lone_item_leaves_at_once(express: Express[Item, Written], pool: AsyncConnectionPool) -> None:
    await express.submit(Item(0))
    submitted = asyncio.create_task(express.submit(Item(1)))
    await turns(2)
    assert [entry.item for entry in express._group] == [Item(1)]
    await submitted
    assert await stored(pool) == [0, 1]


async def test_those_who_come_in_the_same_turn_leave_together(express: Express[Item, Written]) -> None:
    await express.submit(Item(0))
    together = [asyncio.create_task(express.submit(Item(number))) for number in (1, 2, 3)]
    await turns(2)
    assert [entry.item for entry in express._group] == [Item(1), Item(2), Item(3)]
    await asyncio.gather(*together)


async def test_those_who_come_meanwhile_share_the_next(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    async with held_up(express, pool) as held:
        others = [asyncio.create_task(express.submit(Item(number))) for number in range(2, 2 * SIZE + 1)]
        await asyncio.sleep(0)
    answers = [answer.transaction for answer in await asyncio.gather(held.first, *others)]
    sizes = [answers.count(transaction) for transaction in dict.fromkeys(answers)]
    assert sizes == [1, SIZE, SIZE - 1]
    assert await stored(pool) == list(range(2 * SIZE + 1))


async def test_of_a_long_queue_more_leave_together(express: Express[Item, Written], pool: AsyncConnectionPool) -> None:
    async with held_up(express, pool) as held:
        others = [asyncio.create_task(express.submit(Item(number))) for number in range(2, 402)]
        await asyncio.sleep(0)
    answers = [answer.transaction for answer in await asyncio.gather(held.first, *others)]
    sizes = [answers.count(transaction) for transaction in dict.fromkeys(answers)]
    assert sizes[:5] == [1, 64, 64, 64, 52], "of 400, 336, 272 and 208"
    assert sizes[-1] <= SIZE


async def test_who_submits_the_moment_an_answer_comes_is_written_too(express: Express[Item, Written]) -> None:
    async def keep_on(first: int) -> None:
        for number in range(first, first + 20):
            await express.submit(Item(number))

    await asyncio.gather(*(keep_on(first) for first in range(0, 800, 20)))


async def test_a_bad_item_fails_alone(express: Express[Item, Written], pool: AsyncConnectionPool) -> None:
    items = [Item(number) for number in (1, 2, -1, 3, 1)]
    answers = await asyncio.gather(*map(express.submit, items), return_exceptions=True)
    assert isinstance(answers[2], psycopg.errors.CheckViolation)
    assert isinstance(answers[4], psycopg.errors.UniqueViolation)
    assert await stored(pool) == [1, 2, 3]


async def test_what_fails_only_when_it_is_committed_is_not_taken_for_stored(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    answers = await asyncio.gather(*map(express.submit, [Item(1), Item(2, late=99), Item(3)]), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Written, psycopg.errors.ForeignKeyViolation, Written]
    assert await stored(pool) == [1, 3]


async def test_more_than_the_network_takes_at_once_goes_bit_by_bit(express: Express[Item, Written]) -> None:
    load = "x" * 1_000_000
    answers = await asyncio.gather(*(express.submit(Item(number, load=load)) for number in range(SIZE + 1)))
    assert all(answer.load == load for answer in answers)


async def test_an_item_that_cannot_be_encoded_fails_alone(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    await express.submit(Item(0))
    answers = await asyncio.gather(
        *map(express.submit, [Item(1), Item(2, load=object()), Item(3)]), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Written, TypeError, Written]
    assert await stored(pool) == [0, 1, 3]


async def test_an_answer_that_cannot_be_read_is_told(database_url: str, pool: AsyncConnectionPool) -> None:
    def broken(items: Sequence[Item], rows: list[Row]) -> list[Written]:
        raise KeyError(items[0].id)

    async with pool.connection() as connection:
        await connection.execute(TABLE)
    async with asyncio.timeout(30), express_over(database_url, pool, told=broken) as made:
        for number in (1, 2):
            with pytest.raises(KeyError):
                await made.submit(Item(number))


async def test_of_what_was_under_way_when_the_connection_went_nobody_knows(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    async with held_up(express, pool) as held:
        second = asyncio.create_task(express.submit(Item(2)))
        await asyncio.sleep(0)
        await held.connection.execute("select pg_terminate_backend(%s)", [held.backend])
        with pytest.raises(CommitUnknown) as caught:
            await held.first
    assert caught.value.backend == held.backend
    await second
    assert await stored(pool) == [0, 2], "who waited goes with another connection"


async def test_a_connection_that_goes_while_nothing_is_under_way_is_nobodys_loss(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    await express.submit(Item(0))
    async with pool.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'express'"
        )
    await asyncio.sleep(0.1)  # the farewell is heard
    await express.submit(Item(1))
    assert await stored(pool) == [0, 1]


async def test_without_a_connection_nothing_is_stored_for_certain(database_url: str, pool: AsyncConnectionPool) -> None:
    async with (
        open_pool(database_url, size=1, name="away", patience_seconds=0.3, autocommit=True) as own,
        GroupCommit[Item, Written](pool, one_by_one) as otherwise,
    ):
        away = Express[Item, Written](own, STATEMENT, values=values, told=told, otherwise=otherwise)
        async with own.connection():
            answers = await asyncio.gather(*map(away.submit, [Item(0), Item(1)]), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ConnectionLost] * 2
        await away.aclose()


async def test_a_pool_in_whose_connections_nothing_is_committed_takes_nothing(
    database_url: str, pool: AsyncConnectionPool
) -> None:
    async with (
        open_pool(database_url, size=1, name="no autocommit") as own,
        GroupCommit[Item, Written](pool, one_by_one) as otherwise,
    ):
        wrong = Express[Item, Written](own, STATEMENT, values=values, told=told, otherwise=otherwise)
        for number in (0, 1):  # and nobody is left waiting
            with pytest.raises(ConnectionLost):
                await asyncio.wait_for(wrong.submit(Item(number)), 30)
        await wrong.aclose()


async def test_an_answer_of_the_wrong_length_leaves_nobody_waiting(
    database_url: str, pool: AsyncConnectionPool
) -> None:
    async with pool.connection() as connection:
        await connection.execute(TABLE)
    async with (
        asyncio.timeout(30),
        express_over(database_url, pool, told=lambda items, rows: told(items, rows)[:1]) as made,
    ):
        answers = await asyncio.gather(*(made.submit(Item(number)) for number in range(4)), return_exceptions=True)
    # All left together, for the connection had to be opened first.
    assert [type(answer) for answer in answers] == [Written, *[ValueError] * 3]


async def test_who_gives_up_holds_nobody_up(express: Express[Item, Written], pool: AsyncConnectionPool) -> None:
    async with held_up(express, pool) as held:
        second, third = (asyncio.create_task(express.submit(Item(number))) for number in (2, 3))
        await asyncio.sleep(0)
        held.first.cancel()
        second.cancel()
    await third
    assert set(await stored(pool)) >= {0, 1, 3}


async def test_closing_answers_all_and_takes_nothing_new(
    express: Express[Item, Written], pool: AsyncConnectionPool
) -> None:
    submitted = [asyncio.create_task(express.submit(Item(number))) for number in range(3 * SIZE)]
    await asyncio.sleep(0)
    await express.aclose()
    assert all(task.done() for task in submitted)
    with pytest.raises(RuntimeError, match="closed"):
        await express.submit(Item(1000))
    assert await stored(pool) == list(range(3 * SIZE))
