"""How teams stand: their accounts, read for whoever asks at the same time, and remembered as they were read last."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.lookup import GroupLookup
from core.database.pool import single
from core.database.queries import queries
from core.post import Account

MOST = 1000
"""Of how many teams it is remembered how they stood."""

Team = tuple[UUID, UUID]
"""A team, named with its organization."""


class Standing(msgspec.Struct, frozen=True):
    """The connected accounts of a team, and the stamp that they have for as long as none of them changes."""

    accounts: tuple[Account, ...] = ()
    stamp: int = 0


class Standings:
    """Reads how teams stand. What is remembered may have changed since: whoever relies on it has its stamp compared."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.accounts")
        self._lookup = GroupLookup(self._read)
        self._last: dict[Team, Standing] = {}

    async def of(self, organization_id: UUID, team_id: UUID) -> Standing:
        """How a team stands at this moment."""
        team = (organization_id, team_id)
        standing = await self._lookup.get(team) or Standing()
        self._last.pop(team, None)
        if standing.accounts:
            if len(self._last) >= MOST:
                del self._last[next(iter(self._last))]
            self._last[team] = standing
        return standing

    def last(self, organization_id: UUID, team_id: UUID) -> Standing | None:
        """How a team with accounts stood when it was read last, if that is remembered."""
        return self._last.get((organization_id, team_id))

    async def _read(self, teams: Collection[Team]) -> dict[Team, Standing]:
        values = {"organizations": [team[0] for team in teams], "teams": [team[1] for team in teams]}
        accounts: dict[Team, list[Account]] = defaultdict(list)
        stamps: dict[Team, int] = defaultdict(int)
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_teams"], values)
            async for row in cursor:
                team = row.pop("organization_id"), row.pop("team_id")
                stamps[team] ^= row.pop("stamp")
                accounts[team].append(msgspec.convert(row, Account))
        return {team: Standing(tuple(found), stamps[team]) for team, found in accounts.items()}
