"""The ledger: claims what is due, hands it to workers under a lease, and writes down what became of it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.clock import Deadline
from core.database.group import CommitUnknown, ConnectionLost, GroupCommit
from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.errors import Unavailable
from core.ledger.claim import Claimed, Reserve, claim
from core.ledger.moves import Failure, Move, Outcome, Subject, move
from core.ledger.states import State
from core.ledger.verdicts import WhenNotFound
from core.retry import Policy

Pool = AsyncConnectionPool[AsyncConnection[Any]]

PROBE_SECONDS = 60.0
"""How often a server in trouble is asked whether it is back."""

LEASE_SECONDS = 60.0
"""How long a worker may hold a delivery; longer than any request to a platform."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a worker's hands: everything that publishing it takes but the account's token.

    `server` is the base URL of the account's own server, and empty where it is on the platform's usual one.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID
    post_id: UUID
    social_account_id: UUID
    grant_id: UUID
    platform: str
    server: str
    app: str
    quotas: list[Any]
    calls: dict[str, int]
    block: dict[str, Any]
    from_state: str
    fence: int
    attempts: int
    failures: int
    fingerprint: bytes
    looks: int
    armed_at: datetime | None
    steps: dict[str, Any]
    pending: dict[str, Any] | None
    expired: bool
    patience_seconds: float
    probing: bool
    content: dict[str, Any]
    when_not_found: WhenNotFound
    unclear_seconds: float
    keyed_seconds: float
    processing_seconds: float | None
    taken_at: datetime

    @property
    def subject(self) -> Subject:
        """What moves when this delivery does."""
        looking = self.from_state == State.UNCONFIRMED
        return Subject(
            id=self.id,
            organization_id=self.organization_id,
            team_id=self.team_id,
            post_id=self.post_id,
            social_account_id=self.social_account_id,
            platform=self.platform,
            fence=self.fence,
            state=State.UNCONFIRMED if looking else State.PUBLISHING,
        )


EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anything that can be due."""

TOO_LATE = Outcome(
    state=State.FAILED,
    failed=True,
    error=Failure(
        code="too_late",
        message="The post could not go out in time; going out later would be stale.",
        hint="Send it again, or give it a longer maxDelay.",
    ),
)

GROUP = 128
"""How many deliveries at most are armed, or moved, by one transaction."""

Arm = tuple[Taken, dict[str, Any]]

_AWAY = "The database went away; what becomes of the delivery is decided when its lease has ended."


class LeaseLost(Unavailable):
    """Another worker has the delivery by now, or nobody may: nothing was sent, and nothing is written."""

    code = "lease_lost"


class Ledger:
    """The deliveries of one database. Any number of ledgers may work on it at the same time."""

    def __init__(self, pool: Pool, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._pool = pool
        self._lease = lease_seconds
        self._sql = queries("core.ledger")
        self._moves = GroupCommit[Move, bool](pool, move, size=GROUP)
        self._arms = GroupCommit[Arm, float | None](pool, self._arm, size=GROUP, transaction=False)
        self.notices = Notices(pool)

    async def claim(
        self, reserve: Reserve | None = None, *, queued: int = 1000, lanes: int = 200, each: int = 50
    ) -> Claimed:
        """Queue what is due, lane by lane in turn, as far as `reserve` lets it go.

        At most `queued` stand in a platform's queue, at most `each` of a lane join it at a time: that is what
        keeps turns fair, whatever the length of the lanes. What is denied is deferred, and its lane left alone.
        """
        async with self._pool.connection() as connection:
            claimed = await claim(connection, reserve, queued=queued, lanes=lanes, each=each)
        await self.settle_all(claimed.put_off)
        return claimed

    async def next_due(self, after: datetime) -> float | None:
        """Seconds until something falls due after that moment of the database, or None when nothing waits."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["next_due"], {"after": after})).fetchone()
            return row[0] if row else None

    async def ready(self, after: datetime = EVER) -> list[str]:
        """The platforms on which workers would find something that fell due after that moment of the database."""
        async with single(self._pool) as connection:
            return [row[0] async for row in await connection.execute(self._sql["ready"], {"after": after})]

    async def take(self, platform: str, limit: int) -> list[Taken]:
        """Take up to `limit` deliveries that are ready; each is leased to the caller and has its attempt written."""
        values = {"platform": platform, "limit": limit, "lease": self._lease, "probe": PROBE_SECONDS}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["take"], values)
            return [msgspec.convert(row, Taken) async for row in cursor]

    async def arm(self, taken: Taken, answers: dict[str, Any]) -> Deadline:
        """Commit that the point of no return is about to be passed; until when it may be.

        Raises `LeaseLost` where the lease has ended, and where the database went away: nothing may be sent then.
        """
        start = Deadline.after(0)
        try:
            left = await self._arms.submit((taken, answers))
        except (ConnectionLost, CommitUnknown, OperationalError) as error:
            raise LeaseLost(_AWAY) from error
        if left is None:
            raise LeaseLost("The lease on the delivery has ended.")
        return Deadline(start.at + left)

    async def remember(self, taken: Taken, answers: dict[str, Any]) -> None:
        """Commit the answers of steps, so that a later attempt goes on behind them. Raises `LeaseLost` like `arm`."""
        await self._while_leased("remember", taken, answers=Jsonb(answers))

    async def prolong(self, taken: Taken) -> None:
        """Give the caller, who is still at work, a lease of full length from now on. Raises `LeaseLost` like `arm`."""
        await self._while_leased("prolong", taken, lease=self._lease)

    async def _while_leased(self, name: str, taken: Taken, **values: Any) -> None:
        try:
            async with single(self._pool) as connection:
                held = {"id": taken.id, "fence": taken.fence, **values}
                row = await (await connection.execute(self._sql[name], held)).fetchone()
        except OperationalError as error:
            raise LeaseLost(_AWAY) from error
        if row is None:
            raise LeaseLost("The lease on the delivery has ended.")

    async def twin_publishing(self, taken: Taken) -> bool:
        """Whether a delivery of the same content to the same account is being published at this moment."""
        values = {"grant_id": taken.grant_id, "fingerprint": taken.fingerprint, "id": taken.id}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["twin_publishing"], values)).fetchone()
            return bool(row and row[0])

    async def others_unclear(self, taken: Taken, looks: int) -> bool:
        """Whether another delivery to the same account may still find its own: it has not had so many looks."""
        values = {"grant_id": taken.grant_id, "platform": taken.platform, "id": taken.id, "looks": looks}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["others_unclear"], values)).fetchone()
            return bool(row and row[0])

    async def known(self, grant_id: UUID, external_ids: Sequence[str]) -> set[str]:
        """Those of the platform's ids that the ledger has already for some delivery of the grant."""
        values = {"grant_id": grant_id, "external_ids": list(external_ids)}
        async with single(self._pool) as connection:
            return {row[0] async for row in await connection.execute(self._sql["known"], values)}

    async def settle(self, subject: Subject, outcome: Outcome) -> bool:
        """Write down what became of a delivery; False where its fence or state was no longer the caller's."""
        made = await self._moves.submit((subject, outcome))
        self.notices.tell("webhooks")
        if outcome.due_in is not None:
            self.notices.tell("deliveries")
        return made

    async def settle_all(self, moves: Sequence[Move]) -> int:
        """Settle many at a time; answers how many moves were made."""
        return sum(await asyncio.gather(*(self.settle(subject, outcome) for subject, outcome in moves)))

    async def sweep(self, policy: Policy, random: Any, limit: int = 500) -> int:
        """Repair what dead workers left: armed deliveries are looked up, others tried again. Answers how many."""
        async with single(self._pool) as connection:
            rows = await (await connection.execute(self._sql["expired"], {"limit": limit})).fetchall()
            late = await (await connection.execute(self._sql["too_late"], {"limit": limit})).fetchall()
        await self.settle_all([(_subject(row), TOO_LATE) for row in late])
        return await self.settle_all([_abandoned(row, policy, random) for row in rows])

    async def _arm(self, connection: AsyncConnection[Any], arms: Sequence[Arm]) -> list[float | None]:
        rows = [{"id": str(taken.id), "fence": taken.fence, "answers": answers} for taken, answers in arms]
        cursor = await connection.execute(self._sql["arm"], {"arms": Jsonb(rows)})
        left = {row[0]: row[1] async for row in cursor}
        return [left.get(taken.id) for taken, _ in arms]

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._arms.aclose()
        await self._moves.aclose()
        await self.notices.aclose()


def _subject(row: Sequence[Any]) -> Subject:
    *facts, fence, state = row[:8]
    names = ("id", "organization_id", "team_id", "post_id", "social_account_id", "platform")
    return Subject(**dict(zip(names, facts, strict=True)), fence=fence, state=State(state))


def _abandoned(row: Sequence[Any], policy: Policy, random: Any) -> Move:
    *_, failures, armed = row
    subject = _subject(row)
    if armed:
        words = "The worker ended before it could write down the platform's answer."
        error = Failure(code="outcome_unknown", message=words, hint="What became of it is being found out.")
        return subject, Outcome(state=State.UNCONFIRMED, due_in=0, error=error)
    error = Failure(code="worker_lost", message="The worker ended before anything was sent.")
    wait = policy.after(failures + 1, random)
    if wait is None:
        return subject, Outcome(state=State.FAILED, failed=True, error=error)
    return subject, Outcome(state=State.RETRYING, due_in=wait, failed=True, error=error)
