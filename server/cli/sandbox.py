"""`fingerpost sandbox`: platforms' stand-ins on this machine."""

import asyncio
import json
import random
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from core.registry import Registry
from core.sandbox import Sandbox, Switch, Witness, appending, serve
from core.sandbox.running import Place
from core.settings import variable


class SandboxCommand(click.Command):
    """A command with the switches of every sandbox that is installed, as options that begin with the platform."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own options, and those."""
        return [*super().get_params(ctx), *(option for options in _switches().values() for option in options)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A section for the command's own, and one for each platform's."""
        for title, options in {"Options": super().get_params(ctx), **_switches()}.items():
            named = [option for option in options if isinstance(option, click.Option)]
            rows = [row for option in named if (row := option.get_help_record(ctx)) is not None]
            with formatter.section(title):
                formatter.write_dl(rows)


def _switches() -> dict[str, list[click.Parameter]]:
    return {
        f"The sandbox of {name}": [_option(name, kind, switch) for switch in kind.switches]
        for name, kind in Registry.installed().sandboxes().items()
        if kind.switches
    }


def _option(platform: str, kind: type[Sandbox], switch: Switch) -> click.Parameter:
    usual, names = switch.usual(kind), [switch.option(platform, kind), _argument(platform, switch)]
    if isinstance(usual, bool):
        return click.Option(names, is_flag=True, flag_value=not usual, default=usual, help=switch.says)
    numbers: dict[type, click.ParamType[Any]] = {int: click.IntRange(min=0), float: click.FloatRange(min=0)}
    return click.Option(
        names,
        type=click.Choice(switch.choices) if switch.choices else numbers[type(usual)],
        metavar=None if switch.choices else "NUMBER",
        default=usual,
        show_default=True,
        help=switch.says,
    )


def _argument(platform: str, switch: Switch) -> str:
    return f"{platform.lower()}_{switch.name}"


@click.command(cls=SandboxCommand)
@click.argument("platforms", metavar="PLATFORMS", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8081, show_default=True, help="The port of the first; 0 takes any free ones.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    envvar=variable("sandbox_record"),
    help="A file to which every call and its answer is added, whole, as a line of JSON each.",
)
@click.option("--fd", "fds", type=int, multiple=True, hidden=True, help="Listening sockets that were handed over.")
@click.option("--users", default=0, hidden=True, help="How many users of each are known from the start.")
@click.pass_context
def sandbox(
    context: click.Context,
    /,
    platforms: tuple[str, ...],
    host: str,
    port: int,
    record: Path | None,
    fds: tuple[int, ...],
    users: int,
    **switched: Any,
) -> None:
    """Run stand-ins for PLATFORMS, strict and with a memory, without a developer account.

    Prints a user of each who is ready to publish. `GET /_sandbox/log` shows every call, `GET /_sandbox/state` what
    is live, and `POST /_sandbox/faults` switches a fault on, such as
    {"on": "POST /v5/pins", "fault": "error_after", "status": 500, "times": 1}.
    """
    registry = Registry.installed()
    known = registry.sandboxes()
    names = [platform.upper() for platform in platforms]
    for name in names:
        if name not in known:
            broken = "".join(f" The plug-in {plugin} is broken: {why}." for plugin, why in registry.broken.items())
            raise click.UsageError(f"There is no sandbox for {name}; there is one for: {', '.join(known)}.{broken}")
    places: list[Place] = [socket.socket(fileno=fd) for fd in fds]
    places = places or [(host, port and port + number) for number in range(len(names))]
    stand_ins = {name: _stand_in(name, known[name], switched) for name in names}
    _refuse_unused(context, known, names)

    for stand_in in stand_ins.values():
        for _ in range(users):
            stand_in.seed()

    def ready(name: str, url: str) -> None:
        if not fds:
            user = msgspec.to_builtins(stand_ins[name].seed())
            click.echo(json.dumps({"platform": name, "url": url, "user": user}))

    witness = _witness(record) if record else None
    asyncio.run(_until_told(list(zip(stand_ins.items(), places, strict=True)), ready, witness))


def _witness(record: Path) -> Witness:
    try:
        return appending(record)
    except OSError as error:
        raise click.FileError(str(record), error.strerror) from None


def _stand_in(name: str, kind: type[Sandbox], switched: dict[str, Any]) -> Sandbox:
    switches = {switch.name: switched[_argument(name, switch)] for switch in kind.switches}
    # The same users after every start: an account that was connected before goes on working.
    return kind(rng=random.Random(name), **switches)  # noqa: S311 - it has no secrets


def _refuse_unused(context: click.Context, known: Mapping[str, type[Sandbox]], names: Sequence[str]) -> None:
    for name, kind in known.items():
        given = [
            switch
            for switch in kind.switches
            if context.get_parameter_source(_argument(name, switch)) is ParameterSource.COMMANDLINE
        ]
        if given and name not in names:
            option = given[0].option(name, kind)
            raise click.UsageError(f"{option} is an option of {name}, which is not among PLATFORMS.")


async def _until_told(
    served: list[tuple[tuple[str, Sandbox], Place]], ready: Callable[[str, str], None], witness: Witness | None
) -> None:
    serving = [
        asyncio.create_task(serve(stand_in, place, ready=partial(ready, name), witness=witness))
        for (name, stand_in), place in served
    ]
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: [task.cancel() for task in serving])
    ended, _ = await asyncio.wait(serving, return_when=asyncio.FIRST_EXCEPTION)
    for task in ended:
        if not task.cancelled():
            task.result()
