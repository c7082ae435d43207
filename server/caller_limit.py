"""The limit on callers of the API itself: kept by the same governor as the platforms' quotas."""

import structlog
from litestar.types import Scope

from core.errors import TooManyRequests
from core.governor.asks import Reading, Window
from core.governor.line import Away
from core.governor.tally import Tally
from core.tenants.callers import Caller, Operator

APP = "fingerpost:api"
"""Whose windows these are: our own."""

SECONDS = 60.0


class CallerLimited(TooManyRequests):
    """A key has made all the calls that it may; `headers` tell how it stands."""

    def __init__(self, message: str, *, after: float, headers: dict[str, str]) -> None:
        super().__init__(message, after=after)
        self.headers = headers


class CallerLimit:
    """Lets each API key make so many calls in any minute, and says how it stands; 0 is any number."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._log = structlog.get_logger(__name__)

    async def count(self, scope: Scope, caller: Caller | Operator) -> list[tuple[bytes, bytes]]:
        """Count a call; the headers that tell how its key stands, for the answer.

        They are `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers. Raises `CallerLimited` for
        what is too much. While Redis is away nobody is held up.
        """
        if not self._calls:
            return []
        tally: Tally = scope["litestar_app"].state.tally
        window = Window(name=f"{caller.key_id.hex}:calls:{SECONDS:g}", calls=self._calls, seconds=SECONDS)
        try:
            admitted, reading = await tally.count(window)
        except Away as error:
            self._log.warning("callers_not_limited", error=error.message)
            return []
        if not admitted:
            after = reading.free_in
            raise CallerLimited(
                f"This API key may make {self._calls} calls in {SECONDS:g} seconds; come back in {after:.1f} seconds.",
                after=after,
                headers=_headers(reading),
            )
        return [(name.lower().encode(), value.encode()) for name, value in _headers(reading).items()]


def _headers(reading: Reading) -> dict[str, str]:
    remaining = max(reading.limit - reading.used, 0)
    return {
        "RateLimit-Policy": f'"key";q={reading.window.calls};w={reading.window.seconds:g}',
        "RateLimit": f'"key";r={remaining};t={reading.free_in:.0f}',
    }
