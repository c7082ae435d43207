"""When keys were last used: noted in memory, and written beside the requests at most once a minute for each."""

import asyncio
import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from core.database.pool import single
from core.database.queries import queries

EVERY_SECONDS = 60.0
"""How often the use of one key is written by one process; what is shown may be so old."""


class Uses:
    """The uses of keys in one process. A process that is killed forgets the last minute of them."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], *, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._sql = queries("core.tenants", "keys.sql")
        self._used: dict[UUID, float] = {}
        self._written: dict[UUID, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, key_id: UUID) -> None:
        """A key is used now; returns at once."""
        self._used[key_id] = self._clock()
        self._write_at(self._due(key_id))

    async def aclose(self) -> None:
        """Write what is noted, whenever it was last written."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*self._tasks)
        await self._write(dict(self._used))

    def _due(self, key_id: UUID) -> float:
        return self._written.get(key_id, -EVERY_SECONDS) + EVERY_SECONDS

    def _write_at(self, moment: float) -> None:
        """Have something written then, unless a write comes sooner."""
        if moment >= self._due_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = moment
        self._timer = asyncio.get_running_loop().call_later(max(moment - self._clock(), 0.0), self._start)

    def _start(self) -> None:
        self._timer, self._due_at = None, math.inf
        now = self._clock()
        due = {key_id: at for key_id, at in self._used.items() if self._due(key_id) <= now}
        self._written = {key_id: at for key_id, at in self._written.items() if now - at < EVERY_SECONDS}
        self._written |= dict.fromkeys(due, now)
        task = asyncio.create_task(self._write(due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if later := self._used.keys() - due.keys():
            self._write_at(min(map(self._due, later)))

    async def _write(self, used: dict[UUID, float]) -> None:
        if not used:
            return
        for key_id in used:
            self._used.pop(key_id, None)
        now = self._clock()
        values = {"ids": list(used), "agos": [now - at for at in used.values()]}
        try:
            async with single(self._pool) as connection:
                await connection.execute(self._sql["note_uses"], values)
        except (psycopg.OperationalError, PoolTimeout, PoolClosed) as error:
            # The next use of each is written again in a minute, with these.
            self._used = used | self._used
            structlog.get_logger().warning("uses_not_written", reason=type(error).__name__)
