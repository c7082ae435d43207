"""Bodies of requests on their way out: handed out in pieces, each of which the peer has to take within a bound."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import httpx

PIECE = 64 * 1024
"""How much is handed out at a time (bytes)."""


class Stall:
    """The bound on a body that the peer does not take, which aiohttp lacks: moved on with every piece."""

    def __init__(self, request: httpx.Request) -> None:
        given = request.extensions.get("timeout", {})
        write, read = given.get("write"), given.get("read")
        # After the last piece the bound has to outlast the wait for the answer, which is aiohttp's to time.
        self._seconds = None if write is None or read is None else write + read
        self._bound: asyncio.Timeout | None = None
        self.expired = False

    async def __aenter__(self) -> None:
        self._bound = asyncio.timeout(None)
        await self._bound.__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        bound, self._bound = self._bound, None
        if bound is not None:
            try:
                await bound.__aexit__(*raised)
            finally:
                self.expired = bound.expired()

    def move_on(self) -> None:
        """A piece is being handed out: the time starts again."""
        if self._bound is not None and self._seconds is not None and not self._bound.expired():
            self._bound.reschedule(asyncio.get_running_loop().time() + self._seconds)


class Body(AsyncIterable[bytes]):
    """A request's body, handed out once the connection is there; keeps the error that stopped it."""

    def __init__(self, pieces: AsyncIterable[bytes], handed_out: Callable[[], None]) -> None:
        self._pieces = pieces
        self._handed_out = handed_out
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                self._handed_out()
                yield piece
        except Exception as error:
            self.failure = error
            raise


def outgoing(request: httpx.Request, stall: Stall) -> bytes | Body | None:
    """What aiohttp is given for a request's body: bytes where it is small and at hand, nothing where it is empty."""
    try:
        content = request.content
    except httpx.RequestNotRead:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return Body(request.stream, stall.move_on)
    # Below this size it fits into the socket's buffer at once and cannot stall.
    return Body(_sliced(content), stall.move_on) if len(content) > PIECE // 2 else content or None


async def _sliced(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
