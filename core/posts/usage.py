"""Usage: how much was posted and uploaded, and what a platform lets an account post in a day."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import NotFound
from core.governor.allowance import ALL, quotas_in
from core.limits import Quota
from core.tenants.callers import WHOLE, Reach

BOUNDLESS = 2**53 - 1
"""What stands for no limit: the largest whole number that every reader of JSON keeps (RFC 8259 §6)."""

_DAY = 86_400


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """So many are used; where nothing limits them, `limit` is the largest number there is."""

    used: int
    limit: int
    remaining: int

    @classmethod
    def of(cls, used: int, limit: int = BOUNDLESS) -> "Use":
        """With what remains."""
        return cls(used=used, limit=limit, remaining=max(limit - used, 0))


class DailyUse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What went out at an account on a day, and how much its platform takes in one."""

    date: str
    social_account_id: UUID
    type: str
    posts: Use
    comments: Use


class Imported(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An account, and what was imported of it."""

    id: UUID
    type: str
    username: str | None
    display_name: str | None
    used: int = 0
    limit: int = 0
    remaining: int = 0


class Usage:
    """Counts what an organization has used; nothing is billed. `quotas` are those of each platform."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        adapters: Mapping[str, AnyAdapter],
        quotas: Mapping[str, tuple[Quota, ...]],
    ) -> None:
        self._pool = pool
        self._adapters = adapters
        self._quotas = quotas
        self._sql = queries("core.posts", "usage.sql")

    async def posts(self, organization_id: UUID, now: datetime, within: Reach = WHOLE) -> Use:
        """Posts that were made in the month (UTC) of `now`."""
        since = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return Use.of(await self._count("posts", organization_id=organization_id, since=since, **within.values))

    async def uploads(self, organization_id: UUID, within: Reach = WHOLE) -> Use:
        """Uploads that are held; what bounds them is their size."""
        return Use.of(await self._count("uploads", organization_id=organization_id, **within.values))

    async def daily(self, organization_id: UUID, account_id: UUID, day: date, within: Reach = WHOLE) -> DailyUse:
        """What went out at an account on a day (UTC). Raises `NotFound` for a stranger's."""
        whose = {"organization_id": organization_id, "id": account_id}
        rows = await self._rows("account", **whose, **within.values)
        if not rows:
            raise NotFound("There is no such account.")
        platform, own = rows[0]["platform"], rows[0]["quotas"]
        used = await self._count("published", **whose, since=datetime.combine(day, time(), UTC))
        return DailyUse(
            date=day.isoformat(),
            social_account_id=account_id,
            type=platform,
            posts=Use.of(used, self._in_a_day(platform, quotas_in(own))),
            # First comments are not published.
            comments=Use.of(0, 0),
        )

    async def imports(
        self, organization_id: UUID, within: Reach, wanted: Mapping[str, Any], *, limit: int, offset: int
    ) -> tuple[list[Imported], int]:
        """A page of the accounts that are `wanted` (`team_id`, `type`, `id`), and how many there are of them."""
        values = {"team_id": None, "type": None, "id": None, **wanted, "limit": limit, "offset": offset}
        rows = await self._rows("accounts", organization_id=organization_id, **within.values, **values)
        total = rows[0]["total"] if rows else 0
        names = Imported.__struct_fields__[:4]
        return [Imported(**{name: row[name] for name in names}) for row in rows], total

    def _in_a_day(self, platform: str, own: tuple[Quota, ...]) -> int:
        """The most posts in a day: where each takes but one call of the tightest window that counts writes."""
        adapter = self._adapters.get(platform)
        if adapter is None:
            return 0
        told = {(quota.scope, quota.category) for quota in own}
        declared = [q for q in self._quotas.get(platform, ()) if (q.scope, q.category) not in told]
        writes = {category for call, category in adapter.operations.items() if not call.startswith("GET ")}
        bounds = [q.calls * max(_DAY // q.seconds, 1) for q in (*own, *declared) if q.category in {*writes, ALL}]
        return min(bounds, default=BOUNDLESS)

    async def _count(self, name: str, **values: Any) -> int:
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql[name], values)).fetchone()
        assert row is not None
        count: int = row[0]
        return count

    async def _rows(self, name: str, **values: Any) -> list[dict[str, Any]]:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[name], values)
            return await cursor.fetchall()
