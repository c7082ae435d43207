"""Reconnecting: posts that have lost their account get another, and go out after all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import GONE
from core.accounts.grants import NEEDS_REAUTH
from core.accounts.upkeep import Listed
from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.ids import parse_id
from core.ledger.moves import Outcome, Subject, move
from core.ledger.states import State

MOST = 500
"""How many posts one call reconnects."""

_STATES = (State.FAILED.value, State.DEFERRED.value)
_CODES = (GONE.code, NEEDS_REAUTH.code)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A post that may be reconnected."""

    id: UUID
    title: str
    post_date: datetime
    status: str
    created_at: datetime
    updated_at: datetime


class Reconnected(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one post; `message` says why nothing did."""

    post_id: str
    title: str | None = None
    before: str | None = None
    after: str | None = None
    message: str | None = None


class Reconnecting:
    """Gives deliveries that have lost their account another one of the same platform.

    `patience` is how many seconds late a post may still go out, unless it says so itself.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], notices: Notices, *, patience: float) -> None:
        self._pool = pool
        self._notices = notices
        self._patience = patience
        self._sql = queries("core.posts", "reconnect.sql")

    async def candidates(
        self, organization_id: UUID, team_id: UUID, platform: str, *, limit: int, offset: int
    ) -> tuple[list[Candidate], int]:
        """A page of the posts that may be reconnected, the earliest first; and how many there are."""
        values = self._named(organization_id, platform) | {"team_id": team_id, "limit": limit, "offset": offset}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["candidates"], values)
            rows = await cursor.fetchall()
        total = rows[0]["total"] if rows else 0
        return [msgspec.convert(row, Candidate) for row in rows], total

    async def reconnect(self, account: Listed, post_ids: Sequence[str] | None) -> list[Reconnected]:
        """Let these posts, or all that may, go out by an account of their team."""
        if post_ids is None:
            found, _ = await self.candidates(
                account.organization_id, account.team_id, account.platform, limit=MOST, offset=0
            )
            post_ids = [str(candidate.id) for candidate in found]
        done = [await self._one(account, text) for text in post_ids]
        self._notices.tell("deliveries")
        return done

    async def _one(self, account: Listed, text: str) -> Reconnected:
        values = self._named(account.organization_id, account.platform) | {
            "post_id": _id(text),
            "team_id": account.team_id,
            "patience": self._patience,
        }
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lock"], values)
            post = await cursor.fetchone()
            if post is None:
                return Reconnected(post_id=text, message="There is no such post in the team.")
            told = {"post_id": text, "title": post["title"], "before": post["status"]}
            await cursor.execute(self._sql["orphans"], values)
            orphans = await cursor.fetchall()
            if not orphans:
                return Reconnected(**told, message="Nothing of this post has lost its account there.")
            await self._adopt(connection, account, orphans)
            await cursor.execute(self._sql["status"], values)
            after = await cursor.fetchone()
        return Reconnected(**told, after=after["status"] if after else None)

    async def _adopt(
        self, connection: AsyncConnection[Any], account: Listed, orphans: Sequence[dict[str, Any]]
    ) -> None:
        values = {
            "organization_id": account.organization_id,
            "team_id": account.team_id,
            "account_id": account.id,
            "grant_id": account.grant_id,
            "ids": [row["id"] for row in orphans],
        }
        await connection.execute(self._sql["adopt"], values)
        subjects = [
            msgspec.structs.replace(msgspec.convert(row, Subject), social_account_id=account.id) for row in orphans
        ]
        for state in (State.RETRYING, State.SCHEDULED):
            outcomes = [
                (
                    subject,
                    Outcome(state=_next(subject, state), due_in=row["due_in"], anew=True, patience=row["patience"]),
                )
                for subject, row in zip(subjects, orphans, strict=True)
                if state is State.RETRYING or row["due_in"] > 0
            ]
            await move(connection, outcomes)
            moved = {subject.id: outcome.state for subject, outcome in outcomes}
            subjects = [
                msgspec.structs.replace(subject, state=moved.get(subject.id, subject.state)) for subject in subjects
            ]

    def _named(self, organization_id: UUID, platform: str) -> dict[str, Any]:
        return {
            "organization_id": organization_id,
            "platform": platform,
            "states": list(_STATES),
            "codes": list(_CODES),
        }


def _next(subject: Subject, state: State) -> State:
    """What failed is tried again; what was put by stays so until it is due, or goes back to its date."""
    return State.DEFERRED if state is State.RETRYING and subject.state is State.DEFERRED else state


def _id(text: str) -> UUID:
    """The id that is spelled; one that nothing has, where it is none."""
    return parse_id(text) or UUID(int=0)
