"""A record of what a sandbox was sent and what it answered, whole, for whoever wants to judge it."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from core.sandbox.control import PREFIX

FAULT = web.RequestKey("fault", str)
"""The name of the fault that a call met."""

CREDENTIALS = "Authorization"


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One call and its answer, as they went over the wire.

    `path` has the query. Of the header `Authorization` only the scheme is kept. `body` is null where a call was broken
    off and where a form has files in it; `status` is null where no answer was given. `fault` names the fault that
    made the answer, or kept it back.
    """

    platform: str
    method: str
    path: str
    headers: dict[str, str]
    body: str | None
    status: int | None
    answer_headers: dict[str, str]
    answer: str | None
    fault: str | None


Witness = Callable[[Recorded], None]


class Recorder:
    """Tells a witness of every call to one platform, as the outermost middleware of its application."""

    def __init__(self, platform: str, witness: Witness) -> None:
        self._platform = platform
        self._witness = witness

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets the call be answered, and tells of it whatever becomes of it."""
        answer: web.StreamResponse | None = None
        try:
            answer = await handler(request)
            return answer
        finally:
            if not request.path.startswith(PREFIX):
                self._witness(self._recorded(request, answer))

    def _recorded(self, request: web.Request, answer: web.StreamResponse | None) -> Recorded:
        # A call that was broken off has no body; reading it now would wait for it.
        sent = None if request.content_type.startswith("multipart/") else request._read_bytes
        content = answer.body if isinstance(answer, web.Response) else None
        headers = dict(request.headers)
        if CREDENTIALS in headers:
            headers[CREDENTIALS] = headers[CREDENTIALS].partition(" ")[0] + " …"
        return Recorded(
            platform=self._platform,
            method=request.method,
            path=request.path_qs,
            headers=headers,
            body=None if sent is None else sent.decode(errors="replace"),
            status=None if answer is None else answer.status,
            answer_headers={} if answer is None else dict(answer.headers),
            answer=bytes(content).decode(errors="replace") if isinstance(content, bytes) else None,
            fault=request.get(FAULT),
        )


def appending(file: Path) -> Witness:
    """A witness that adds each call to `file`, as one line of JSON. Raises OSError where the file cannot be written."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def witness(recorded: Recorded) -> None:
        # One write a line: several sandboxes may share the file.
        os.write(opened, msgspec.json.encode(recorded) + b"\n")

    return witness
