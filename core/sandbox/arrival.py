"""A call that has arrived, with all that came along."""

from functools import cached_property
from typing import Any

import msgspec
from aiohttp import StreamReader, web


class Arrival:
    """A call, the platform's id of the user behind it, and its body; a form too large to be held has none."""

    def __init__(self, request: web.Request, account: str | None, body: bytes) -> None:
        self.request = request
        self.account = account
        self.body = body

    @cached_property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode(errors="replace")

    @cached_property
    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None


class Held(StreamReader):
    """A body that is here to its last byte, to be read once more; the connection's end takes nothing away."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        super().__init__(request.protocol, len(body) + 1)
        self.feed_data(body)
        self.feed_eof()

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Keeps what it has."""


async def body_of(request: web.Request) -> bytes | None:
    """The body, which the handler can still read in any way; None for a form that is too large to be held.

    Raises HTTPRequestEntityTooLarge for anything else that is too large.
    """
    form = request.content_type.startswith("multipart/")
    if form and not 0 <= (request.content_length or -1) <= request.client_max_size:
        return None
    body = await request.read()
    if form:
        # aiohttp reads a form from the stream and not from what was read before.
        request._payload = Held(request, body)
    return body
