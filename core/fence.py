"""The fence: bodies of requests that are handed out only as long as that is allowed."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx

from core.clock import Deadline
from core.errors import Unavailable
from core.streams import PIECE


def with_body(request: httpx.Request, body: httpx.AsyncByteStream) -> httpx.Request:
    """The request with another body."""
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=body, extensions=request.extensions
    )


class HeldBody(httpx.AsyncByteStream):
    """A body of a step that takes its time: as long as it flows the delivery is kept."""

    def __init__(self, body: httpx.AsyncByteStream, hold: Callable[[], Awaitable[None]]) -> None:
        self._body = body
        self._hold = hold

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            await self._hold()
            yield piece


class FencedBody(httpx.AsyncByteStream):
    """A request's body that is only handed out before the deadline: by then the connection stands.

    It goes in pieces that fit into a connection's buffers: of a large one, what a frozen process had not yet handed
    over would go out when it thaws. A request that is not whole makes nothing (RFC 9112 §8).
    """

    def __init__(self, body: httpx.AsyncByteStream, deadline: Deadline) -> None:
        self._body = body
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            # An empty body is one piece as well.
            for start in range(0, max(len(chunk), 1), PIECE):
                if self._deadline.remaining <= 0:
                    raise Unavailable("The lease ended before the request was written; nothing was made.")
                yield chunk[start : start + PIECE]
