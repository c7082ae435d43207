"""The log of webhooks: what was sent to an endpoint, what came back, and sending it again."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, NotFound

MessageState = Literal["waiting", "behind", "delivered", "failed"]
"""Where a message stands: it waits for its next try, behind another of its subject, was taken, or was given up."""


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint. `fence` counts all tries, `attempts` those since it was sent (again) on request."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    type: str
    subject: UUID
    sequence: int
    state: MessageState
    attempts: int
    fence: int
    http_status: int | None
    error: str | None
    due_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try to send a message. A number that is missing is a try whose sender ended before it could tell."""

    number: int
    started_at: datetime
    seconds: float
    http_status: int | None
    error: str | None
    answer: str | None


class WebhookLog:
    """The messages of one database, of the organization that asks."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], notices: Notices | None = None) -> None:
        self._pool = pool
        self._notices = notices
        self._sql = queries("core.webhooks")

    async def page(
        self,
        organization_id: UUID,
        endpoint_id: UUID,
        *,
        state: MessageState | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[SentMessage]:
        """Messages of an endpoint, the newest first, behind the message `before`."""
        values = {"endpoint_id": endpoint_id, "state": state, "before": before, "limit": limit}
        return await self._messages("messages", organization_id=organization_id, **values)

    async def get(self, organization_id: UUID, id: UUID) -> tuple[SentMessage, list[Try]]:
        """A message and every try to send it, in their order. Raises `NotFound`."""
        values = {"organization_id": organization_id, "id": id}
        found = await self._messages("message", **values)
        if not found:
            raise NotFound("There is no such webhook message.")
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["attempts"], values)
            return found[0], [msgspec.convert(row, Try) async for row in cursor]

    async def resend(self, organization_id: UUID, id: UUID) -> SentMessage:
        """Send a message once more, with the same id, whatever has become of it.

        Raises `NotFound`, and `Conflict` where it is under way or its endpoint is switched off.
        """
        message, _ = await self.get(organization_id, id)
        async with self._pool.connection() as connection:
            await self._refuse_disabled(connection, organization_id, message.endpoint_id)
            values = {"organization_id": organization_id, "id": id}
            if (await connection.execute(self._sql["resend"], values)).rowcount == 0:
                raise Conflict("The message is being sent at this moment.")
        self._tell()
        (again,) = await self._messages("message", organization_id=organization_id, id=id)
        return again

    async def resend_failed(self, organization_id: UUID, endpoint_id: UUID, since: datetime) -> int:
        """Send everything once more that an endpoint was to get since then and that was given up; how much that is.

        Raises `NotFound`, and `Conflict` where the endpoint is switched off.
        """
        async with self._pool.connection() as connection:
            await self._refuse_disabled(connection, organization_id, endpoint_id)
            values = {"organization_id": organization_id, "endpoint_id": endpoint_id, "since": since}
            count = (await connection.execute(self._sql["resend_failed"], values)).rowcount
        self._tell()
        return count

    async def _refuse_disabled(
        self, connection: AsyncConnection[Any], organization_id: UUID, endpoint_id: UUID
    ) -> None:
        values = {"organization_id": organization_id, "id": endpoint_id}
        row = await (await connection.execute(self._sql["enabled"], values)).fetchone()
        if row is None:
            raise NotFound("There is no such webhook endpoint.")
        if not row[0]:
            raise Conflict("The webhook endpoint is switched off; enable it first.")

    async def _messages(self, query: str, /, **values: Any) -> list[SentMessage]:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            return [msgspec.convert(row, SentMessage) async for row in cursor]

    def _tell(self) -> None:
        if self._notices is not None:
            self._notices.tell("webhooks")
