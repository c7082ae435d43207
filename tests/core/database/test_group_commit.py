"""Concurrent writes share transactions, and nobody pays for another one's fault."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from core.database.group import CommitUnknown, ConnectionLost, GroupCommit
from core.database.pool import open_pool

TABLE = """
create table item (
    id int primary key check (id >= 0),
    late int references item (id) deferrable initially deferred
)
"""


class Writer:
    """Inserts numbers; what comes back for each is the id of its transaction."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.inside = 0
        self.crowd = 0

    async def __call__(self, connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        self.groups.append(list(items))
        self.inside += 1
        self.entered.set()
        if self.inside == self.crowd:
            self.open.set()
        try:
            await self.open.wait()
            await connection.execute("insert into item (id) select unnest(%s::int[])", [list(items)])
            row = await (await connection.execute("select pg_current_xact_id()::text::int")).fetchone()
        finally:
            self.inside -= 1
        assert row is not None
        return [row[0]] * len(items)


@pytest.fixture
async def table(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as connection:
        await connection.execute(TABLE)


pytestmark = pytest.mark.usefixtures("table")


async def stored(pool: AsyncConnectionPool) -> list[int]:
    async with pool.connection() as connection:
        rows = await (await connection.execute("select id from item order by id")).fetchall()
    return [row[0] for row in rows]


async def submit_while_shut(
    group: GroupCommit[int, int], writer: Writer, first: int, others: Sequence[int]
) -> list[int | BaseException]:
    """Submit the first, and the others while its transaction is under way."""
    writer.open.clear()
    writer.entered.clear()
    alone = asyncio.create_task(group.submit(first))
    await writer.entered.wait()
    together = [asyncio.create_task(group.submit(item)) for item in others]
    await asyncio.sleep(0)
    writer.open.set()
    return await asyncio.gather(alone, *together, return_exceptions=True)


async def test_newcomers_share_the_next_transaction(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    async with GroupCommit(pool, writer) as group:
        answers = await submit_while_shut(group, writer, 0, range(1, 41))
    assert len(set(answers[1:])) == 1
    assert len(set(answers)) == 2
    assert await stored(pool) == list(range(41))


async def test_those_who_come_at_the_same_moment_share_the_first(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    async with GroupCommit(pool, writer, writers=4) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in range(10)))
    assert len(set(answers)) == 1


async def test_a_lone_item_does_not_wait_for_company(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    async with GroupCommit(pool, writer) as group:
        before = pool.get_stats()["requests_num"]
        alone = asyncio.create_task(group.submit(1))
        for _ in range(3):  # turns of the loop, in which no timer of any length could run out
            await asyncio.sleep(0)
        assert pool.get_stats()["requests_num"] == before + 1
        await alone
    assert writer.groups == [[1]]


async def test_who_submits_the_moment_an_answer_comes_is_written_too(pool: AsyncConnectionPool) -> None:
    async with GroupCommit(pool, Writer()) as group:
        async with asyncio.timeout(30):
            for number in range(50):
                await group.submit(number)
    assert await stored(pool) == list(range(50))


async def test_nobody_is_forgotten_in_a_crowd(pool: AsyncConnectionPool) -> None:
    async def keep_on(group: GroupCommit[int, int], first: int) -> None:
        for item in range(first, first + 10):
            await group.submit(item)

    async with asyncio.timeout(30), GroupCommit(pool, Writer(), size=5, writers=2) as group:
        await asyncio.gather(*(keep_on(group, first) for first in range(0, 300, 10)))
    assert await stored(pool) == list(range(300))


async def test_a_group_has_its_size(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    async with GroupCommit(pool, writer, size=4) as group:
        await submit_while_shut(group, writer, 0, range(1, 11))
    assert [len(items) for items in writer.groups] == [1, 4, 4, 2]


async def test_several_writers_have_transactions_open_at_once(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    writer.open.clear()
    writer.crowd = 3  # it opens when so many are inside
    async with asyncio.timeout(10), GroupCommit(pool, writer, size=1, writers=3) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in range(5)))
    assert len(set(answers)) == 5


async def test_a_bad_item_fails_alone(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    async with GroupCommit(pool, writer) as group:
        answers = await submit_while_shut(group, writer, 5, [1, 2, 3, -1, 4, 5, 6, 7])
    assert isinstance(answers[4], psycopg.errors.CheckViolation)
    assert isinstance(answers[6], psycopg.errors.UniqueViolation)
    assert [index for index, answer in enumerate(answers) if isinstance(answer, BaseException)] == [4, 6]
    assert await stored(pool) == [1, 2, 3, 4, 5, 6, 7]


async def test_an_item_that_fails_at_commit_fails_alone(pool: AsyncConnectionPool) -> None:
    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        for item in items:
            await connection.execute("insert into item values (%s, %s)", [item, 99 if item == 3 else None])
        return items

    async with GroupCommit(pool, write) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in range(6)), return_exceptions=True)
    assert isinstance(answers.pop(3), psycopg.errors.ForeignKeyViolation)
    assert answers == [0, 1, 2, 4, 5]
    assert await stored(pool) == [0, 1, 2, 4, 5]


async def test_an_exception_of_ours_is_told_to_its_own_caller(pool: AsyncConnectionPool) -> None:
    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        if 2 in items:
            raise LookupError("two")
        return items

    async with GroupCommit(pool, write) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in range(4)), return_exceptions=True)
    assert isinstance(answers.pop(2), LookupError)
    assert answers == [0, 1, 3]


async def test_an_error_that_was_passed_over_is_never_called_stored(pool: AsyncConnectionPool) -> None:
    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        for item in items:
            try:
                await connection.execute("insert into item (id) values (%s)", [item])
            except psycopg.Error:
                continue
        return items

    async with GroupCommit(pool, write) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in (1, -1, 2)), return_exceptions=True)
    assert isinstance(answers[1], psycopg.errors.InFailedSqlTransaction)
    assert [answers[0], answers[2]] == [1, 2]
    assert await stored(pool) == [1, 2]


async def test_too_few_results_are_not_stored(pool: AsyncConnectionPool) -> None:
    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        await connection.execute("insert into item (id) select unnest(%s::int[])", [list(items)])
        return []

    async with GroupCommit(pool, write) as group:
        with pytest.raises(ValueError, match="1 items were written and 0 results"):
            await group.submit(1)
    assert await stored(pool) == []


async def test_what_postgresql_broke_off_is_tried_again(pool: AsyncConnectionPool) -> None:
    attempts = 0

    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            await connection.execute("do $$ begin raise sqlstate '40P01'; end $$")
        return items

    async with GroupCommit(pool, write) as group:
        assert await group.submit(7) == 7
    assert attempts == 3


async def test_a_caller_that_goes_away_takes_nobody_along(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    writer.open.clear()
    async with GroupCommit(pool, writer) as group:
        first = asyncio.create_task(group.submit(1))
        await writer.entered.wait()
        waiting = [asyncio.create_task(group.submit(item)) for item in (2, 3, 4)]
        await asyncio.sleep(0)
        first.cancel()
        waiting[1].cancel()
        writer.open.set()
        answers = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert isinstance(await group.submit(5), int)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False, True, False]
    assert await stored(pool) == [1, 2, 4, 5]


async def test_closing_answers_all_and_takes_nothing_new(pool: AsyncConnectionPool) -> None:
    writer = Writer()
    writer.open.clear()
    group = GroupCommit(pool, writer, size=2)
    tasks = [asyncio.create_task(group.submit(item)) for item in range(5)]
    await writer.entered.wait()
    closing = asyncio.create_task(group.aclose())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        await group.submit(9)
    writer.open.set()
    await closing
    assert all(task.done() for task in tasks)
    assert await stored(pool) == [0, 1, 2, 3, 4]


async def test_a_connection_lost_before_commit_is_told_to_all_as_not_stored(
    pool: AsyncConnectionPool, database_url: str
) -> None:
    writer = Writer()

    async def write(connection: AsyncConnection, items: Sequence[int]) -> Sequence[int]:
        answers = await writer(connection, items)
        if 1 in items:
            async with await AsyncConnection.connect(database_url, autocommit=True) as other:
                await other.execute("select pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
            await connection.execute("select 1")
        return answers

    async with GroupCommit(pool, write) as group:
        answers = await asyncio.gather(*(group.submit(item) for item in (1, 2, 3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ConnectionLost] * 3
        assert len({id(answer) for answer in answers}) == 3
        assert isinstance(await group.submit(4), int)
    assert writer.groups == [[1, 2, 3], [4]]
    assert await stored(pool) == [4]


async def test_a_connection_lost_after_commit_was_sent_is_told_as_unknown(
    pool: AsyncConnectionPool, database_url: str
) -> None:
    writer = Writer()
    async with (
        cut_after_commit(database_url) as url,
        open_pool(url, size=1, name="cut") as cut,
        GroupCommit(cut, writer) as group,
    ):
        answers = await asyncio.gather(*(group.submit(item) for item in (1, 2, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [CommitUnknown] * 3
    assert writer.groups == [[1, 2, 3]]
    assert await stored(pool) == [1, 2, 3]


async def test_without_a_database_nothing_is_stored_for_certain(database_url: str) -> None:
    async with (
        open_pool(database_url, size=1, name="away", patience_seconds=0.2) as away,
        away.connection(),
        GroupCommit(away, Writer()) as group,
    ):
        with pytest.raises(ConnectionLost, match="couldn't get a connection"):
            await group.submit(1)


@asynccontextmanager
async def cut_after_commit(url: str) -> AsyncIterator[str]:
    """A way to the same database that hands the COMMIT of an insert on, and then breaks without its answer."""
    target = conninfo_to_dict(url)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = str(target.get("host", "127.0.0.1")), int(target.get("port") or 5432)
        if host.startswith("/"):
            back, forth = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            back, forth = await asyncio.open_connection(host, port)
        wrote = committed = False

        async def answers() -> None:
            while data := await back.read(65536):
                if not committed:
                    writer.write(data)
            forth.close()

        task = asyncio.create_task(answers())
        tasks.add(task)
        while not committed and (data := await reader.read(65536)):
            wrote = wrote or b"insert into item" in data
            committed = wrote and b"COMMIT" in data
            forth.write(data)
        try:
            if committed:
                await wait_for_row(url)
        finally:
            writer.close()
            forth.close()

    with tempfile.TemporaryDirectory(prefix="fp-", dir="/tmp") as folder:
        async with await asyncio.start_unix_server(serve, Path(folder) / ".s.PGSQL.5432"):
            yield make_conninfo(url, host=folder, port=5432, sslmode="disable", gssencmode="disable")
            await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for_row(url: str) -> None:
    """Until the server has carried the COMMIT out."""
    async with asyncio.timeout(10), await AsyncConnection.connect(url, autocommit=True) as other:
        while not await (await other.execute("select 1 from item")).fetchone():
            await other.execute("select pg_sleep(0.005)")
