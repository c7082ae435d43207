"""The door: whose key a request bears, whether it may call now, and whether its route serves it."""

import asyncio
from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Receive, Scope, Send

from server.auth import admit, authenticate, is_open
from server.caller_limit import CallerLimit, Counted

MEANWHILE = "meanwhile"
"""The mark of a route that begins before it is known whether the call is one too many, and asks for it by `counted`."""

_COUNTED = "counted"


class Door:
    """A middleware of every route: lets in who may come in, as the request's user.

    One for all three, and without a wrapper around what is answered: it stands in the way of every call.
    """

    def __init__(self, limit: CallerLimit) -> None:
        self._limit = limit

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The door before an application."""

        async def enter(scope: Scope, receive: Receive, send: Send) -> None:
            if is_open(scope):
                await app(scope, receive, send)
                return
            caller = await authenticate(scope)
            scope["user"], scope["auth"] = caller, None
            call = self._limit.count(scope, caller)
            if not scope["route_handler"].opt.get(MEANWHILE):
                await call.over()
                await admit(scope, caller)
                await app(scope, receive, send)
                return
            scope["state"][_COUNTED] = call
            # The question is on its way when this goes on.
            await asyncio.sleep(0)
            try:
                await admit(scope, caller)
                await app(scope, receive, send)
            finally:
                # What else stands against it, one too many is told that it is.
                await call.over()

        return enter


async def counted(request: Request[Any, Any, Any]) -> None:
    """Wait until a call is counted whose route goes on `MEANWHILE`. Raises `CallerLimited` for one too many."""
    call: Counted = request.scope["state"][_COUNTED]
    await call.over()
