"""An organization to which things happen, and its webhook endpoints."""

from typing import Any, LiteralString, Self
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.events.events import Event, record
from core.guard import Guard
from core.ids import new_id
from core.vault import Vault
from core.webhooks.endpoints import Endpoint, Endpoints

MASTER = Vault.generate()
VAULT = Vault.parse(MASTER)
GUARD = Guard(["127.0.0.1"])


class House:
    """An organization with one team, in a database of its own."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self.pool = pool
        self.organization = new_id()
        self.team = new_id()
        self.endpoints = Endpoints(pool, VAULT, GUARD)

    async def run(self, query: LiteralString, *values: object) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def settle_in(self) -> Self:
        await self.run("insert into organizations (id, name) values (%s, 'us')", self.organization)
        await self.run(
            "insert into teams (id, organization_id, name) values (%s, %s, 'team')", self.team, self.organization
        )
        return self

    async def post(self) -> UUID:
        id = new_id()
        await self.run(
            "insert into posts (id, organization_id, team_id, title, post_date, status, platforms, content) "
            "values (%s, %s, %s, 'a post', now(), 'SCHEDULED', '{}', '{}')",
            id, self.organization, self.team,
        )  # fmt: skip
        return id

    async def endpoint(self, *types: str, team: UUID | None = None) -> Endpoint:
        made = await self.endpoints.create(self.organization, team, "http://127.0.0.1:9/", types)
        return made.endpoint

    def event(self, post: UUID, type: str = "delivery.retrying") -> Event:
        return Event(
            organization_id=self.organization, team_id=self.team, type=type, subject=post, data={"postId": str(post)}
        )

    async def happened(self, *events: Event) -> int:
        """Record events as the ledger does: in one transaction, with their posts locked."""
        async with self.pool.connection() as connection:
            await connection.execute(
                "select from posts where id = any(%s) order by id for update", [[event.subject for event in events]]
            )
            return await record(connection, events)
