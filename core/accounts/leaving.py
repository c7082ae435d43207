"""Leaving: an account is disconnected, and its tokens are forgotten where nobody else uses them."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from core.accounts.events import tell_gone
from core.database.queries import queries


async def leave(connection: AsyncConnection[Any], organization_id: UUID, account_id: UUID) -> bool:
    """Disconnect an account inside the caller's transaction, and tell of it; False where it was not connected."""
    sql = queries("core.accounts")
    values = {"organization_id": organization_id, "id": account_id}
    row = await (await connection.execute(sql["disconnect"], values)).fetchone()
    if row is None:
        return False
    await tell_gone(connection, organization_id, account_id)
    await connection.execute(sql["release"], {"id": row[0]})
    return True


async def leave_team(connection: AsyncConnection[Any], organization_id: UUID, team_id: UUID) -> None:
    """The same of every account of a team."""
    values = {"organization_id": organization_id, "team_id": team_id}
    cursor = await connection.execute(queries("core.accounts")["of_whole_team"], values)
    for (id,) in await cursor.fetchall():
        await leave(connection, organization_id, id)
