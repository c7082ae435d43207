"""The outbox: messages that wait for their endpoints, taken under a lease and settled once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.group import GroupCommit
from core.database.pool import single
from core.database.queries import queries
from core.vault import Vault
from core.webhooks.results import Result
from core.webhooks.signing import Payload, Signed, sign

Pool = AsyncConnectionPool[AsyncConnection[Any]]

LEASE_SECONDS = 60.0
"""How long a sender may hold a message; longer than any try."""

PER_ENDPOINT = 8
"""How many messages may be under way to one endpoint, over all senders."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, in a sender's hands. The secret is still sealed.

    `attempts` counts the tries, this one included; `taken_at` is the database's time of the take.
    """

    id: UUID
    event_id: UUID
    endpoint_id: UUID
    url: str
    sealed_secret: bytes
    fence: int
    attempts: int
    type: str
    sequence: int
    previous_sequence: int | None
    data: dict[str, Any]
    happened_at: datetime
    taken_at: datetime


class Outbox:
    """The outbox of one database. Any number of senders may work on it at the same time."""

    def __init__(self, pool: Pool, vault: Vault, *, per_endpoint: int = PER_ENDPOINT) -> None:
        self._pool = pool
        self._vault = vault
        self._each = per_endpoint
        self._sql = queries("core.webhooks")
        self._results = GroupCommit[tuple[Message, Result], bool](pool, self._settle)

    async def take(self, limit: int, lease_seconds: float = LEASE_SECONDS) -> list[Message]:
        """Take up to `limit` messages that are due, for `lease_seconds`; unsettled, they fall due again then.

        `limit` is how many places the caller has free. Endpoints take turns, and one gets another place only
        while more are free than it holds: a slow endpoint grows ever slower into what is left, and never takes
        the last places from the others. What waits for an endpoint that is switched off fails here.
        """
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lanes"], {"each": self._each, "limit": limit})
            lanes = await cursor.fetchall()
            disabled = [lane["id"] for lane in lanes if lane["disabled"]]
            if disabled:
                await cursor.execute(self._sql["retire"], {"endpoints": disabled})
            enabled = [lane["id"] for lane in lanes if not lane["disabled"]]
            if not enabled:
                return []
            # A statement of its own: only now, with the lanes locked, it sees what the last holder took.
            values = {"lanes": enabled, "each": self._each, "limit": limit, "lease": lease_seconds}
            await cursor.execute(self._sql["take"], values)
            return [msgspec.convert(row, Message) async for row in cursor]

    def signed(self, message: Message) -> Signed:
        """The request for a message. Raises `BrokenSeal` or `Misconfigured` where its secret cannot be opened."""
        place = {"table": "webhook_endpoints", "row": str(message.endpoint_id), "column": "secret"}
        payload = Payload(
            type=message.type,
            timestamp=message.happened_at,
            sequence=message.sequence,
            previous_sequence=message.previous_sequence,
            data=message.data,
        )
        secrets = [self._vault.open(message.sealed_secret, **place)]
        # The database's clock, not this host's: receivers refuse what is five minutes off.
        return sign(payload, secrets=secrets, message_id=str(message.event_id), at=message.taken_at)

    async def settle(self, message: Message, result: Result) -> bool:
        """Write down what a try brought; False where another sender has the message by now, or it is gone."""
        return await self._results.submit((message, result))

    async def next_due(self) -> float | None:
        """Seconds until a message can be taken, zero or less when one can be now; None when none waits."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["next_due"], {"each": self._each})).fetchone()
            return row[0] if row else None

    async def due(self) -> bool:
        """Whether a message can be taken now."""
        seconds = await self.next_due()
        return seconds is not None and seconds <= 0

    async def _settle(self, connection: AsyncConnection[Any], items: Sequence[tuple[Message, Result]]) -> list[bool]:
        rows = Jsonb([_row(message, result) for message, result in items])
        cursor = await connection.execute(self._sql["settle"], {"results": rows})
        settled = {row[0] async for row in cursor}
        gone = [message.endpoint_id for message, result in items if result.disable and message.id in settled]
        if gone:
            await connection.execute(self._sql["disable"], {"endpoints": gone})
        return [message.id in settled for message, _ in items]


def _row(message: Message, result: Result) -> dict[str, Any]:
    return {"id": str(message.id), "fence": message.fence, **msgspec.to_builtins(result)}
