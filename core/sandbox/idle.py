"""Connections that wait for their next call, and are closed when it does not come in time."""

import asyncio

from aiohttp import web


class IdleConnections:
    """Closes a connection politely, as web servers do (RFC 9112 §9.5), some time after its last answer."""

    def __init__(self) -> None:
        self._timers: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def busy(self, request: web.Request) -> None:
        """A call has come in on its connection, which therefore stays open."""
        timer = self._timers.pop(request.transport, None) if request.transport else None
        if timer is not None:
            timer.cancel()

    def waiting(self, request: web.Request, seconds: float | None) -> None:
        """The call is answered: its connection is closed unless another one comes within `seconds`, None for never."""
        transport = request.transport
        if transport is not None and seconds is not None:
            loop = asyncio.get_running_loop()
            self._timers[transport] = loop.call_later(seconds, self._close, transport)

    def forget(self) -> None:
        """Closes none of those that wait."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _close(self, transport: asyncio.BaseTransport) -> None:
        del self._timers[transport]
        transport.close()
