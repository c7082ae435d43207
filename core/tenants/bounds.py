"""Bounds: whether what an id names is within a caller's reach."""

from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.tenants.callers import Caller

Noun = Literal["post", "delivery", "upload", "social_account", "webhook_endpoint", "webhook_message", "team", "api_key"]
"""What may be named by an id in an address."""


class Bounds:
    """Looks whose things are, for callers that do not reach their whole organization.

    The others are spared the question: every query carries their organization anyway. Nothing ever moves from
    one team to another, so what is found here still holds when it is acted on.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.tenants")

    async def reached(self, caller: Caller, noun: Noun, id: UUID) -> bool:
        """Whether the caller may know of it at all."""
        if caller.reach.whole:
            return True
        values = {"organization_id": caller.organization_id, "id": id, **caller.reach.values}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql[f"reaches_{noun}"], values)).fetchone()
        return bool(row and row[0])
