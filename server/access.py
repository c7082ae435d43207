"""The access log: every request gets an id, which every answer carries, and one line when it is over."""

import os
import re
from uuid import UUID

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from msgspec import UNSET, UnsetType

from core import logs
from core.clock import elapsed
from core.tenants.callers import Caller, Operator

_CALLERS = (Caller, Operator)

HEADER = "x-request-id"
_HEADER = HEADER.encode()

_KEPT = "answer_headers"

_FIT = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# What follows these opens a door, to an end user's page or to a file; it is not written down.
_SECRET_PATH = re.compile(r"^((?:/[^/]*)?/connect/(?=[A-Za-z0-9_-]{20,})|/media/|/api/v1/upload/put/).+")


class _Request(logs.Line, kw_only=True, tag="request"):
    method: str
    path: str
    status: int
    ms: float
    key: UUID | UnsetType = UNSET
    organization: UUID | UnsetType = UNSET
    request_id: str


class AccessLog:
    """Wraps an ASGI application. Queries, bodies and headers are not logged: keys and texts may stand in them.

    A client's own id for the request is kept, if it is short and plain.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = _given_id(scope) or os.urandom(16).hex()
        start = elapsed()
        status = 0
        headers = answer_headers(scope)
        headers.append((_HEADER, request_id.encode()))

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        # Each request has a task of its own, and with it a context that nobody reads afterwards.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, marked)
        finally:
            logs.write(_line(scope, request_id, status, elapsed() - start))


def _line(scope: Scope, request_id: str, status: int, seconds: float) -> _Request:
    caller, path = scope.get("user"), scope["path"]
    if secret := _SECRET_PATH.match(path):
        path = f"{secret[1]}…"
    return _Request(
        method=scope["method"] if scope["type"] == ScopeType.HTTP else "",
        path=path,
        status=status,
        ms=round(seconds * 1000, 1),
        key=caller.key_id if isinstance(caller, _CALLERS) else UNSET,
        organization=caller.organization_id if isinstance(caller, Caller) else UNSET,
        request_id=request_id,
    )


def answer_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers that the answer to this request bears whatever it is; whoever has one to tell adds it."""
    headers: list[tuple[bytes, bytes]] = scope["state"].setdefault(_KEPT, [])
    return headers


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of a request with this name, in lower case."""
    for each, value in scope["headers"]:
        if each == name:
            return value
    return None


def _given_id(scope: Scope) -> str | None:
    given = header(scope, _HEADER)
    return given.decode() if given and _FIT.fullmatch(given) else None
