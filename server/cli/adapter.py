"""`fingerpost adapter`: writes a new adapter as a package of its own, and examines one that is installed."""

import asyncio
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from core.conformance import CHECKS, Verdict, examine
from core.registry import Registry, sandbox_of
from server.cli.template import package


@click.group()
def adapter() -> None:
    """Write an adapter of your own, and examine one."""


@adapter.command()
@click.argument("name")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where it is written.")
def new(name: str, into: Path) -> None:
    """Write the package of a new adapter, NAME in small letters: it works, and passes its tests.

    It is a copy of the shortest adapter there is, with a sandbox: change it step by step, and let its tests tell.
    """
    try:
        files = package(name, Registry.installed())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    folder = into / f"fingerpost-{name}"
    if folder.exists():
        raise click.UsageError(f"{folder} exists already; move it away, or choose another name.")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    click.echo(
        f"{folder} is ready. Install it with `pip install -e {folder}`, and run its tests with `pytest {folder}`."
    )


@adapter.command()
@click.argument("name")
def check(name: str) -> None:
    """Examine the adapter of a platform, NAME, that is installed here, and print what is found.

    Exit code 0 means that every check holds that could be made.
    """
    registry = Registry.installed()
    found = registry.get(name.upper())
    if found is None:
        broken = "".join(f" The plug-in {plugin} is broken: {why}." for plugin, why in registry.broken.items())
        raise click.UsageError(f"There is no platform {name}; there are: {', '.join(sorted(registry))}.{broken}")
    verdicts = [asyncio.run(examine(each, found, sandbox_of(found))) for each in CHECKS]
    Console().print(_table(verdicts))
    wrong = sum(len(verdict.faults) for verdict in verdicts)
    click.echo(f"{found.platform}: {wrong if wrong else 'nothing'} found wrong.")
    sys.exit(1 if wrong else 0)


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("", "check", "tried", "what is found", box=None)
    for verdict in verdicts:
        made = verdict.tried or not verdict.skipped
        mark = "✗" if verdict.faults else "✓" if made else "-"
        words = "\n".join(verdict.faults) or (verdict.says if made else f"not made: {verdict.skipped}")
        table.add_row(mark, verdict.check, str(verdict.tried), words)
    return table
