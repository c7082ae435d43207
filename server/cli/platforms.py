"""`fingerpost platforms`: what is installed, and what each platform allows."""

import json

import click
import msgspec
from rich.console import Console
from rich.table import Table

from core.describe import describe
from core.limits import KINDS
from core.registry import Registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything that is declared, as JSON.")
def platforms(as_json: bool) -> None:
    """List the platforms that are installed here, and what kept a plug-in from loading."""
    registry = Registry.installed()
    if as_json:
        click.echo(
            json.dumps({name: msgspec.to_builtins(describe(adapter)) for name, adapter in registry.items()}, indent=2)
        )
        return
    table = Table("platform", "media", "fields", "unclear outcomes are settled by", "quotas", box=None)
    for name, adapter in sorted(registry.items()):
        told = msgspec.to_builtins(describe(adapter))
        media = told["limits"]["media"]
        kinds = [kind for kind in KINDS if media[kind]]
        quotas = [f"{q['calls']} {q['category']} in {q['seconds']} s per {q['scope']}" for q in told["quotas"]]
        table.add_row(
            name,
            f"{media['count'][0]}-{media['count'][1]} {', '.join(kinds)}" if kinds else "none",
            ", ".join(told["fields"]),
            adapter.certainty,
            "\n".join(quotas),
        )
    Console().print(table)
    for name, reason in registry.broken.items():
        click.echo(f"Plug-in {name} is broken: {reason}", err=True)
