"""What a person may still do about a post: call it off, try it again, or resolve what is unclear."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, NotFound
from core.events.events import post_events, record
from core.ledger.moves import Failure, Outcome, Subject, move
from core.ledger.states import WAITING, State

Resolution = Literal["published", "retry", "fail"]
"""What a person found: it is live, it is not and shall be tried again, or it is not and shall not."""

_UNDER_WAY = frozenset({State.PUBLISHING, State.PROCESSING, State.UNCONFIRMED, State.NEEDS_REVIEW})


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try or look, as it was written down."""

    delivery_id: UUID
    fence: int
    kind: str
    started_at: datetime
    armed_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    code: str | None
    message: str | None
    hint: str | None
    platform_code: str | None
    http_status: int | None
    answer: str | None
    next_state: str | None
    next_at: datetime | None


class Control:
    """Changes to posts that are in the ledger. Each is made whole or refused with a `Conflict` that says why.

    The post and its deliveries are held while it is decided, so that no worker takes one meanwhile. A post that
    is not the organization's raises `NotFound`. `patience` is how many seconds late a post may still go out.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], notices: Notices, *, patience: float) -> None:
        self._pool = pool
        self._notices = notices
        self._patience = patience
        self._sql = queries("core.ledger")

    async def delete(self, organization_id: UUID, post_id: UUID) -> None:
        """Call off what has not gone out, and put the post away. What is live stays live."""
        async with self._pool.connection() as connection:
            subjects, _ = await self._held(connection, organization_id, post_id)
            _refuse(subjects, _UNDER_WAY, "is being published or looked up at this moment; delete it when that is done")
            waiting = [subject for subject in subjects if subject.state in WAITING]
            await connection.execute(self._sql["delete_post"], {"post_id": post_id})
            await move(connection, [(subject, Outcome(state=State.CANCELLED)) for subject in waiting])
            await record(connection, await post_events(connection, {post_id: "post.deleted"}))
        self._notices.tell("webhooks")

    async def retry(self, organization_id: UUID, post_id: UUID) -> None:
        """Try once more what has failed, as if for the first time; steps that were done are not done again."""
        async with self._pool.connection() as connection:
            subjects, patience = await self._held(connection, organization_id, post_id)
            failed = [subject for subject in subjects if subject.state is State.FAILED]
            if not failed:
                raise Conflict("Nothing of this post has failed, so there is nothing to try again.")
            again = Outcome(state=State.RETRYING, due_in=0.0, anew=True, patience=patience)
            await move(connection, [(subject, again) for subject in failed])
        self._notices.tell("deliveries")

    async def resolve(
        self,
        organization_id: UUID,
        delivery_id: UUID,
        resolution: Resolution,
        *,
        external_id: str | None = None,
        permalink: str | None = None,
    ) -> UUID:
        """Say what became of a delivery that needs review; answers its post's id."""
        async with self._pool.connection() as connection:
            values = {"id": delivery_id, "organization_id": organization_id}
            row = await (await connection.execute(self._sql["post_of_delivery"], values)).fetchone()
            if row is None:
                raise NotFound("There is no such delivery.")
            post_id: UUID = row[0]
            subjects, patience = await self._held(connection, organization_id, post_id)
            (subject,) = (subject for subject in subjects if subject.id == delivery_id)
            if subject.state is not State.NEEDS_REVIEW:
                raise Conflict(f"The delivery is {subject.state}; only one that needs review can be resolved.")
            outcome = _resolved(resolution, external_id, permalink, patience)
            try:
                await move(connection, [(subject, outcome)])
            except UniqueViolation:
                raise Conflict(f"{external_id} is another delivery's already; give the id of this one.") from None
        self._notices.tell("deliveries")
        self._notices.tell("webhooks")
        return post_id

    async def attempts(self, organization_id: UUID, post_id: UUID) -> list[Attempt]:
        """Every try and look at the deliveries of a post, in their order."""
        values = {"organization_id": organization_id, "post_id": post_id}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["attempts"], values)
            return [msgspec.convert(row, Attempt) async for row in cursor]

    async def _held(
        self, connection: AsyncConnection[Any], organization_id: UUID, post_id: UUID
    ) -> tuple[list[Subject], float]:
        """The deliveries of a post, held, and how many seconds late they may go out."""
        values = {"organization_id": organization_id, "post_id": post_id, "patience": self._patience}
        row = await (await connection.execute(self._sql["lock_post"], values)).fetchone()
        if row is None:
            raise NotFound("There is no such post.")
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lock_deliveries"], {"post_id": post_id})
            return [msgspec.convert(subject, Subject) async for subject in cursor], row[0]


def _resolved(resolution: Resolution, external_id: str | None, permalink: str | None, patience: float) -> Outcome:
    match resolution:
        case "published":
            certain = external_id is not None
            return Outcome(state=State.PUBLISHED, external_id=external_id, permalink=permalink, certain=certain)
        case "retry":
            return Outcome(state=State.RETRYING, due_in=0.0, anew=True, patience=patience)
        case "fail":
            error = Failure(code="resolved_as_failed", message="A person looked, and it is not on the platform.")
            return Outcome(state=State.FAILED, failed=True, error=error)


def _refuse(subjects: Iterable[Subject], states: frozenset[State], words: str) -> None:
    """Raise `Conflict` for the first delivery that is in one of these states."""
    for subject in subjects:
        if subject.state in states:
            raise Conflict(f"The post's delivery to {subject.platform} is {subject.state}: it {words}.")
