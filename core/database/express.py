"""The express: one statement, sent again and again over a connection of its own with all that has come meanwhile."""

import asyncio
import contextvars
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, LiteralString, TypeVar

import structlog
from psycopg import AsyncConnection
from psycopg import Error as PostgresError
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg_pool import AsyncConnectionPool

from core.database.group import LOST, CommitUnknown, ConnectionLost, Entry, GroupCommit

T = TypeVar("T")
R = TypeVar("R")

Row = tuple[str | None, ...]
"""A row of an answer, as PostgreSQL writes its values."""

_NAME = b"express"
_PLACE = re.compile(r"%\((\w+)\)s")


class Express(Generic[T, R]):
    """Writes what concurrent callers submit by one statement, which is a transaction of its own.

    A lone item is sent at once, with those that come in the same turn of the loop; what comes while the statement is
    under way goes with the next, which leaves in the very moment in which the answer comes in. Where many callers are
    served, a coroutine that waits for PostgreSQL has its turn only after all of theirs, and PostgreSQL would have
    nothing to do meanwhile: so none stands between.

    `statement` has named parameters; `values` gives them for some items, as text. `told` makes of the answer's rows a
    result for each item, in their order. What PostgreSQL refuses is not stored: those items are handed over to
    `otherwise`, which finds out whose fault it is. `pool` is for this alone, with connections in autocommit.

    `size` leave together, or a quarter of those who wait, up to `most`. Were all of a crowd to leave together, they
    would be answered and come again together, and PostgreSQL would wait for them in between.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        statement: LiteralString,
        *,
        values: Callable[[Sequence[T]], dict[str, bytes]],
        told: Callable[[Sequence[T], list[Row]], Sequence[R]],
        otherwise: GroupCommit[T, R],
        size: int = 12,
        most: int = 64,
    ) -> None:
        self._pool = pool
        self._names = list(dict.fromkeys(_PLACE.findall(statement)))
        numbered = _PLACE.sub(lambda found: f"${self._names.index(found[1]) + 1}", statement)
        self._prepare = b"prepare " + _NAME + b" as " + numbered.encode()
        self._values = values
        self._told = told
        self._otherwise = otherwise
        self._size, self._most = size, most
        self._waiting: deque[Entry[T, R]] = deque()
        self._group: list[Entry[T, R]] = []
        self._connection: AsyncConnection | None = None
        # Of a connection that is lost neither can be asked any more.
        self._socket = self._backend = 0
        self._answer: PGresult | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = False
        self._closed = False
        self._log = structlog.get_logger(__name__)

    async def submit(self, item: T) -> R:
        """Write the item; the result is given when it is on disk. Raises as `GroupCommit.submit` does."""
        if self._closed:
            raise RuntimeError("This express takes nothing any more: it was closed.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append(Entry(item=item, answer=answer))
        if not self._group:
            loop.call_soon(self._depart)
        return await answer

    async def aclose(self) -> None:
        """Take nothing new, answer all that was submitted, and give the connection back."""
        self._closed = True
        while self._tasks or self._group or self._waiting:
            answers = [entry.answer for entry in (*self._group, *self._waiting)]
            await asyncio.gather(*self._tasks, *answers, return_exceptions=True)
        if (connection := self._detached()) is not None:
            await self._dispose(connection)

    def _depart(self) -> None:
        """Send what waits, if nothing is under way."""
        if self._group or self._opening or not self._waiting:
            return
        if self._connection is None:
            self._opening = True
            self._in_background(self._open())
            return
        waiting = len(self._waiting)
        count = min(waiting, max(self._size, min(waiting // 4, self._most)))
        self._group = [self._waiting.popleft() for _ in range(count)]
        try:
            values = self._values([entry.item for entry in self._group])
        except Exception:  # noqa: BLE001 - whose fault it is shows when each is tried by itself
            self._log.exception("not_encoded")
            self._hand_over()
            return
        connection = self._connection.pgconn
        try:
            connection.send_query_prepared(_NAME, [values[name] for name in self._names])
        except PostgresError as error:
            self._lose(error)
        else:
            self._flush(connection)

    def _flush(self, connection: PGconn) -> None:
        """Hand over to the network what it takes; the rest when it takes more."""
        loop = asyncio.get_running_loop()
        try:
            more = connection.flush()
        except PostgresError as error:
            self._lose(error)
            return
        if more:
            loop.add_writer(self._socket, self._flush, connection)
        else:
            loop.remove_writer(self._socket)

    def _readable(self) -> None:
        """There is something to read: some of an answer, or the connection's end."""
        if self._connection is None:
            return
        connection = self._connection.pgconn
        try:
            connection.consume_input()
            while not connection.is_busy() and (part := connection.get_result()) is not None:
                self._answer = part
        except PostgresError as error:
            self._lose(error)
            return
        if connection.status == ConnStatus.BAD:
            self._lose(ConnectionError(connection.get_error_message()))
        elif self._answer is not None and not connection.is_busy():
            # There is no more to come of it: only now it is committed.
            self._arrive(self._answer)

    def _arrive(self, answer: PGresult) -> None:
        self._answer = None
        if answer.status != ExecStatus.TUPLES_OK:
            state = (answer.error_field(DiagnosticField.SQLSTATE) or b"").decode()
            if state.startswith(LOST):
                self._lose(ConnectionError(answer.get_error_message()))
            else:
                self._hand_over()
            return
        group, self._group = self._group, []
        # First the next, so that PostgreSQL goes on while this is looked at.
        self._depart()
        try:
            results = self._told([entry.item for entry in group], _rows(answer))
            for entry, result in zip(group, results, strict=True):
                entry.give(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            for entry in group:
                entry.fail(error)

    def _hand_over(self) -> None:
        """None of these is stored: each has its error found out, and its answer, by other means."""
        group, self._group = self._group, []
        for entry in group:
            self._in_background(self._elsewhere(entry))
        asyncio.get_running_loop().call_soon(self._depart)

    async def _elsewhere(self, entry: Entry[T, R]) -> None:
        try:
            entry.give(await self._otherwise.submit(entry.item))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is its caller's
            entry.fail(error)

    def _lose(self, error: Exception) -> None:
        """The connection is gone: nobody knows what became of the group, and who waits goes with another one."""
        group, self._group = self._group, []
        self._answer = None
        connection = self._detached()
        for entry in group:
            unknown = CommitUnknown(str(error), backend=self._backend)
            unknown.__cause__ = error
            entry.fail(unknown)
        if connection is not None:
            self._in_background(self._dispose(connection))
        self._depart()

    async def _dispose(self, connection: AsyncConnection) -> None:
        await connection.close()
        await self._pool.putconn(connection)

    async def _open(self) -> None:
        """Get a connection, and prepare the statement on it; without one, nothing that waits is stored."""
        try:
            connection = await self._pool.getconn()
            try:
                # Otherwise nothing would ever be committed.
                assert connection.autocommit
                await connection.execute(self._prepare, prepare=False)
            except Exception:
                await self._dispose(connection)
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent
            while self._waiting:
                lost = ConnectionLost(str(error))
                lost.__cause__ = error
                self._waiting.popleft().fail(lost)
            return
        finally:
            self._opening = False
        self._connection, self._backend = connection, connection.info.backend_pid
        self._socket = connection.pgconn.socket
        asyncio.get_running_loop().add_reader(self._socket, self._readable)
        self._depart()

    def _detached(self) -> AsyncConnection | None:
        """The connection, which is nobody's now."""
        connection, self._connection = self._connection, None
        if connection is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
        return connection

    def _in_background(self, work: Any) -> None:
        # A context of its own: what is logged there belongs to no single caller.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _rows(answer: PGresult) -> list[Row]:
    columns = range(answer.nfields)
    return [
        tuple([value.decode() if (value := answer.get_value(row, column)) is not None else None for column in columns])
        for row in range(answer.ntuples)
    ]
