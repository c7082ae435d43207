"""A sandbox that is none: it passes every call on to a real server, and has the faults of a sandbox on the way."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
from aiohttp import web

from core.sandbox import Lifespan, Sandbox, Seed

HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-encoding", "date", "server"})
"""Headers of one connection (RFC 9110 §7.6.1), and those that are written anew."""


class Forwarder(Sandbox):
    """Stands before the server at `target`, in the place of `stand_in`, whose routes it has.

    `people` makes a user there, and `shelf_of` reads what is live.

    With `keyless` it lets no idempotency key through, and says of the server that it is another program.
    """

    def __init__(
        self,
        stand_in: Sandbox,
        target: str,
        *,
        people: Callable[[], Seed],
        shelf_of: Callable[[], list[dict[str, Any]]],
        keyless: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.platform = stand_in.platform  # type: ignore[misc]  # it stands for any
        self._stand_in = stand_in
        self._target = target
        self._people = people
        self._shelf_of = shelf_of
        self._keyless = keyless
        self._client: aiohttp.ClientSession | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        known = [web.route(route.method, route.path, self._forward) for route in self._stand_in.routes()]
        return [*known, web.route("*", "/{path:.*}", self._forward)]

    def live(self) -> dict[str, Any]:
        return {"posts": self._shelf_of()}

    def seed(self) -> Seed:
        return self._people()

    def lifespans(self) -> Sequence[Lifespan]:
        return (self._calling,)

    async def _calling(self, app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(auto_decompress=True) as self._client:
            yield

    async def _forward(self, request: web.Request) -> web.Response:
        assert self._client is not None
        kept = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        if self._keyless:
            kept.pop("Idempotency-Key", None)
        url, body = f"{self._target}{request.path_qs}", await request.read()
        async with self._client.request(request.method, url, headers=kept, data=body or None) as answer:
            content = await answer.read()
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        if self._keyless and request.path == "/api/v2/instance":
            content = content.replace(b'"version":"4', b'"version":"0')
        return web.Response(status=answer.status, body=content, headers=headers)
