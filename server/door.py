"""The door: whose key a request bears, whether it may call now, and whether its route serves it."""

from litestar.types import ASGIApp, Receive, Scope, Send

from server.access import answer_headers
from server.auth import admit, authenticate, is_open
from server.caller_limit import CallerLimit


class Door:
    """A middleware of every route: lets in who may come in, as the request's user.

    One for all three, and without a wrapper around what is answered: it stands in the way of every call.
    """

    def __init__(self, limit: CallerLimit) -> None:
        self._limit = limit

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The door before an application."""

        async def enter(scope: Scope, receive: Receive, send: Send) -> None:
            if not is_open(scope):
                caller = await authenticate(scope)
                scope["user"], scope["auth"] = caller, None
                answer_headers(scope).extend(await self._limit.count(scope, caller))
                await admit(scope, caller)
            await app(scope, receive, send)

        return enter
