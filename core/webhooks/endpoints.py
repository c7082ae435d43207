"""Endpoints: the URLs that want to hear of events, each of one organization or one of its teams."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import InvalidPost, NotFound, RefusedUrl
from core.findings import Finding, Report, nearest
from core.guard import Guard
from core.ids import new_id
from core.vault import Vault
from core.webhooks.event_types import EVENT_TYPES
from core.webhooks.signing import new_secret

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent: those of a team, or of the whole organization where `team_id` is None.

    Empty `event_types` stand for all. One with `disabled_at` is sent nothing.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID | None
    url: str
    event_types: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that has just been made, and its secret, which is shown this once."""

    endpoint: Endpoint
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewEndpoint({self.endpoint.id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without the secret."""
        return [("endpoint", self.endpoint)]


class Endpoints:
    """The endpoints of one database. What belongs to another organization does not exist."""

    def __init__(self, pool: Pool, vault: Vault, guard: Guard) -> None:
        self._pool = pool
        self._vault = vault
        self._guard = guard
        self._sql = queries("core.webhooks")

    async def create(
        self, organization_id: UUID, team_id: UUID | None, url: str, event_types: Sequence[str] = ()
    ) -> NewEndpoint:
        """Register a URL for some types of event, or for all, of a team or of the whole organization.

        Raises `InvalidPost` with every fault of the request at once; `NotFound` for a team of somebody else's.
        """
        report = Report((*self._url_findings(url), *_type_findings(event_types)))
        if report.errors:
            raise InvalidPost(report)
        id, secret = new_id(), new_secret()
        values = {
            "id": id,
            "organization_id": organization_id,
            "team_id": team_id,
            "url": url,
            "secret": self._vault.seal(secret, table="webhook_endpoints", row=str(id), column="secret"),
            "event_types": list(dict.fromkeys(event_types)),
        }
        return NewEndpoint(endpoint=await self._one("create_endpoint", values), secret=secret)

    async def list(self, organization_id: UUID) -> tuple[Endpoint, ...]:
        """The endpoints of an organization and its teams, oldest first."""
        values = {"organization_id": organization_id}
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["list_endpoints"], values)
            return tuple([msgspec.convert(row, Endpoint) async for row in cursor])

    async def get(self, organization_id: UUID, id: UUID) -> Endpoint:
        """One endpoint. Raises `NotFound`."""
        return await self._one("get_endpoint", {"organization_id": organization_id, "id": id})

    async def delete(self, organization_id: UUID, id: UUID) -> None:
        """Remove an endpoint and all that waits for it. Raises `NotFound`."""
        await self._one("delete_endpoint", {"organization_id": organization_id, "id": id})

    async def _one(self, query: str, values: dict[str, Any]) -> Endpoint:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            row = await cursor.fetchone()
        if row is None:
            raise NotFound("There is no such webhook endpoint or team.")
        return msgspec.convert(row, Endpoint)

    def _url_findings(self, url: str) -> Iterator[Finding]:
        try:
            self._guard.check(url)
        except RefusedUrl as error:
            yield Finding(code=error.code, path=("url",), message=error.message)


def _type_findings(event_types: Iterable[str]) -> Iterator[Finding]:
    for place, name in enumerate(event_types):
        if name not in EVENT_TYPES:
            known = nearest(name, EVENT_TYPES) or f"; there are {', '.join(EVENT_TYPES)}."
            message = f"There is no event type '{name[:60]}'{known}"
            yield Finding(code="unknown_event_type", path=("eventTypes", place), message=message)
