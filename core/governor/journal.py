"""The journal: what of the log outlives Redis, written to PostgreSQL by every process every few seconds."""

import asyncio
from collections import Counter
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.clock import elapsed
from core.database.pool import single
from core.database.queries import queries
from core.governor.asks import Window
from core.ids import new_id

BEAT_SECONDS = 5.0
"""How often a process writes what it has spent."""

GRACE_SECONDS = 15.0
"""How long after a loss the long windows stay shut: by then every process that lives has written its journal."""

LIVE_SECONDS = 15.0
"""A process that has not written for so long is not counted as live."""

NOTED_SECONDS = 2 * BEAT_SECONDS
"""An allowance that rested for so long is noted anew before it is used again."""

KEPT_SECONDS = 3600.0
"""How long it is remembered when an allowance was used last: longer than any short window and any call."""


class Journal:
    """One process's part of the journal, and questions about all of it. `worker` says whether it publishes."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], *, worker: bool) -> None:
        self.id = new_id()
        self.redis_seen_at: float | None = None
        self._pool = pool
        self._worker = worker
        self._sql = queries("core.governor")
        self._used_at: dict[str, float] = {}
        self._noted: frozenset[str] = frozenset()
        self._spent: Counter[tuple[str, float]] = Counter()
        self._beating = asyncio.Lock()

    async def use(self, app: str) -> None:
        """Take note, before the first call is made, that the allowance of an app is being used."""
        self._used_at[app] = elapsed()
        if app not in self._noted:
            await self.beat()

    def spend(self, app: str, windows: tuple[Window, ...]) -> None:
        """A call has ended; it counts for the long ones of its windows."""
        for window in windows:
            if window.long:
                self._spent[_name(app, window), window.seconds] += 1

    async def beat(self) -> None:
        """Write what is new. What could not be written is kept for the next time."""
        # One after the other: an older beat that was written last would hide an app that a newer one has noted.
        async with self._beating:
            await self._beat()

    async def _beat(self) -> None:
        start = elapsed()
        ages = {app: elapsed() - at for app, at in self._used_at.items() if elapsed() - at < KEPT_SECONDS}
        ago = None if self.redis_seen_at is None else elapsed() - self.redis_seen_at
        values = {"id": self.id, "worker": self._worker, "apps": Jsonb(ages), "redis_ago": ago}
        spent, self._spent = self._spent, Counter()
        uses = [{"name": name, "seconds": seconds, "calls": calls} for (name, seconds), calls in spent.items()]
        try:
            async with self._pool.connection() as connection:
                await connection.execute(self._sql["beat"], values)
                if uses:
                    await connection.execute(self._sql["spent"], {"uses": Jsonb(uses)})
        except BaseException:
            self._spent += spent
            raise
        self._used_at = {app: at for app, at in self._used_at.items() if app in ages or at >= start}
        self._noted = frozenset(app for app, age in ages.items() if age < NOTED_SECONDS)

    async def uses(self, app: str, window: Window) -> list[tuple[str, float, int]]:
        """What all processes have spent of a window: an id, the age in seconds, and the calls."""
        async with single(self._pool) as connection:
            cursor = await connection.execute(self._sql["uses"], {"name": _name(app, window)})
            return [(row[0], max(row[1], 0.0), row[2]) async for row in cursor]

    async def used_ago(self, app: str) -> float | None:
        """How many seconds ago anybody may have used the allowance of an app; None where nobody has, for long.

        A process that had used it shortly before it wrote may have done so after, until it was to write again.
        """
        async with single(self._pool) as connection:
            values = {"app": app, "noted": NOTED_SECONDS, "after": LIVE_SECONDS}
            row = await (await connection.execute(self._sql["used_ago"], values)).fetchone()
            return row[0] if row else None

    async def peers(self) -> tuple[int, bool]:
        """How many workers live, and whether Redis answers any process but this one."""
        async with single(self._pool) as connection:
            values = {"id": self.id, "within": LIVE_SECONDS}
            row = await (await connection.execute(self._sql["peers"], values)).fetchone()
            assert row is not None
            return row[0], row[1]

    async def forget(self) -> None:
        """Delete what counts no more."""
        async with single(self._pool) as connection:
            await connection.execute(self._sql["forget"])

    async def leave(self) -> None:
        """Write the rest, and tell that this process goes."""
        await self.beat()
        async with single(self._pool) as connection:
            await connection.execute(self._sql["leave"], {"id": self.id})


def _name(app: str, window: Window) -> str:
    return f"{app}:{window.name}"
