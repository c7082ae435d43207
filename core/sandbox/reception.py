"""What happens to every call on its way to the platform: logged, admitted, faulted, worked on."""

import asyncio
from email.utils import formatdate

from aiohttp import web
from aiohttp.typedefs import Handler

from core.sandbox.answers import json_answer
from core.sandbox.calls import readable
from core.sandbox.control import PREFIX
from core.sandbox.exchange import Exchange
from core.sandbox.sandbox import Sandbox


class Reception:
    """Receives the calls of one sandbox, as middleware of its application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._under_way: set[asyncio.Task[web.StreamResponse]] = set()

    @web.middleware
    async def receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Logs the call, lets a fault have its way, and answers."""
        if request.path.startswith(PREFIX):
            return await handler(request)
        number = self._sandbox.log.open(
            arrival=self._sandbox.clock(),
            method=request.method,
            path=request.path_qs,
            account=self._sandbox.account_of(request),
        )
        try:
            answer = await self._answer(number, request, handler)
        except ConnectionError:
            raise  # the client is gone: no answer was given
        except Exception:
            self._sandbox.log.note(number, status=500)
            raise
        self._sandbox.log.note(number, status=answer.status)
        return answer

    async def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Adds the headers of the platform, its clock among them, to every answer of its."""
        if not request.path.startswith(PREFIX):
            response.headers["Date"] = formatdate(self._sandbox.now(), usegmt=True)
            response.headers.update(self._sandbox.headers(request))

    async def close(self, _: web.Application) -> None:
        """Gives up the work whose clients are long gone."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _answer(self, number: int, request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = await self._sandbox.admit(request)
        try:
            self._sandbox.log.note(number, body=await self._body(request))
        except web.HTTPException as unreadable:
            return self._translated(unreadable)
        fault = None if refused else self._sandbox.faults.pick(request)
        exchange = Exchange(request, lambda: self._work(request, handler), self._sandbox.error_body)
        if fault:
            self._sandbox.log.note(number, fault=fault.name)
            return await fault.apply(exchange)
        return refused or await exchange.work()

    async def _body(self, request: web.Request) -> object:
        if request.content_type.startswith("multipart/"):
            # A form with files can be read only once, and by the handler.
            return f"({request.content_type}, {request.content_length} bytes)"
        return readable(await request.read())

    async def _work(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        task = asyncio.create_task(self._handle(request, handler))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        # A platform finishes what it has begun, whether or not the client still listens.
        return await asyncio.shield(task)

    async def _handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return self._translated(error)

    def _translated(self, error: web.HTTPException) -> web.Response:
        return json_answer(error.status, self._sandbox.error_body(error.status))
