"""A receiver of webhooks over real HTTP, and an organization that sends to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from core.vault import Vault
from core.webhooks.endpoints import Endpoints, NewEndpoint
from tests.core.webhooks.house import GUARD, VAULT, House

DEADLINE = 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Call:
    """A request as it came in."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.path = request.path
        self.headers = dict(request.headers)
        self.body = body

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """A server that writes down every call and answers as the path's handler says, otherwise 204."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.handlers: dict[str, Handler] = {}
        self.url = ""
        self._arrived = asyncio.Condition()

    def answers(self, path: str, *statuses: int, text: str = "", **headers: str) -> None:
        """Answer with these statuses, one after the other, and with the last from then on."""
        left = list(statuses)

        async def handle(_: web.Request) -> web.Response:
            status = left.pop(0) if len(left) > 1 else left[0]
            return web.Response(status=status, text=text, headers=headers)

        self.handlers[path] = handle

    def hangs(self, path: str) -> asyncio.Event:
        """Answer nothing until the event is set, then 200."""
        released = asyncio.Event()

        async def hang(_: web.Request) -> web.Response:
            await released.wait()
            return web.Response(status=200)

        self.handlers[path] = hang
        return released

    async def serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request, await request.read())
        async with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()
        handler = self.handlers.get(request.path)
        return await handler(request) if handler else web.Response(status=204)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE), self._arrived:
            await self._arrived.wait_for(holds)

    def at(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]


@asynccontextmanager
async def receiving(kind: Receiver | None = None) -> AsyncIterator[Receiver]:
    receiver = kind or Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()


class Subscriber(House):
    """An organization whose endpoints are paths of one receiver, and whose one post lives through a lot."""

    def __init__(self, pool: AsyncConnectionPool, receiver: Receiver) -> None:
        super().__init__(pool)
        self.receiver = receiver

    async def subscribe(self, path: str, *types: str, url: str = "", vault: Vault = VAULT) -> NewEndpoint:
        endpoints = Endpoints(self.pool, vault, GUARD)
        return await endpoints.create(self.organization, None, url or self.receiver.url + path, types)

    async def lives_through(self, *types: str) -> None:
        rows = await self.run("select id from posts")
        post = rows[0]["id"] if rows else await self.post()
        await self.happened(*(self.event(post, type) for type in types))

    async def messages(self) -> list[dict[str, Any]]:
        return await self.run(
            "select state, attempts, fence, http_status, error, extract(epoch from due_at - now())::float8 as wait, "
            "endpoint_id from webhook_messages order by created_at"
        )
