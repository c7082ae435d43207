"""The rate meter of the API: every window of an account, live."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from core.errors import NotFound
from core.governor.meter import Gauge, RateMeter
from core.ids import parse_id
from core.posts.views import timestamp
from core.tenants.callers import Caller
from server.auth import access


class WindowView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One window: `limit` calls of `category` in any `seconds`, for each account or for the whole `app`.

    `limit` is what is in force, which may be less than declared: a setting or the platform itself has said so. `used`
    counts calls that left or are under way, `booked` those that have their moment, `queueAhead` those that wait for
    one. `freeAt` is when the next call could go, `nextPostAt` when that of a post that is made now would.
    """

    category: str
    scope: Literal["account", "app"]
    seconds: int
    limit: int
    used: int
    booked: int
    queue_ahead: int
    free_at: str
    next_post_at: str


class RateMeterView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The windows of an account; `nextPostAt` is when a post that is made now would go out, foretold, not booked."""

    windows: list[WindowView]
    next_post_at: str


class RateMeterController(Controller):
    """How much of a platform's allowance is left; ours, the vendor has no such call."""

    path = "/api/v1/social-account"
    tags = ("Social accounts",)

    @get(
        "/{id:str}/rate-meter",
        operation_id="socialAccountGetRateMeter",
        summary="Read the rate meter of an account",
        opt=access("read", "accounts", id="social_account"),
    )
    async def read(
        self, request: Request[Caller, None, State], rate_meter: NamedDependency[RateMeter], id: FromPath[str]
    ) -> RateMeterView:
        """Every window that counts the account's calls: its limit, what is used, what waits, and when it is free."""
        account_id = parse_id(id)
        if account_id is None:
            raise NotFound("There is no such account.")
        gauges = await rate_meter.of(request.user.organization_id, account_id)
        now = datetime.now(UTC)
        eta = max((gauge.eta for gauge in gauges), default=0.0)
        return RateMeterView(
            windows=[_view(gauge, now) for gauge in gauges], next_post_at=timestamp(now + timedelta(seconds=eta))
        )


def _view(gauge: Gauge, now: datetime) -> WindowView:
    reading = gauge.reading
    return WindowView(
        category=gauge.quota.category,
        scope=gauge.quota.scope,
        seconds=gauge.quota.seconds,
        limit=reading.limit,
        used=reading.used,
        booked=reading.booked,
        queue_ahead=gauge.queue,
        free_at=timestamp(now + timedelta(seconds=reading.free_in)),
        next_post_at=timestamp(now + timedelta(seconds=gauge.eta)),
    )
