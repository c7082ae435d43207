"""Foresight: when deliveries that are not made yet would go out, by the quotas as they stand and what goes before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.governor.allowance import ALL, Allowance, quotas_in
from core.governor.asks import Reading
from core.governor.governor import Governor
from core.governor.line import Away
from core.limits import Quota

LAST = datetime.max.replace(tzinfo=UTC)

Wait = Literal["date", "quota", "platform", "account", "unknown"]
"""What a delivery waits for: its date (now, where that has passed), calls of the platform's, the platform's end of an
outage, a new consent for its account, or what nobody can tell because Redis is away."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery to be: at which account, when at the earliest, and how many calls of which category it takes."""

    account_id: UUID
    at: datetime
    calls: Mapping[str, int]


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When it would go out, foretold and not booked; None where that hangs on something that nobody can foresee."""

    at: datetime | None
    waits: Wait


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands: whose allowance it uses, and what holds it up whatever the quotas."""

    platform: str
    grant_id: UUID
    lane_id: int | None
    app: str
    quotas: list[Any]
    state: str
    blocked_until: datetime | None
    down: bool
    now: datetime


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one lane that go before, of a category, in the last so many seconds before a moment."""

    seconds: int
    category: str
    lane_id: int
    own: bool
    calls: int


class Foresight:
    """Foretells, and books nothing. `quotas` are what each platform allows, as this server is set up."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        governor: Governor,
        quotas: Mapping[str, tuple[Quota, ...]],
    ) -> None:
        self._pool = pool
        self._governor = governor
        self._quotas = quotas
        self._sql = queries("core.governor")

    async def of(self, organization_id: UUID, wishes: Sequence[Wish]) -> list[Forecast]:
        """A forecast for each wish, in their order: each goes behind those of the same account before it."""
        told: dict[tuple[UUID, str], int] = defaultdict(int)
        return [await self._one(organization_id, wish, told) for wish in wishes]

    async def _one(self, organization_id: UUID, wish: Wish, told: dict[tuple[UUID, str], int]) -> Forecast:
        standing = await self._standing(organization_id, wish.account_id)
        if standing is None or standing.state == "needs_reauth":
            return Forecast(at=None, waits="account")
        if standing.down:
            return Forecast(at=None, waits="platform")
        start = max(wish.at, standing.now)
        allowance = Allowance.of(
            standing.platform,
            standing.app,
            standing.grant_id,
            self._quotas.get(standing.platform, ()),
            quotas_in(standing.quotas),
        )
        try:
            readings = await self._governor.look(allowance.app, allowance.every_window())
        except Away:
            return Forecast(at=None, waits="unknown")
        before = await self._before(standing, start, [quota.seconds for quota in allowance.quotas])
        lead = (start - standing.now).total_seconds()
        delay = 0.0
        for quota, reading in zip(allowance.quotas, readings, strict=True):
            own = sum(calls for category, calls in wish.calls.items() if quota.category in (category, ALL))
            if own:
                ahead = ahead_of(quota, before, standing.lane_id) + told[standing.grant_id, reading.window.name]
                told[standing.grant_id, reading.window.name] += own
                delay = max(delay, foretold(reading, ahead, own, lead))
        blocked = (standing.blocked_until - start).total_seconds() if standing.blocked_until else 0.0
        delay = max(delay, blocked)
        if delay > (LAST - start).total_seconds():
            return Forecast(at=None, waits="quota")
        return Forecast(at=start + timedelta(seconds=delay), waits="quota" if delay > 0 else "date")

    async def _standing(self, organization_id: UUID, account_id: UUID) -> Standing | None:
        rows = await self._rows("standing", {"organization_id": organization_id, "id": account_id})
        return msgspec.convert(rows[0], Standing) if rows else None

    async def _before(self, standing: Standing, at: datetime, seconds: Sequence[int]) -> list[Before]:
        values = {
            "platform": standing.platform,
            "app": standing.app,
            "grant_id": standing.grant_id,
            "at": at,
            "seconds": Jsonb(sorted(set(seconds))),
        }
        return msgspec.convert(await self._rows("before", values), list[Before]) if seconds else []

    async def _rows(self, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[name], values)
            return await cursor.fetchall()


def foretold(reading: Reading, ahead: int, own: int, lead: float = 0.0) -> float:
    """In how many seconds `own` calls could go whose time comes in `lead` seconds, with so many `ahead` of them.

    What is used now counts no more by then, where the window is shorter than the lead.
    """
    window = reading.window.seconds
    counted = reading.used + reading.booked if lead < window else 0
    free_in = max(reading.free_in - lead, 0.0)
    over = counted + ahead + own - reading.limit
    if over <= 0:
        return free_in
    # The first of those that do not fit goes when the window is free again, and with it as many as it holds.
    first = free_in if counted >= reading.limit else window
    return first + (over - 1) // max(reading.limit, 1) * window


def ahead_of(quota: Quota, before: Sequence[Before], lane_id: int | None) -> int:
    """The calls that go first: all of the own lane's, and of each other no more, for lanes take turns."""
    lanes: dict[int, int] = defaultdict(int)
    for row in before:
        counts = quota.category in (row.category, ALL) and (row.own or quota.scope == "app")
        if counts and row.seconds == quota.seconds:
            lanes[row.lane_id] += row.calls
    mine = lanes.pop(lane_id, 0) if lane_id is not None else 0
    return mine + sum(min(calls, mine + 1) for calls in lanes.values())
