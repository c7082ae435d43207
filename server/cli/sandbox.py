"""`fingerpost sandbox`: platforms' stand-ins on this machine."""

import asyncio
import json
import random
import signal
import socket
from collections.abc import Callable
from functools import partial

import click
import msgspec

from core.registry import Registry
from core.sandbox import Sandbox, serve
from core.sandbox.running import Place


@click.command()
@click.argument("platforms", metavar="PLATFORMS", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8081, show_default=True, help="The port of the first; 0 takes any free ones.")
@click.option("--fd", "fds", type=int, multiple=True, hidden=True, help="Listening sockets that were handed over.")
@click.option("--users", default=0, hidden=True, help="How many users of each are known from the start.")
def sandbox(platforms: tuple[str, ...], host: str, port: int, fds: tuple[int, ...], users: int) -> None:
    """Run stand-ins for PLATFORMS, strict and with a memory, without a developer account.

    Prints a user of each who is ready to publish. `GET /_sandbox/log` shows every call, `GET /_sandbox/state` what
    is live, and `POST /_sandbox/faults` switches a fault on, such as
    {"on": "POST /v5/pins", "fault": "error_after", "status": 500, "times": 1}.
    """
    known = Registry.installed().sandboxes()
    names = [platform.upper() for platform in platforms]
    for name in names:
        if name not in known:
            raise click.UsageError(f"There is no sandbox for {name}; there is one for: {', '.join(known)}.")
    places: list[Place] = [socket.socket(fileno=fd) for fd in fds]
    places = places or [(host, port and port + number) for number in range(len(names))]
    # The same users after every start: an account that was connected before goes on working.
    stand_ins = {name: known[name](rng=random.Random(name)) for name in names}  # noqa: S311 - it has no secrets

    for stand_in in stand_ins.values():
        for _ in range(users):
            stand_in.seed()

    def ready(name: str, url: str) -> None:
        if not fds:
            user = msgspec.to_builtins(stand_ins[name].seed())
            click.echo(json.dumps({"platform": name, "url": url, "user": user}))

    asyncio.run(_until_told(list(zip(stand_ins.items(), places, strict=True)), ready))


async def _until_told(served: list[tuple[tuple[str, Sandbox], Place]], ready: Callable[[str, str], None]) -> None:
    serving = [
        asyncio.create_task(serve(stand_in, place, ready=partial(ready, name))) for (name, stand_in), place in served
    ]
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in serving])
    ended, _ = await asyncio.wait(serving, return_when=asyncio.FIRST_EXCEPTION)
    for task in ended:
        if not task.cancelled():
            task.result()
