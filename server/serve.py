"""The server process: the API on uvicorn, at an address of its own or on a socket that a supervisor holds."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from litestar import Litestar

from core.errors import Misconfigured
from core.registry import Registry
from core.settings import Settings
from core.startup import open_files, settled, settling
from server.app import create_app

BACKLOG = 1024
GRACE_SECONDS = 30
"""How long requests under way may go on after a signal to stop."""


def serve(settings: Settings, registry: Registry, *, listener: socket.socket) -> None:
    """Answer requests on a listening socket until SIGINT or SIGTERM, finish those under way, and return.

    Raises `Misconfigured` where a setting is wrong or PostgreSQL cannot be reached.
    """
    open_files()
    with settling():
        app = create_app(settings, registry)
    config = uvicorn.Config(
        app,
        loop="auto",  # uvloop, wherever it is to be had
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(config, listener))
    except BaseExceptionGroup as group:
        # Litestar's lifespan runs in a task group, which wraps whatever goes wrong.
        found, _ = group.split(Misconfigured)
        if found is None:
            raise
        raise _first(found) from None


def bound(host: str, port: int) -> socket.socket:
    """A listening socket at an address; port 0 takes any that is free. Raises `Misconfigured` where it is taken."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise Misconfigured(f"Nothing can listen at {host}, port {port}: {error.strerror}.") from None


def handed_in(descriptor: int) -> socket.socket:
    """The listening socket behind a file descriptor. Raises `Misconfigured` where there is none."""
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise Misconfigured(f"The file descriptor {descriptor} is no socket: {error.strerror}.") from None


class _Server(uvicorn.Server):
    """uvicorn's server, which after a signal raises it once more; ours returns, so that all is closed in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _first(group: BaseExceptionGroup[Misconfigured]) -> Misconfigured:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


async def _run(config: uvicorn.Config, listener: socket.socket) -> None:
    app = config.app
    assert isinstance(app, Litestar)
    # Not left to uvicorn, which would turn an error of ours into a traceback and an exit.
    async with app.lifespan():
        settled()
        structlog.get_logger().info("listening", address=str(listener.getsockname()))
        await _Server(config).serve(sockets=[listener])
    structlog.get_logger().info("stopped")
