"""One call under way: doing its work, answering it, dropping its connection."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import NoReturn

from aiohttp import web

from core.sandbox.answers import json_answer

Work = Callable[[], Awaitable[web.StreamResponse]]
WorkLater = Callable[[float], None]


class Exchange:
    """What a fault may do with a call."""

    def __init__(
        self, request: web.Request, *, work: Work, work_later: WorkLater, error_body: Callable[[int], object]
    ) -> None:
        self.request = request
        self._work = work
        self._work_later = work_later
        self._error_body = error_body

    async def work(self) -> web.StreamResponse:
        """Does what the call asks for and returns the true answer; a client that goes does not stop it."""
        return await self._work()

    def work_later(self, seconds: float) -> None:
        """Lets what the call asks for be done when `seconds` have passed, whoever still listens then."""
        self._work_later(seconds)

    def answer(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> web.Response:
        """An answer made up: a string is sent as it is, None is the platform's own error body, else JSON."""
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return json_answer(status, self._error_body(status) if body is None else body, headers)

    async def drop(self) -> NoReturn:
        """Resets the connection without another byte (RFC 9293 §3.10.7.1), so that the client has no answer."""
        transport = self.request.transport
        if transport is not None:
            opened = transport.get_extra_info("socket")
            if opened is not None and opened.family != socket.AF_UNIX:
                # Without this the kernel closes politely, and a client may take that for an idle time-out.
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        # The server cancels this task when it learns that the connection is gone; returning would answer.
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a dropped call went on")
