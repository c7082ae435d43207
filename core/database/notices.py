"""Notices between processes: PostgreSQL's NOTIFY, sent after the commit and several as one."""

import asyncio
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single

Topic = Literal["deliveries", "webhooks", "tokens"]
"""What may have become due earlier than was known: deliveries, webhooks, or tokens to be renewed."""

_CHANNEL = "fingerpost"


class Notices:
    """Tells the schedulers that there is something to do.

    Inside a transaction NOTIFY makes commits wait for each other; so it goes out by itself, and what is
    told while one is under way goes with the next. A notice that is lost costs time, never a delivery.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._topics: set[Topic] = set()
        self._task: asyncio.Task[None] | None = None

    def tell(self, topic: Topic) -> None:
        """Tell whoever listens; returns at once."""
        self._topics.add(topic)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._topics:
            topics, self._topics = self._topics, set()
            async with single(self._pool) as connection:
                for topic in topics:
                    await connection.execute("select pg_notify(%s, %s)", (_CHANNEL, topic))

    async def aclose(self) -> None:
        """Wait until everything told has been sent."""
        if self._task is not None:
            await asyncio.wait([self._task])


async def heard(connection: AsyncConnection[Any], seconds: float) -> set[str]:
    """The topics told within `seconds`, returning as soon as there is one; the connection listens already."""
    topics: set[str] = set()
    async for notice in connection.notifies(timeout=max(seconds, 0.001), stop_after=1):
        topics.add(notice.payload)
    return topics


async def listen(url: str) -> AsyncConnection[Any]:
    """A connection of its own that hears every notice from now on."""
    connection = await AsyncConnection.connect(url, autocommit=True, application_name="fingerpost listen")
    await connection.execute(f"listen {_CHANNEL}")
    return connection
