"""The limit on callers of the API itself: kept by the same governor as the platforms' quotas."""

from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import TooManyRequests
from core.governor.asks import Reading, Window
from core.governor.governor import Governor
from core.governor.line import Away

APP = "fingerpost:api"
"""Whose windows these are: our own."""

SECONDS = 60.0


class CallerLimited(TooManyRequests):
    """A key has made all the calls that it may; `headers` tell how it stands."""

    def __init__(self, message: str, *, after: float, headers: dict[str, str]) -> None:
        super().__init__(message, after=after)
        self.headers = headers


class CallerLimit(ASGIMiddleware):
    """Lets each API key make so many calls in any minute, and tells in each answer how it stands.

    The headers are `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers. Raises
    `CallerLimited` for what is too much. While Redis is away nobody is held up.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._log = structlog.get_logger(__name__)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count the call, and let it go on."""
        caller = scope.get("user")
        if caller is None or not self._calls:
            await next_app(scope, receive, send)
            return
        governor: Governor = scope["litestar_app"].state.governor
        window = Window(name=f"{caller.key_id.hex}:calls:{SECONDS:g}", calls=self._calls, seconds=SECONDS)
        try:
            reading, delay = await governor.count(APP, window, uuid4().hex)
        except Away as error:
            self._log.warning("callers_not_limited", error=error.message)
            await next_app(scope, receive, send)
            return
        if delay > 0:
            raise CallerLimited(
                f"This API key may make {self._calls} calls in {SECONDS:g} seconds; come back in {delay:.1f} seconds.",
                after=delay,
                headers=_headers(reading),
            )
        headers = [(name.lower().encode(), value.encode()) for name, value in _headers(reading).items()]

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await next_app(scope, receive, told)


def _headers(reading: Reading) -> dict[str, str]:
    remaining = max(reading.limit - reading.used, 0)
    return {
        "RateLimit-Policy": f'"key";q={reading.window.calls};w={reading.window.seconds:g}',
        "RateLimit": f'"key";r={remaining};t={reading.free_in:.0f}',
    }
