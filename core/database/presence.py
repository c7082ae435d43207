"""Presence: a process is known to be there for as long as its connection to PostgreSQL stands."""

import asyncio
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from core.database.pool import conninfo

KIND = 0x666E6770
"""The first half of the advisory locks that stand for processes; the second is a process's number."""

ASKED_SECONDS = 5.0
"""How often a connection that says nothing is asked whether it stands."""

PAUSE_SECONDS = 1.0
"""How long a database that is away is left alone."""


class Presence:
    """One process's presence: an advisory lock on a connection of its own.

    The kernel closes the connection of a process that dies, whatever it died of, and PostgreSQL lets go of the lock:
    everybody else knows at once, where a lease alone is waited for. `number` is None while there is no such connection.
    A host that vanishes is noticed by the connection's keepalives, so a lease is needed all the same.
    """

    def __init__(self, url: str, *, name: str) -> None:
        self._conninfo = conninfo(url, name=name)
        self._own: int | None = None
        self.number: int | None = None
        self._log = structlog.get_logger(__name__)

    async def keep(self, stop: asyncio.Event) -> None:
        """Be there until `stop` is set; what breaks is opened anew."""
        while not stop.is_set():
            try:
                await self._be_there(stop)
            except (psycopg.OperationalError, TimeoutError) as error:
                self._log.warning("presence_lost", error=str(error).strip())
                await _at_most(stop, PAUSE_SECONDS)

    async def _be_there(self, stop: asyncio.Event) -> None:
        async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            try:
                await self._announce(connection)
                await _until_set_or_broken(stop, connection)
            finally:
                self.number = None

    async def _announce(self, connection: AsyncConnection[Any]) -> None:
        if self._own is None or not await _locked(connection, self._own):
            # The old connection may not have ended yet where the network broke: its number is not ours for now.
            cursor = await connection.execute("select nextval('presences')")
            row = await cursor.fetchone()
            assert row is not None
            self._own = int(row[0])
            await _locked(connection, self._own)
        self.number = self._own


async def _locked(connection: AsyncConnection[Any], number: int) -> bool:
    row = await (await connection.execute("select pg_try_advisory_lock(%s, %s)", (KIND, number))).fetchone()
    return row is not None and bool(row[0])


async def _until_set_or_broken(stop: asyncio.Event, connection: AsyncConnection[Any]) -> None:
    while not stop.is_set():
        await _at_most(stop, ASKED_SECONDS)
        async with asyncio.timeout(ASKED_SECONDS):
            await connection.execute("select")


async def _at_most(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
