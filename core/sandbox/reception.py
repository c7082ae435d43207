"""What happens to every call on its way to the platform: logged, admitted, faulted, worked on."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web
from aiohttp.typedefs import Handler

from core.sandbox.answers import json_answer
from core.sandbox.arrival import Arrival, body_of
from core.sandbox.calls import readable
from core.sandbox.control import PREFIX
from core.sandbox.exchange import Exchange
from core.sandbox.idle import IdleConnections
from core.sandbox.record import FAULT
from core.sandbox.sandbox import Sandbox


class Reception:
    """Receives the calls of one sandbox, as middleware of its application."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._under_way: set[asyncio.Task[web.StreamResponse]] = set()
        self._put_off: dict[asyncio.TimerHandle, Callable[[], object]] = {}
        self._idle = IdleConnections()

    @web.middleware
    async def receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Logs the call, lets a fault have its way, and answers."""
        self._idle.busy(request)
        if request.path.startswith(PREFIX):
            return await handler(request)
        account = self._sandbox.account_of(request)
        number = self._sandbox.log.open(
            arrival=self._sandbox.clock(),
            method=request.method,
            path=request.path_qs,
            account=account,
        )
        try:
            answer = await self._answer(number, account, request, handler)
        except ConnectionError:
            raise  # the client is gone: no answer was given
        except Exception:
            self._sandbox.log.note(number, status=500)
            raise
        self._sandbox.log.note(number, status=answer.status)
        self._idle.waiting(request, self._sandbox.weather.idle_seconds)
        return answer

    async def dress(self, request: web.Request, response: web.StreamResponse) -> None:
        """Adds the headers of the platform, its clock among them, to every answer of its."""
        if not request.path.startswith(PREFIX):
            response.headers["Date"] = formatdate(self._sandbox.now(), usegmt=True)
            # What a fault says itself counts.
            for name, value in self._sandbox.headers(request).items():
                response.headers.setdefault(name, value)

    def catch_up(self) -> int:
        """Begins now all work that was put off; how much that was."""
        begun = [*self._put_off.values()]
        for begin in begun:
            begin()
        return len(begun)

    async def forget(self, _: web.Application) -> None:
        """Drops the work that was put off: it will never be done."""
        for timer in self._put_off:
            timer.cancel()
        self._put_off.clear()
        self._idle.forget()

    async def close(self, app: web.Application) -> None:
        """Gives up the work whose clients are long gone."""
        await self.forget(app)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _answer(
        self, number: int, account: str | None, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        refused = await self._sandbox.admit(request)
        try:
            body = await body_of(request)
        except web.HTTPException as unreadable:
            return self._translated(unreadable)
        self._sandbox.log.note(number, body=self._shown(request, body))
        fault = None if refused else self._sandbox.faults.pick(Arrival(request, account, body or b""))
        if fault is None:
            return refused or await self._work(request, handler)
        self._sandbox.log.note(number, fault=fault.name)
        request[FAULT] = fault.name
        return await fault.apply(
            Exchange(
                request,
                work=lambda: self._work(request, handler),
                work_later=lambda seconds: self._work_later(seconds, request, handler),
                error_body=self._sandbox.error_body,
            )
        )

    def _shown(self, request: web.Request, body: bytes | None) -> object:
        if request.content_type.startswith("multipart/"):
            length = request.content_length if body is None else len(body)
            return f"({request.content_type}, {length} bytes)"
        return readable(body or b"")

    async def _work(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # A platform finishes what it has begun, whether or not the client still listens.
        return await asyncio.shield(self._begun(request, handler))

    def _work_later(self, seconds: float, request: web.Request, handler: Handler) -> None:
        def begin() -> None:
            timer.cancel()
            del self._put_off[timer]
            self._begun(request, handler)

        timer = asyncio.get_running_loop().call_later(seconds, begin)
        self._put_off[timer] = begin

    def _begun(self, request: web.Request, handler: Handler) -> asyncio.Task[web.StreamResponse]:
        task = asyncio.create_task(self._handle(request, handler))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return self._translated(error)

    def _translated(self, error: web.HTTPException) -> web.Response:
        return json_answer(error.status, self._sandbox.error_body(error.status))
