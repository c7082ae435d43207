"""`fingerpost sandbox`: a platform's stand-in on this machine."""

import asyncio
import json
import random
import signal
import socket
from collections.abc import Callable

import click
import msgspec

from core.registry import Registry
from core.sandbox import Sandbox, serve
from core.sandbox.running import Place


@click.command()
@click.argument("platform")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8081, show_default=True, help="The port to listen on; 0 takes any free one.")
@click.option("--fd", type=int, hidden=True, help="A listening socket that was handed over.")
def sandbox(platform: str, host: str, port: int, fd: int | None) -> None:
    """Run a stand-in for PLATFORM, strict and with a memory, without a developer account.

    Prints a user who is ready to publish. `GET /_sandbox/log` shows every call, `GET /_sandbox/state` what is
    live, and `POST /_sandbox/faults` switches a fault on, such as
    {"on": "POST /v5/pins", "fault": "error_after", "status": 500, "times": 1}.
    """
    sandboxes = Registry.installed().sandboxes()
    kind = sandboxes.get(platform.upper())
    if kind is None:
        raise click.UsageError(f"There is no sandbox for {platform}; there is one for: {', '.join(sandboxes)}.")
    place = (host, port) if fd is None else socket.socket(fileno=fd)
    # The same users after every start: an account that was connected before goes on working.
    stand_in = kind(rng=random.Random(platform))  # noqa: S311 - a stand-in has no secrets

    def ready(url: str) -> None:
        if fd is None:
            click.echo(json.dumps({"url": url, "user": msgspec.to_builtins(stand_in.seed())}))

    asyncio.run(_until_told(stand_in, place, ready))


async def _until_told(stand_in: Sandbox, place: Place, ready: Callable[[str], None]) -> None:
    serving = asyncio.create_task(serve(stand_in, place, ready=ready))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
