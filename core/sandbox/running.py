"""A sandbox on a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import msgspec
from aiohttp import web

from core.sandbox.control import Control
from core.sandbox.reception import Reception
from core.sandbox.record import Recorder, Witness
from core.sandbox.sandbox import Sandbox

S = TypeVar("S", bound=Sandbox)

Place = socket.socket | tuple[str, int]
"""Where to serve: a listening TCP socket, or host and port, 0 for any free one."""

LARGEST_BODY = 64 * 2**20
"""Bytes of a request body that are read at the most."""

PATIENCE = 0.1
"""Seconds that a call under way is given when the sandbox stops."""


class RunningSandbox(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """A sandbox that serves; `url` has no slash at its end."""

    url: str
    sandbox: S


def application(sandbox: Sandbox, witness: Witness | None = None) -> web.Application:
    """The aiohttp application of a sandbox: its routes, the control endpoints, the log, the faults, the weather."""
    reception = Reception(sandbox)
    recorders = [Recorder(sandbox.platform, witness).record] if witness else []
    app = web.Application(middlewares=[*recorders, reception.receive], client_max_size=LARGEST_BODY)
    app.add_routes([*sandbox.routes(), *Control(sandbox, reception.catch_up).routes()])
    app.on_response_prepare.append(reception.dress)
    app.on_shutdown.append(reception.forget)
    app.on_cleanup.append(reception.close)
    app.cleanup_ctx.extend(sandbox.lifespans())
    return app


@asynccontextmanager
async def running(
    sandbox: S, at: Place = ("127.0.0.1", 0), *, witness: Witness | None = None
) -> AsyncIterator[RunningSandbox[S]]:
    """Serves `sandbox` at `at` for as long as the context lasts, and tells `witness` of every call.

    Raises OSError where the place is taken.
    """
    runner = web.AppRunner(
        application(sandbox, witness),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=PATIENCE,
    )
    await runner.setup()
    try:
        site = web.SockSite(runner, at) if isinstance(at, socket.socket) else web.TCPSite(runner, *at)
        await site.start()
        yield RunningSandbox(url=_url(runner.addresses[0]), sandbox=sandbox)
    finally:
        await runner.cleanup()


async def serve(
    sandbox: Sandbox, at: Place, *, ready: Callable[[str], None] | None = None, witness: Witness | None = None
) -> None:
    """Serves `sandbox` until it is cancelled; `ready` is told the URL once calls are taken. Prints nothing."""
    async with running(sandbox, at, witness=witness) as started:
        if ready is not None:
            ready(started.url)
        await asyncio.get_running_loop().create_future()


def _url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
