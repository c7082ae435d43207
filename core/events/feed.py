"""The feed: everything that happened, to be read from where one stands, nothing passed over and nothing twice."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.tenants.callers import WHOLE, Reach

_SPELLED = re.compile(r"([0-9]{1,19})-([0-9]{1,18})")


class Cursor(msgspec.Struct, frozen=True):
    """Where a reader stands: behind an event, by the transaction that wrote it and its place there."""

    transaction_id: str = "0"
    number: int = 0

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.number}"


BEGINNING = Cursor()
"""Before everything that is kept."""


def parse_cursor(text: str) -> Cursor | None:
    """The cursor that a text spells, or None."""
    match = _SPELLED.fullmatch(text)
    return Cursor(match[1], int(match[2])) if match else None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the feed tells of it. `previous_sequence` is that of the last one of its subject in this feed."""

    id: UUID
    organization_id: UUID
    team_id: UUID | None
    type: str
    version: int
    subject: UUID
    sequence: int
    previous_sequence: int | None
    data: dict[str, Any]
    created_at: datetime
    transaction_id: str
    number: int

    @property
    def cursor(self) -> Cursor:
        """Where one stands who has read it."""
        return Cursor(self.transaction_id, self.number)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader wants to hear of; empty lists stand for everything."""

    types: Sequence[str] = ()
    platforms: Sequence[str] = ()
    team_id: UUID | None = None


class Feed:
    """The events of one database, for those who come and ask.

    A transaction is told of only when every one that began before it has ended (PostgreSQL 9.13.5, `xmin`): so what
    was committed late is not passed over, and one that stays open holds the feed up, not the events.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.events")

    async def read(
        self, organization_id: UUID, after: Cursor, limit: int, *, wanted: Wanted | None = None, within: Reach = WHOLE
    ) -> list[Told]:
        """Up to `limit` events behind the cursor that the reader wants and may see, in the order of transactions."""
        wanted = wanted or Wanted()
        teams = within.values["teams"]
        if wanted.team_id is not None:
            teams = [wanted.team_id] if within.has_team(wanted.team_id) else []
        values = {
            "organization_id": organization_id,
            "transaction_id": after.transaction_id,
            "number": after.number,
            "limit": limit,
            "types": list(wanted.types) or None,
            "platforms": list(wanted.platforms) or None,
            "teams": teams,
        }
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["feed"], values)
            return [msgspec.convert(row, Told) async for row in cursor]

    async def now(self) -> Cursor:
        """Where the feed stands: who begins here is told of everything that ends from now on."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["now"])).fetchone()
        assert row is not None
        return Cursor(row[0])
