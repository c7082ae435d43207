"""The roster: which accounts the teams of an organization have, as far as they are shown."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.posts.rows import AccountRow
from core.tenants.callers import WHOLE, Reach


class Roster:
    """The connected accounts of one database."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.accounts", "roster.sql")

    async def of_teams(
        self, organization_id: UUID, team_ids: Sequence[UUID], within: Reach = WHOLE
    ) -> dict[UUID, list[AccountRow]]:
        """The accounts of each of these teams that are within reach."""
        found: dict[UUID, list[AccountRow]] = {id: [] for id in team_ids}
        values = {"organization_id": organization_id, "ids": list(team_ids), "accounts": within.values["accounts"]}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_teams"], values)
            async for row in cursor:
                account = msgspec.convert(row, AccountRow)
                found[account.team_id].append(account)
        return found
