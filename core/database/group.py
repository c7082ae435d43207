"""Group commit: what is submitted at the same time is written in one transaction."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
from psycopg import AsyncConnection, Error
from psycopg.errors import InFailedSqlTransaction
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from core.database.pool import single
from core.errors import FingerpostError

T = TypeVar("T")
R = TypeVar("R")
AGAIN = ("40",)
"""The SQLSTATE class of deadlocks and serialization failures: the same again may well succeed."""
TRIES = 3
LOST = ("08", "57P")
"""The SQLSTATEs of a connection that ends: class 08, and the server's own farewells."""


class ConnectionLost(FingerpostError):
    """The database went away before COMMIT was sent: the item is certainly not stored."""

    code = "database_lost"

    def again(self) -> "ConnectionLost":
        """The same for another caller."""
        own = ConnectionLost(self.message)
        own.__cause__ = self.__cause__
        return own


class CommitUnknown(FingerpostError):
    """The database went away after COMMIT was sent: the item may be stored or not. Look it up before answering.

    `backend` is the server's process that may still be writing it.
    """

    code = "commit_unknown"

    def __init__(self, message: str, *, backend: int) -> None:
        super().__init__(message)
        self.backend = backend

    def again(self) -> "CommitUnknown":
        """The same for another caller."""
        own = CommitUnknown(self.message, backend=self.backend)
        own.__cause__ = self.__cause__
        return own


class Entry(msgspec.Struct, Generic[T, R], frozen=True, kw_only=True):
    """What a caller submitted, and where the answer is waited for, unless the caller has gone."""

    item: T
    answer: asyncio.Future[R]

    def give(self, result: R) -> None:
        """Answer."""
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell what stood against it."""
        if not self.answer.done():
            self.answer.set_exception(error)


class GroupCommit(Generic[T, R]):
    """Writes what concurrent callers submit in shared transactions.

    A lone item is written at once. While `writers` transactions are under way newcomers collect, up to `size` of
    them go into the next one. `write` gets a connection in a transaction and the items, and answers a result for
    each in their order; it must touch nothing but that connection, for it is called again with fewer items when
    one of them fails, so that only its own caller gets the error. Without `transaction` each of its statements is one
    by itself, which spares two round trips; what it has begun by one must then not need another. What fails with an
    SQLSTATE that begins with one of `again` is tried again as it is.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        write: Callable[[AsyncConnection, Sequence[T]], Awaitable[Sequence[R]]],
        *,
        size: int = 64,
        writers: int = 1,
        transaction: bool = True,
        again: tuple[str, ...] = AGAIN,
    ) -> None:
        self._pool = pool
        self._write = write
        self._transaction = transaction
        self._again = again
        self._size = size
        self._writers = writers
        self._waiting: deque[Entry[T, R]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = 0
        self._summoned = False
        self._closed = False

    async def submit(self, item: T) -> R:
        """Write the item; the result is given when it is on disk.

        Raises what `write` or PostgreSQL says of this item, ConnectionLost when it is certainly not stored, and
        CommitUnknown when nobody can tell. A caller that is cancelled may find its item stored all the same.
        """
        if self._closed:
            raise RuntimeError("This group takes nothing any more: it was closed.")
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(Entry(item=item, answer=answer))
        self._summon()
        return await answer

    async def aclose(self) -> None:
        """Take nothing new, and return when all that was submitted is answered."""
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _summon(self) -> None:
        """Have a writer come, if there is something to write, one is free, and none is on its way."""
        if self._waiting and not self._summoned and self._working < self._writers:
            self._summoned = True
            self._working += 1
            # A context of its own: what is logged here belongs to no single caller.
            task = asyncio.create_task(self._work(), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Write group after group until nobody waits."""
        try:
            while True:
                self._summoned = False
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._size))]
                if not group:
                    return
                self._summon()
                try:
                    await self._settle(group)
                finally:
                    for entry in group:  # those left without an answer, because the loop is being ended
                        entry.answer.cancel()
        finally:
            # In the same step as the look that found nobody: who comes now has to summon a writer.
            self._working -= 1

    async def _settle(self, group: Sequence[Entry[T, R]]) -> None:
        """Answer every entry; when a group fails, each half is tried by itself."""
        group = [entry for entry in group if not entry.answer.done()]
        if not group:
            return
        try:
            results = await self._commit([entry.item for entry in group])
        except (ConnectionLost, CommitUnknown) as error:
            for entry in group:
                entry.fail(error.again())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is its caller's
            if len(group) == 1:
                group[0].fail(error)
                return
            half = len(group) // 2
            await self._settle(group[:half])
            await self._settle(group[half:])
        else:
            for entry, result in zip(group, results, strict=True):
                entry.give(result)

    async def _commit(self, items: Sequence[T]) -> Sequence[R]:
        """One transaction, tried again when PostgreSQL broke it off in favour of another one."""
        tries = 1
        while True:
            try:
                return await (self._transact(items) if self._transaction else self._state(items))
            except Error as error:
                if tries == TRIES or not (error.sqlstate or "").startswith(self._again):
                    raise
            tries += 1

    async def _state(self, items: Sequence[T]) -> Sequence[R]:
        """By statements that are transactions of their own."""
        try:
            async with single(self._pool) as connection:
                backend = connection.info.backend_pid
                try:
                    results = await self._write(connection, items)
                    _check(connection, items, results)
                except Exception as error:
                    if _is_lost(connection, error):
                        raise CommitUnknown(str(error), backend=backend) from error
                    raise
                return results
        except (PoolTimeout, PoolClosed) as error:
            raise ConnectionLost(str(error)) from error

    async def _transact(self, items: Sequence[T]) -> Sequence[R]:
        sent = False
        try:
            async with self._pool.connection() as connection:
                backend = connection.info.backend_pid
                try:
                    results = await self._write(connection, items)
                    _check(connection, items, results)
                    sent = True
                    await connection.commit()
                except Exception as error:
                    if not _is_lost(connection, error):
                        raise
                    if sent:
                        raise CommitUnknown(str(error), backend=backend) from error
                    raise ConnectionLost(str(error)) from error
                return results
        except (PoolTimeout, PoolClosed) as error:
            raise ConnectionLost(str(error)) from error


def _check(connection: AsyncConnection, items: Sequence[Any], results: Sequence[Any]) -> None:
    """Refuse to commit what would not be stored, or could not be told to the callers."""
    if connection.info.transaction_status is TransactionStatus.INERROR:
        # PostgreSQL answers such a COMMIT with a silent rollback.
        raise InFailedSqlTransaction("A statement of the group failed, and its error was passed over.")
    if len(results) != len(items):
        raise ValueError(f"{len(items)} items were written and {len(results)} results came back.")


def _is_lost(connection: AsyncConnection, error: Exception) -> bool:
    """Whether the connection is gone, and not only the statement refused."""
    state = getattr(error, "sqlstate", None) or ""
    return connection.closed or state.startswith(LOST)
