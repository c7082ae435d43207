"""The faults that can be switched on in every sandbox, one small class each."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NoReturn

import msgspec
from aiohttp import web
from msgspec import Meta

from core.sandbox.exchange import Exchange
from core.sandbox.match import Match

MIDWAY_BYTES = 64 * 1024
"""How much of a body is read at a time before its connection is dropped."""

PIECES = 20
"""Into how many pieces a slow body is cut."""

Status = Annotated[int, Meta(ge=200, le=599)]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong with calls to `on` that fit `match`, how often, and how.

    `times` is how many calls it hits at the most (null: no end), `probability` how likely each is hit, `seconds`
    how long it lasts, `status`, `body` and `headers` what is answered. A kind ignores what it does not need.
    """

    name: ClassVar[str] = ""

    on: str
    match: Match = Match()
    times: Annotated[int, Meta(ge=1)] | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    status: Status | None = 500
    body: Any = None
    headers: dict[str, str] = {}

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Gives the call its answer, or none."""
        raise NotImplementedError(self.name)

    def error(self, exchange: Exchange) -> web.Response:
        """The answer that `status`, `body` and `headers` make."""
        return exchange.answer(self.status or 500, self.body, self.headers)


class Error(Fault, frozen=True, kw_only=True):
    """Answers `status` and `body` without doing the work."""

    name = "error"

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Answers the error."""
        return self.error(exchange)


class ErrorAfter(Fault, frozen=True, kw_only=True):
    """Does the work, then answers `status` and `body` as if it had not."""

    name = "error_after"

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, then answers the error."""
        await exchange.work()
        return self.error(exchange)


class ResetBefore(Fault, frozen=True, kw_only=True):
    """Drops the connection instead of doing the work."""

    name = "reset_before"

    async def apply(self, exchange: Exchange) -> NoReturn:
        """Drops."""
        await exchange.drop()


class ResetMidway(Fault, frozen=True, kw_only=True):
    """Drops the connection when half of a form has come in that is too large to be held; the work is not done."""

    name = "reset_midway"

    async def apply(self, exchange: Exchange) -> NoReturn:
        """Reads half, then drops."""
        left = (exchange.request.content_length or 0) // 2
        while left > 0 and (piece := await exchange.request.content.read(min(left, MIDWAY_BYTES))):
            left -= len(piece)
        await exchange.drop()


class ResetAfter(Fault, frozen=True, kw_only=True):
    """Does the work, then drops the connection without a byte of answer."""

    name = "reset_after"

    async def apply(self, exchange: Exchange) -> NoReturn:
        """Works, then drops."""
        await exchange.work()
        await exchange.drop()


class HangBefore(Fault, frozen=True, kw_only=True):
    """Does nothing for `seconds`, then works and answers; a client that goes meanwhile leaves nothing done."""

    name = "hang_before"
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Hangs, then works."""
        await asyncio.sleep(self.seconds)
        return await exchange.work()


class HangAfter(Fault, frozen=True, kw_only=True):
    """Works at once, but answers only after `seconds`."""

    name = "hang_after"
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, then hangs."""
        answer = await exchange.work()
        await asyncio.sleep(self.seconds)
        return answer


class Slow(Fault, frozen=True, kw_only=True):
    """Works at once and answers the truth, the body in small pieces over `seconds`."""

    name = "slow"
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 5.0

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, then dribbles."""
        answer = await exchange.work()
        body = answer.body if isinstance(answer, web.Response) else None
        if not isinstance(body, bytes) or not body:
            await asyncio.sleep(self.seconds)
            return answer
        try:
            return await self._dribble(exchange.request, answer, body)
        except ConnectionError:
            await exchange.drop()

    async def _dribble(self, request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
        slow = web.StreamResponse(status=answer.status, headers=answer.headers)
        slow.content_length = len(body)
        await slow.prepare(request)
        step = -(-len(body) // PIECES)
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        for piece in pieces:
            await asyncio.sleep(self.seconds / len(pieces))
            await slow.write(piece)
        await slow.write_eof()
        return slow


class Garbage(Fault, frozen=True, kw_only=True):
    """Does the work, then answers 200 with bytes that are not JSON, as a broken proxy does."""

    name = "garbage"

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, then answers garbage."""
        await exchange.work()
        return web.Response(body=b'\xff\xfe{"id": <br>', content_type="application/json")


class Late(Fault, frozen=True, kw_only=True):
    """Drops the connection, or answers `status` where one is given, and does the work only `seconds` later.

    The client's going does not stop it; the sandbox's end does. `POST /_sandbox/late` has it done at once.
    """

    name = "late"
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 20.0
    status: Status | None = None

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Puts the work off, then drops or answers the error."""
        exchange.work_later(self.seconds)
        if self.status is None:
            await exchange.drop()
        return self.error(exchange)


FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Error,
            ErrorAfter,
            ResetBefore,
            ResetMidway,
            ResetAfter,
            HangBefore,
            HangAfter,
            Slow,
            Garbage,
            Late,
        )
    }
)
"""Every kind of fault by the name under which it is switched on; a platform may add its own."""
