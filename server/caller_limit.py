"""The limit on callers of the API itself: kept by the same governor as the platforms' quotas."""

from collections.abc import Awaitable

import structlog
from litestar.types import Scope

from core.errors import TooManyRequests
from core.governor.asks import Reading, Window
from core.governor.line import Away
from core.governor.tally import Tally
from core.tenants.callers import Caller, Operator
from server.access import answer_headers

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

    def count(self, scope: Scope, caller: Caller | Operator) -> "Counted":
        """Count a call from now on."""
        if not self._calls:
            return Counted(scope, None)
        tally: Tally = scope["litestar_app"].state.tally
        window = Window(name=f"{caller.key_id.hex}:calls:{SECONDS:g}", calls=self._calls, seconds=SECONDS)
        return Counted(scope, tally.count(window))


class Counted:
    """A call that is being counted beside what else is done for it."""

    def __init__(self, scope: Scope, answer: Awaitable[tuple[bool, Reading]] | None) -> None:
        self._scope = scope
        self._answer = answer
        self._refusal: CallerLimited | None = None

    async def over(self) -> None:
        """Wait until it is counted, and tell in the answer how its key stands. Raises `CallerLimited` for one too many.

        The headers are `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers. While Redis is away
        nobody is held up.
        """
        if self._answer is not None:
            answer, self._answer = self._answer, None
            try:
                self._tell(*await answer)
            except Away as error:
                structlog.get_logger(__name__).warning("callers_not_limited", error=error.message)
        if self._refusal is not None:
            raise self._refusal

    def _tell(self, admitted: bool, reading: Reading) -> None:
        headers = _headers(reading)
        if admitted:
            told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            answer_headers(self._scope).extend(told)
            return
        calls, after = reading.window.calls, reading.free_in
        words = f"This API key may make {calls} calls in {SECONDS:g} seconds; come back in {after:.1f} seconds."
        self._refusal = CallerLimited(words, after=after, headers=headers)


def _headers(reading: Reading) -> dict[str, str]:
    remaining = max(reading.limit - reading.used, 0)
    return {
        "RateLimit-Policy": f'"key";q={reading.window.calls};w={reading.window.seconds:g}',
        "RateLimit": f'"key";r={remaining};t={reading.free_in:.0f}',
    }
