"""Outbound calls to platforms: free to the hosts that the operator set, and past the guard to any other."""

from collections.abc import Iterable

import httpx

from core.guard import Guard
from core.http import open_transport


def open_platforms(guard: Guard, urls: Iterable[str]) -> httpx.AsyncBaseTransport:
    """A transport for sessions: calls to the hosts of `urls` are let out, all others have to pass the guard.

    Where an account is on a server of its own, a client named that server.
    """
    return _Platforms(open_transport(guard=None), open_transport(guard=guard), frozenset(_origin(url) for url in urls))


def _origin(url: str | httpx.URL) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port


class _Platforms(httpx.AsyncBaseTransport):
    """Two transports, chosen by where a call goes."""

    def __init__(
        self,
        free: httpx.AsyncBaseTransport,
        guarded: httpx.AsyncBaseTransport,
        known: frozenset[tuple[str, str, int | None]],
    ) -> None:
        self._free = free
        self._guarded = guarded
        self._known = known

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self._free if _origin(request.url) in self._known else self._guarded
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._free.aclose()
        await self._guarded.aclose()
