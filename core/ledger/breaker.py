"""The breaker of a server: in an outage nothing is spent, and the server is only asked whether it is back."""

from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import OutcomeUnknown, PublishError, Unavailable
from core.ledger.ledger import PROBE_SECONDS, LeaseLost, Ledger
from core.ledger.moves import Failure, Outcome, Subject
from core.ledger.states import State

FAILURES_ALLOWED = 3
"""So many failures in a row, over all workers, and the server counts as being in trouble."""

DOWN = Failure(
    code="platform_down",
    message="The platform does not answer at present.",
    hint="It goes out by itself as soon as the platform is back.",
)


class Breaker:
    """Counts failures in a row for each server of each platform, for all workers together.

    `server` is the base URL of an account's own one, and empty where it is on the platform's usual one.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], ledger: Ledger) -> None:
        self._pool = pool
        self._ledger = ledger
        self._sql = queries("core.ledger")
        self._troubled: set[tuple[str, str]] = set()

    async def saw(self, platform: str, server: str, error: Exception | None) -> None:
        """Take note of how a call to a server ended; `error` is None where it went well."""
        if error is None or not _is_trouble(error):
            if (platform, server) in self._troubled:
                await self.close(platform, server)
            return
        self._troubled.add((platform, server))
        values = {"platform": platform, "server": server, "allowed": FAILURES_ALLOWED, "probe": PROBE_SECONDS}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["trouble"], values)).fetchone()
        if row and row[0]:
            await self._defer(platform, server)

    async def close(self, platform: str, server: str) -> None:
        """The server is back: everything goes on."""
        self._troubled.discard((platform, server))
        async with single(self._pool) as connection:
            await connection.execute(self._sql["recovered"], {"platform": platform, "server": server})
        self._ledger.notices.tell("deliveries")

    async def _defer(self, platform: str, server: str) -> None:
        """What stands in the queue waits, at no cost."""
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["queued"], {"platform": platform, "server": server, "limit": 2000})
            subjects = [msgspec.convert(row, Subject) async for row in cursor]
        await self._ledger.settle_all(
            [(subject, Outcome(state=State.DEFERRED, due_in=0.0, error=DOWN)) for subject in subjects]
        )


def _is_trouble(error: Exception) -> bool:
    """Whether an error speaks of the platform, and not of the post."""
    if isinstance(error, LeaseLost) or not isinstance(error, Unavailable | OutcomeUnknown):
        return False
    assert isinstance(error, PublishError)
    return error.http_status is None or error.http_status >= 500
