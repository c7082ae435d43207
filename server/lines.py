"""Lines of a request as they come in, and an answer that goes out meanwhile (newline-delimited JSON)."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from litestar import Request, Response
from litestar.types import Receive, Scope, Send

from server.spool import Spool

NDJSON = "application/x-ndjson"


class LineTooLong:
    """Stands for a line that was longer than its reader takes; it was passed over."""


async def lines(chunks: AsyncIterable[bytes], longest: int) -> AsyncIterator[list[bytes | LineTooLong]]:
    """The lines that end in each chunk of a body, empty ones left out; never more than one line is kept."""
    rest, skipping = bytearray(), False
    async for chunk in chunks:
        *ended, last = chunk.split(b"\n")
        found: list[bytes | LineTooLong] = []
        for piece in ended:
            rest += piece
            if skipping or len(rest) > longest:
                found.append(LineTooLong())
            elif rest.strip():
                found.append(bytes(rest))
            rest.clear()
            skipping = False
        rest += last
        if len(rest) > longest:
            rest.clear()
            skipping = True
        if found:
            yield found
    if skipping:
        yield [LineTooLong()]
    elif rest.strip():
        yield [bytes(rest)]


class StreamedAnswer(Response[Any]):
    """An answer that `work` writes into a spool while the body of the request is still coming in.

    It is sent as it is written. A client that reads nothing before it has sent everything is waited for.
    """

    def __init__(self, work: Callable[[Spool], Awaitable[None]]) -> None:
        super().__init__(None, media_type=NDJSON)
        self._work = work

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **options: Any) -> Any:
        """The application that sends it: Litestar's own would listen for an early end, and lose the body to it."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        spool = Spool()
        working = asyncio.create_task(self._worked(spool))
        headers = [(b"content-type", NDJSON.encode()), (b"x-accel-buffering", b"no")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for piece in spool.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            await working
        finally:
            working.cancel()

    async def _worked(self, spool: Spool) -> None:
        try:
            await self._work(spool)
        finally:
            spool.end()
