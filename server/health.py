"""Health: whether this server can do its work, asked by load balancers and by bundle.social's clients."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import redis.asyncio
from litestar import Response, get
from litestar.di import NamedDependency
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.queries import queries
from core.posts.views import timestamp
from core.registry import Registry
from server.auth import OPEN

PATIENCE_SECONDS = 2.0
"""How long a server of ours may take to answer before it counts as down."""

AWAY = "A server that we need is away."
TROUBLED = "It does not answer our calls; posts to it wait, and go out by themselves when it is back."
PARTLY = "A server of it does not answer our calls; posts to that one wait, and go out by themselves when it is back."

ABSENT = (
    "No adapter for it is installed on this server, so nothing can be posted to it. "
    "Install one; GET /api/v1/platforms lists what is served."
)

Word = Literal["ok", "down"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is ok only where everything is; it comes with HTTP 503 otherwise."""

    status: Word
    database: Word
    redis: Word


class PlatformHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a platform fares, as bundle.social words it."""

    status: Literal["operational", "degraded", "outage", "maintenance"]
    note: str


class ApiHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """bundle.social's health answer; `platforms` has those that are served here, and those that its clients know.

    One for which no adapter is installed is in an `outage`, whose note says so; `status` is of this server alone.
    """

    status: str
    created_at: str
    note: str
    platforms: dict[str, PlatformHealth]


OUTAGE = PlatformHealth(status="outage", note=TROUBLED)
DEGRADED = PlatformHealth(status="degraded", note=PARTLY)
UNSERVED = PlatformHealth(status="outage", note=ABSENT)


class Pulse:
    """Feels whether PostgreSQL and Redis answer."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], client: redis.asyncio.Redis) -> None:
        self._pool = pool
        self._client = client

    async def feel(self) -> Health:
        """Both at the same time; never raises, and never takes longer than the patience."""
        database, cache = await asyncio.gather(_answers(self._select()), _answers(self._ping()))
        status: Word = "ok" if database == cache == "ok" else "down"
        return Health(status=status, database=database, redis=cache)

    async def troubled(self) -> dict[str, PlatformHealth]:
        """The platforms that are in an outage, or a server of theirs, as far as our own calls tell."""
        async with self._pool.connection(timeout=PATIENCE_SECONDS) as connection:
            cursor = await connection.execute(queries("server", "health.sql")["troubled"])
            return {platform: OUTAGE if usual else DEGRADED async for platform, usual in cursor}

    async def _select(self) -> None:
        async with self._pool.connection(timeout=PATIENCE_SECONDS) as connection:
            await connection.execute("select 1")

    async def _ping(self) -> None:
        await self._client.ping()


async def _answers(call: Awaitable[None]) -> Word:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await call
    except Exception:  # noqa: BLE001 - whatever it is, it does not answer
        return "down"
    return "ok"


@get("/health", opt={OPEN: True}, tags=["Health"], operation_id="health", summary="Health of this server")
async def health(pulse: NamedDependency[Pulse]) -> Response[Health]:
    """Whether the database and Redis answer; HTTP 503 where one does not."""
    felt = await pulse.feel()
    return Response(felt, status_code=200 if felt.status == "ok" else 503)


@get(
    "/api/v1",
    opt={OPEN: True},
    tags=["Health"],
    operation_id="appGetHealth",
    summary="Health in bundle.social's words",
)
async def api_health(pulse: NamedDependency[Pulse], registry: NamedDependency[Registry]) -> ApiHealth:
    """Whether posts are taken in and sent, platform by platform: in an outage they wait, and nothing is lost.

    A platform for which no adapter is installed takes no posts, and is told as an outage with a note that says so.
    """
    felt = await pulse.feel()
    well = felt.status == "ok"
    troubled = await pulse.troubled() if felt.database == "ok" else {}
    others = PlatformHealth(status="operational" if well else "outage", note="" if well else AWAY)
    served = {platform: troubled.get(platform, others) for platform in registry}
    return ApiHealth(
        status="ok" if well else "error",
        created_at=timestamp(datetime.now(UTC)),
        note="" if well else AWAY,
        platforms=dict(sorted({**dict.fromkeys(registry.vocabulary, UNSERVED), **served}.items())),
    )
