"""What is told of accounts: connected, at risk, in need of a new consent, disconnected."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from core.database.queries import queries
from core.events.events import Event, record

AccountEvent = Literal["account.connected", "account.at_risk", "account.needs_reauth"]


async def tell(
    connection: AsyncConnection[Any],
    type: AccountEvent,
    *,
    grant_id: UUID | None = None,
    ids: Sequence[UUID] | None = None,
) -> None:
    """Tell of every account that uses a grant, or of those named, inside the caller's transaction."""
    assert grant_id is not None or ids is not None
    values = {"grant_id": grant_id, "ids": list(ids) if ids is not None else None}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(queries("core.accounts")["told"], values)
        await record(connection, [_event(type, row) async for row in cursor])


async def tell_gone(connection: AsyncConnection[Any], organization_id: UUID, account_id: UUID) -> None:
    """Tell that an account was disconnected, inside the caller's transaction."""
    values = {"organization_id": organization_id, "id": account_id}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(queries("core.accounts")["told_gone"], values)
        await record(connection, [_event("account.disconnected", row) async for row in cursor])


def _event(type: str, row: dict[str, Any]) -> Event:
    return Event(
        organization_id=row["organization_id"],
        team_id=row["team_id"],
        type=type,
        subject=row["id"],
        data={
            "socialAccountId": str(row["id"]),
            "teamId": str(row["team_id"]),
            "platform": row["platform"],
            "username": row["username"],
            "displayName": row["display_name"],
            "externalId": row["external_user"],
            "state": row["state"],
            "error": row["reason"],
            "expiresAt": row["expires_at"].isoformat() if row["expires_at"] else None,
        },
    )
