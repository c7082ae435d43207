"""Statistics: figures read from platforms when they are asked for, kept for a while, and listed as they were."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

import httpx
import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.abilities import Figures, Insights, Watched
from core.accounts.accounts import AccountGone
from core.accounts.upkeep import Listed
from core.accounts.visits import Visits
from core.changes.change import failure_of
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import FingerpostError, NotSupported, PublishError, Rejected, Unavailable
from core.ids import new_id
from core.ledger.moves import Failure
from core.session import Session

FRESH_SECONDS = 3600.0
"""For how long figures are shown without asking the platform again; it counts in days."""

KEPT = 100
"""How many readings are kept of a post, and of an account."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is live; `age` is how many seconds ago its figures were read, if ever."""

    id: UUID
    post_id: UUID
    organization_id: UUID
    social_account_id: UUID
    platform: str
    external_id: str
    permalink: str | None
    published_at: datetime
    removed_at: datetime | None
    is_video: bool
    age: float | None

    @property
    def watched(self) -> Watched:
        """The same, as an adapter is asked for it."""
        return Watched(external_id=self.external_id, published_at=self.published_at, is_video=self.is_video)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform told at one moment."""

    id: UUID
    social_account_id: UUID
    delivery_id: UUID | None
    told: Figures
    created_at: datetime


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a delivery or of an account, the newest first; `error` is why they are not newer."""

    readings: list[Reading]
    subject: Subject | None = None
    error: FingerpostError | None = None


class Statistics:
    """The figures of one organization's posts and accounts. What cannot be read is told beside what is kept."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        visits: Visits,
        adapters: Mapping[str, AnyAdapter],
        *,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._pool = pool
        self._visits = visits
        self._adapters = adapters
        self._fresh = fresh_seconds
        self._sql = queries("core.insights")
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def of_posts(
        self, organization_id: UUID, post_ids: Sequence[UUID], platform: str | None = None
    ) -> dict[UUID, list[Told]]:
        """The figures of every live delivery of posts, by post; what is not the organization's is left out."""
        errors: dict[UUID, FingerpostError] = {}
        by_account: dict[UUID, list[Subject]] = defaultdict(list)
        for subject in await self._subjects(organization_id, post_ids, platform):
            by_account[subject.social_account_id].append(subject)
        for account_id, subjects in by_account.items():
            turn = self._turns.setdefault(account_id, asyncio.Lock())
            async with turn:
                ages = {each.id: each for each in await self._subjects(organization_id, post_ids, platform)}
                stale = [ages[each.id] for each in subjects if each.id in ages and self._is_stale(ages[each.id].age)]
                errors |= await self._refreshed(account_id, [each for each in stale if each.removed_at is None])
        told: dict[UUID, list[Told]] = {id: [] for id in await self._own(organization_id, post_ids)}
        subjects = [subject for group in by_account.values() for subject in group]
        kept = await self._kept_of(organization_id, [subject.id for subject in subjects])
        for subject in subjects:
            readings = kept.get(subject.id, [])
            told[subject.post_id].append(Told(readings=readings, subject=subject, error=errors.get(subject.id)))
        return told

    async def of_account(self, account: Listed) -> Told:
        """The figures of an account as a whole."""
        whose = {"organization_id": account.organization_id, "social_account_id": account.id}
        error: FingerpostError | None = None
        turn = self._turns.setdefault(account.id, asyncio.Lock())
        async with turn:
            async with single(self._pool) as connection:
                row = await (await connection.execute(self._sql["account_age"], whose)).fetchone()
            if self._is_stale(row[0] if row else None):
                error = await self._account_refreshed(account)
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_account"], whose)
            return Told(readings=[msgspec.convert(row, Reading) async for row in cursor], error=error)

    def _is_stale(self, age: float | None) -> bool:
        return age is None or age > self._fresh

    async def _refreshed(self, account_id: UUID, stale: Sequence[Subject]) -> dict[UUID, FingerpostError]:
        """Read the figures of deliveries of one account anew; what stood in the way of which."""
        if not stale:
            return {}
        errors: dict[UUID, FingerpostError] = {}
        first, today = stale[0], await self._today()

        async def read(adapter: AnyAdapter, session: Session) -> None:
            insights = _insights(adapter, "post")
            found = (
                dict(await insights.posts([each.watched for each in stale], today, session))
                if _many(insights, stale)
                else {}
            )
            for subject in stale:
                if subject.id in done:
                    continue
                try:
                    figures = found.get(subject.external_id) or await insights.post(subject.watched, today, session)
                except Rejected as error:
                    errors[subject.id] = error
                else:
                    await self._keep(subject.organization_id, account_id, subject.id, figures)
                    done.add(subject.id)

        done: set[UUID] = set()
        try:
            await self._visits.visit(first.organization_id, account_id, read)
        except (PublishError, NotSupported, AccountGone, httpx.HTTPError) as error:
            stood = error if isinstance(error, FingerpostError) else Unavailable("The platform does not answer.")
            errors |= {each.id: stood for each in stale if each.id not in done and each.id not in errors}
        return errors

    async def _account_refreshed(self, account: Listed) -> FingerpostError | None:
        today = await self._today()

        async def read(adapter: AnyAdapter, session: Session) -> Figures:
            return await _insights(adapter, "account").account(today, session)

        try:
            figures = await self._visits.visit(account.organization_id, account.id, read)
        except (PublishError, NotSupported) as error:
            return error
        except httpx.HTTPError:
            return Unavailable("The platform does not answer.")
        await self._keep(account.organization_id, account.id, None, figures)
        return None

    async def _own(self, organization_id: UUID, post_ids: Sequence[UUID]) -> list[UUID]:
        values = {"organization_id": organization_id, "post_ids": list(post_ids)}
        async with single(self._pool) as connection:
            return [row[0] async for row in await connection.execute(self._sql["own"], values)]

    async def _subjects(self, organization_id: UUID, post_ids: Sequence[UUID], platform: str | None) -> list[Subject]:
        values = {"organization_id": organization_id, "post_ids": list(post_ids), "platform": platform}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["watched"], values)
            return [msgspec.convert(row, Subject) async for row in cursor]

    async def _kept_of(self, organization_id: UUID, delivery_ids: Sequence[UUID]) -> dict[UUID, list[Reading]]:
        values = {"organization_id": organization_id, "delivery_ids": list(delivery_ids)}
        kept: dict[UUID, list[Reading]] = defaultdict(list)
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_deliveries"], values)
            async for row in cursor:
                kept[row["delivery_id"]].append(msgspec.convert(row, Reading))
        return kept

    async def _keep(self, organization_id: UUID, account_id: UUID, delivery_id: UUID | None, told: Figures) -> None:
        values = {
            "id": new_id(),
            "organization_id": organization_id,
            "social_account_id": account_id,
            "delivery_id": delivery_id,
            "told": Jsonb(msgspec.to_builtins(told)),
            "kept": KEPT,
        }
        async with self._pool.connection() as connection:
            await connection.execute(self._sql["keep"], values)
            await connection.execute(self._sql["forget"], values)

    async def _today(self) -> date:
        """By the database's clock, in UTC."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["today"])).fetchone()
        assert row is not None
        today: date = row[0]
        return today


def failure(error: FingerpostError) -> Failure:
    """Why figures could not be read, as it is shown."""
    return failure_of(error) if isinstance(error, PublishError) else Failure(code=error.code, message=error.message)


def _many(insights: Insights, stale: Sequence[Subject]) -> bool:
    return len(stale) > 1 and "posts" in insights.offers


def _insights(adapter: AnyAdapter, ability: str) -> Insights:
    """What the platform tells. Raises `NotSupported` where it does not tell this."""
    if adapter.insights is None or ability not in adapter.insights.offers:
        raise NotSupported(f"{adapter.label} does not tell figures of this kind: {ability}.")
    return adapter.insights
