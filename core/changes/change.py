"""The change: what was asked for, what became of it, and the journal that its session writes to."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from core.clock import Deadline
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, PublishError, Unavailable
from core.ledger.moves import Failure

Verdict = Literal["done", "refused", "unclear"]
"""What became of a change: it is so, nothing was changed, or nobody knows."""


class Busy(Conflict):
    """Another change of the same thing is under way."""

    code = "change_under_way"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a client asks for.

    `object` is what must not be changed by two at a time, of the grant. `repeatable` says that to do it twice is the
    same as once; what is not is never sent again while an earlier one may still come to be. With `look_first` what is
    so already is not sent.
    """

    organization_id: UUID
    account_id: UUID
    grant_id: UUID
    kind: str
    object: str
    request: dict[str, Any]
    repeatable: bool = True
    look_first: bool = False
    delivery_id: UUID | None = None
    api_key_id: UUID | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it was written down. `looked` says that the verdict is not the platform's answer, but was seen."""

    id: UUID
    delivery_id: UUID | None
    api_key_id: UUID | None
    kind: str
    request: dict[str, Any]
    started_at: datetime
    armed_at: datetime | None
    ended_at: datetime | None
    outcome: Verdict | None
    looked: bool
    result: dict[str, Any] | None
    error: Failure | None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is carried out; `result` is what it made (JSON). Without an id nobody here had asked for it."""

    id: UUID | None
    result: dict[str, Any]
    looked: bool = False


class ChangeJournal:
    """Where the session of one change writes down that it passes the point of no return."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], id: UUID) -> None:
        self._pool = pool
        self._id = id

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Commit that it is about to be sent, and until when it may be. Raises `Unavailable` where it may not."""
        start = Deadline.after(0)
        try:
            async with single(self._pool) as connection:
                row = await (await connection.execute(queries("core.changes")["arm"], {"id": self._id})).fetchone()
        except OperationalError as error:
            raise Unavailable("The database went away; nothing was sent.") from error
        if row is None:
            raise Unavailable("It took too long to begin; nothing was sent.")
        return Deadline(start.at + row[0])

    async def remember(self, answers: dict[str, Any]) -> None:
        """Keep nothing: a change is one write."""

    async def hold(self) -> None:
        """Nothing flows for long."""


def failure_of(error: PublishError) -> Failure:
    """Why a change was not carried out, as it is kept."""
    return Failure(
        code=error.code,
        message=error.message,
        hint=error.hint,
        platform_code=error.platform_code,
        http_status=error.http_status,
    )
