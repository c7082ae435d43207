"""The command `fingerpost`: finds its subcommands, and turns our errors into words."""

import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import click

from core.errors import FingerpostError
from core.startup import settling

GROUP = "fingerpost.commands"
"""Commands of other rooms enter here, by entry point."""

OURS = {
    "up": "server.cli.up:up",
    "demo": "server.cli.demo:demo",
    "serve": "server.cli.serve:serve",
    "sandbox": "server.cli.sandbox:sandbox",
    "listen": "server.cli.listen:listen",
    "migrate": "server.cli.migrate:migrate",
    "keys": "server.cli.keys:keys",
    "vault": "server.cli.vault:vault",
    "platforms": "server.cli.platforms:platforms",
    "adapter": "server.cli.adapter:adapter",
}


class Commands(click.Group):
    """Subcommands that are imported when they are called for, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours first, in the order in which a newcomer meets them."""
        return [*OURS, *sorted(entry.name for entry in entry_points(group=GROUP))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        with settling():
            return command(cmd_name)


def command(name: str) -> click.Command | None:
    """The command of that name, imported now."""
    if name in OURS:
        module, _, attribute = OURS[name].partition(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found
    for entry in entry_points(group=GROUP, name=name):
        loaded: click.Command = entry.load()
        return loaded
    return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fingerpost", prog_name="fingerpost")
def fingerpost() -> None:
    """One post, every platform, and never a lie about whether it went out.

    Start with `fingerpost demo` to watch a Pin go out, or `fingerpost up` for a server to send posts to.
    """


def main(**options: Any) -> None:
    """Run the command line; an error of ours is one line on standard error and exit code 1."""
    try:
        fingerpost(**options)
    except FingerpostError as error:
        click.echo(f"Error: {error.message}", err=True)
        sys.exit(1)
