"""The rate meter: how the windows of an account stand, what waits for them, and when a new post would go out."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.governor.allowance import ALL, Allowance, quotas_in
from core.governor.asks import Reading
from core.governor.governor import Governor
from core.limits import Quota

BUSY_MOST = 1000
"""Of so many accounts gauges are told at most, those that something waits for."""


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """One window: its quota, how it stands, the calls that wait for it, and when a new post's would go, in seconds."""

    quota: Quota
    reading: Reading
    queue: int

    @property
    def eta(self) -> float:
        """Foretold, not booked: after those that wait already, window by window."""
        over = self.reading.used + self.reading.booked + self.queue + 1 - self.reading.limit
        if over <= 0:
            return self.reading.free_in
        return self.reading.free_in + (over - 1) // max(self.reading.limit, 1) * self.reading.window.seconds


class RateMeter:
    """Reads the windows of accounts. `quotas` are what each platform allows, as this server is set up."""

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

    async def of(self, organization_id: UUID, account_id: UUID) -> list[Gauge]:
        """Every window of an account. Raises `NotFound` for a stranger's, and `Away`."""
        async with single(self._pool) as connection:
            values = {"organization_id": organization_id, "id": account_id}
            row = await (await connection.execute(self._sql["account"], values)).fetchone()
            if row is None:
                raise NotFound("There is no such account.")
            platform, grant_id, app, own = row
            values = {"platform": platform, "app": app, "grant_id": grant_id}
            waiting = [each async for each in await connection.execute(self._sql["queue"], values)]
        allowance = Allowance.of(platform, app, grant_id, self._quotas.get(platform, ()), quotas_in(own))
        readings = await self._governor.look(allowance.app, allowance.every_window())
        return [
            Gauge(quota=quota, reading=reading, queue=_queue(quota, waiting))
            for quota, reading in zip(allowance.quotas, readings, strict=True)
        ]

    async def busy(self) -> list[tuple[str, Reading]]:
        """The windows of all accounts that something waits for, each with its app. Raises `Away`."""
        async with single(self._pool) as connection:
            grants = [row async for row in await connection.execute(self._sql["busy"], {"limit": BUSY_MOST})]
        windows: dict[str, dict[str, Any]] = {}
        for grant_id, platform, app, own in grants:
            allowance = Allowance.of(platform, app, grant_id, self._quotas.get(platform, ()), quotas_in(own))
            windows.setdefault(allowance.app, {}).update({each.name: each for each in allowance.every_window()})
        return [
            (app, reading)
            for app, each in windows.items()
            for reading in await self._governor.look(app, [*each.values()])
        ]


def _queue(quota: Quota, waiting: list[tuple[str, int, int]]) -> int:
    """The calls that wait for a window: those of its category, of its account or of the whole app."""
    return sum(
        everybody if quota.scope == "app" else own
        for category, own, everybody in waiting
        if quota.category in (category, ALL)
    )
