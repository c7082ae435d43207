"""Retention: events, and the messages and tries that came of them, are forgotten after a while."""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.queries import queries

BATCH = 2_000
"""How many events are forgotten in one sweep."""


class Retention:
    """Forgets what is older than `days`; several at once do no harm."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], *, days: float) -> None:
        self._pool = pool
        self._days = days
        self._sql = queries("core.events")

    async def sweep(self) -> int:
        """Forget a batch of what is too old; answers how many events that were."""
        values = {"days": self._days, "limit": BATCH}
        async with self._pool.connection() as connection:
            ids = [row[0] async for row in await connection.execute(self._sql["forget"], values)]
            if ids:
                await connection.execute(self._sql["delete"], {"ids": ids})
        return len(ids)
