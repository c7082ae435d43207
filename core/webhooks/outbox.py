"""The outbox: messages that wait for their endpoints, taken under a lease and settled once."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.clock import elapsed
from core.database.group import GroupCommit
from core.database.pool import single
from core.database.presence import KIND, Presence
from core.database.queries import queries
from core.events.data import EndpointData
from core.events.events import Event, record
from core.vault import Vault
from core.webhooks.results import Result
from core.webhooks.signing import Payload, Signed, Signer
from core.webhooks.vendor import FORMAT, VendorMessage, bodies

Pool = AsyncConnectionPool[AsyncConnection[Any]]

LEASE_SECONDS = 60.0
"""How long a sender may hold a message; longer than any try."""

PER_ENDPOINT = 8
"""How many messages may be under way to one endpoint, over all senders."""

PATIENCE = 5
"""So many failures in a row, and an endpoint is tried with one message at a time."""

LONGEST_SECONDS = 60.0
"""How long such an endpoint is left alone at most; the wait begins with a second and doubles."""

LOOK_SECONDS = 1.0
"""How often a sender looks for messages in the hands of one that is gone."""

SIGNERS = 256
"""Of how many endpoints a process keeps the opened secrets in memory; they are opened anew where they were changed."""

HOPELESS_DAYS = 3.0
"""An endpoint that has taken nothing for so long is switched off."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one endpoint, in a sender's hands. The secrets are still sealed.

    `attempts` counts the tries, this one included; `taken_at` is the database's time of the take. `body` is what is
    sent where that is not the event itself; `unwell` says that the endpoint has failed before.
    """

    id: UUID
    event_id: UUID
    organization_id: UUID
    team_id: UUID | None
    endpoint_id: UUID
    url: str
    format: str
    ordered: bool
    body: str | None
    unwell: bool
    sealed_secret: bytes
    sealed_previous: bytes | None
    fence: int
    attempts: int
    type: str
    version: int
    subject: UUID
    sequence: int
    previous_sequence: int | None
    data: dict[str, Any]
    happened_at: datetime
    taken_at: datetime


class Outbox:
    """The outbox of one database. Any number of senders may work on it at the same time.

    A sender with a `presence` is not waited for when it is gone; without one, its messages come free with their lease.
    """

    def __init__(
        self, pool: Pool, vault: Vault, *, per_endpoint: int = PER_ENDPOINT, presence: Presence | None = None
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._presence = presence
        self._looked_at = -LOOK_SECONDS
        self._bounds = {"each": per_endpoint, "patience": PATIENCE}
        self._sql = queries("core.webhooks")
        self._signer = lru_cache(SIGNERS)(self._open)
        self._results = GroupCommit[tuple[Message, Result], bool](pool, self._settle, transaction=False)

    async def take(self, limit: int, lease_seconds: float = LEASE_SECONDS) -> list[Message]:
        """Take up to `limit` messages that are due, for `lease_seconds`; unsettled, they fall due again then.

        `limit` is how many places the caller has free. Endpoints take turns, and one gets another place only
        while more are free than it holds: a slow endpoint grows ever slower into what is left, and never takes
        the last places from the others. What waits for an endpoint that is switched off fails here.
        """
        if elapsed() - self._looked_at >= LOOK_SECONDS:
            await self.let_go()
        values = {
            **self._bounds,
            "limit": limit,
            "lease": lease_seconds,
            "holder": self._presence.number if self._presence else None,
        }
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["take"], values)
            taken = [msgspec.convert(row, Message) async for row in cursor]
            return await self._with_bodies(connection, taken)

    def signed(self, message: Message) -> Signed:
        """The request for a message. Raises `BrokenSeal` or `Misconfigured` where its secret cannot be opened."""
        signer = self._signer(message.endpoint_id, message.sealed_secret, message.sealed_previous)
        body = _payload(message) if message.body is None else message.body.encode()
        # The database's clock, not this host's: receivers refuse what is five minutes off.
        return signer.sign(body, message_id=str(message.event_id), at=message.taken_at)

    async def settle(self, message: Message, result: Result) -> bool:
        """Write down what a try brought; False where another sender has the message by now, or it is gone."""
        return await self._results.submit((message, result))

    async def next_due(self) -> float | None:
        """Seconds until a message can be taken, zero or less when one can be now; None when none waits."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["next_due"], self._bounds)).fetchone()
            return row[0] if row else None

    async def due(self) -> bool:
        """Whether a message can be taken now."""
        seconds = await self.next_due()
        return seconds is not None and seconds <= 0

    async def let_go(self) -> None:
        """Let messages be taken that are in the hands of a sender that is gone."""
        self._looked_at = elapsed()
        async with single(self._pool) as connection:
            await connection.execute(self._sql["let_go"], {"kind": KIND})

    async def sweep(self) -> None:
        """Forget secrets that have ended, and let go what waits behind nothing any more, or for nobody."""
        await self.let_go()
        async with single(self._pool) as connection:
            await connection.execute(self._sql["forget_secrets"])
            await connection.execute(self._sql["release"], {"ended": None})

    def _open(self, endpoint_id: UUID, secret: bytes, previous: bytes | None) -> Signer:
        place = {"table": "webhook_endpoints", "row": str(endpoint_id)}
        secrets = [self._vault.open(secret, column="secret", **place)]
        if previous is not None:
            secrets.append(self._vault.open(previous, column="previous_secret", **place))
        return Signer(secrets)

    async def _with_bodies(self, connection: AsyncConnection[Any], taken: Sequence[Message]) -> list[Message]:
        """The messages, those in bundle.social's format with their bodies, which are made at the first take."""
        bare = [message for message in taken if message.format == FORMAT and message.body is None]
        if not bare:
            return list(taken)
        wanted = [
            VendorMessage(id=m.id, organization_id=m.organization_id, type=m.type, subject=m.subject, data=m.data)
            for m in bare
        ]
        made = await bodies(connection, wanted)
        return [msgspec.structs.replace(m, body=made.get(m.id, m.body)) for m in taken]

    async def _settle(self, connection: AsyncConnection[Any], items: Sequence[tuple[Message, Result]]) -> list[bool]:
        """What was simply taken is told by one statement, which spares it the round trips of a transaction."""
        if all(_is_plain(message, result) for message, result in items):
            settled = await self._write_down(connection, items)
        else:
            async with connection.transaction():
                settled = await self._settle_at_once(connection, items)
        return [message.id in settled for message, _ in items]

    async def _settle_at_once(
        self, connection: AsyncConnection[Any], items: Sequence[tuple[Message, Result]]
    ) -> set[UUID]:
        ordered = [message for message, _ in items if message.ordered]
        if ordered:
            turns = {"endpoints": [m.endpoint_id for m in ordered], "subjects": [m.subject for m in ordered]}
            await connection.execute(self._sql["hold_turns"], turns)
        settled = await self._write_down(connection, items)
        counted = [(message, result) for message, result in items if message.id in settled]
        await self._fare(connection, counted)
        gone = {message.endpoint_id for message, result in counted if result.disable}
        await self._disable(connection, sorted(gone), "gone")
        return settled

    async def _write_down(self, connection: AsyncConnection[Any], items: Sequence[tuple[Message, Result]]) -> set[UUID]:
        """Log the tries, and say of the messages that are still ours what became of them; answers which those are."""
        rows = Jsonb([_row(message, result) for message, result in items])
        values = {"results": rows, "ids": [message.id for message, _ in items]}
        cursor = await connection.execute(self._sql["settle"], values)
        settled: dict[UUID, bool] = {row[0]: row[1] async for row in cursor}
        # An endpoint may be ordered by now that was not when its message was taken.
        ended = [message.id for message, result in items if settled.get(message.id) and result.state != "waiting"]
        if ended:
            await connection.execute(self._sql["release"], {"ended": ended})
        return set(settled)

    async def _fare(self, connection: AsyncConnection[Any], items: Sequence[tuple[Message, Result]]) -> None:
        """How the endpoints fare that are not simply well; who has failed for too long is switched off."""
        fared = _fared(items)
        if not fared:
            return
        values = {"fared": Jsonb(fared), "patience": PATIENCE, "longest": LONGEST_SECONDS, "days": HOPELESS_DAYS}
        cursor = await connection.execute(self._sql["fare"], values)
        await self._disable(connection, sorted([row[0] async for row in cursor if row[1]]), "failing")

    async def _disable(self, connection: AsyncConnection[Any], ids: Sequence[UUID], reason: str) -> None:
        if not ids:
            return
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["disable"], {"endpoints": list(ids), "reason": reason})
            await record(connection, [_disabled(row, reason) async for row in cursor])


def _payload(message: Message) -> Payload:
    return Payload(
        id=message.event_id,
        type=message.type,
        version=message.version,
        timestamp=message.happened_at,
        team_id=message.team_id,
        subject=message.subject,
        sequence=message.sequence,
        previous_sequence=message.previous_sequence,
        data=message.data,
    )


def _is_plain(message: Message, result: Result) -> bool:
    """Whether a result says nothing of its endpoint, and lets nothing go that waits behind the message."""
    return result.state == "delivered" and not message.ordered and not message.unwell


def _row(message: Message, result: Result) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "fence": message.fence,
        "started_at": message.taken_at.isoformat(),
        **msgspec.to_builtins(result),
    }


def _fared(items: Sequence[tuple[Message, Result]]) -> list[dict[str, Any]]:
    """One row for each endpoint that failed, or was unwell before; to take anything at all is to be well."""
    found: dict[UUID, dict[str, Any]] = {}
    for message, result in items:
        fared = found.setdefault(
            message.endpoint_id, {"id": str(message.endpoint_id), "delivered": False, "pause": 0.0, "told": False}
        )
        fared["delivered"] |= result.state == "delivered"
        fared["pause"] = max(fared["pause"], result.pause)
        fared["told"] |= result.state != "delivered" or message.unwell
    return [fared for fared in found.values() if fared.pop("told")]


def _disabled(row: dict[str, Any], reason: str) -> Event:
    data = {
        "webhook_endpoint_id": row["id"],
        "team_id": row["team_id"],
        "url": row["url"],
        "reason": reason,
        "failing_since": row["failing_since"],
    }
    return Event(
        organization_id=row["organization_id"],
        team_id=row["team_id"],
        type="webhook_endpoint.disabled",
        subject=row["id"],
        data=EndpointData(**data),
    )
