"""`fingerpost up`: everything on this machine, ready for the first post."""

import json
import os
import shlex
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from core.embedded.state import default_state
from server.cli.machine import Machine
from server.cli.options import STATE

if TYPE_CHECKING:
    from core.registry import Registry
    from server.cli.newcomer import Newcomer


@click.command()
@STATE
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port of the API; 0 takes any free one.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when all is ready, and nothing else.")
def up(state: Path | None, host: str, port: int, as_json: bool) -> None:
    """Start everything on this machine, with a sandbox account to post to, until interrupted.

    PostgreSQL and Valkey come from wheels and keep their data in the state folder, unless DATABASE_URL and
    REDIS_URL name servers of your own.
    """
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    folder = (state or default_state(os.environ, uid=os.getuid())).resolve()
    with Machine(folder, host=host, port=port, say=lambda words: click.echo(f"… {words}", err=True)) as machine:
        click.echo(msgspec.json.encode(machine.newcomer).decode() if as_json else _words(machine))
        machine.watch(lambda: bool(stopped))
        click.echo("… stopping", err=True)


def _words(machine: Machine) -> str:
    newcomer = machine.newcomer
    sandboxes = "".join(
        f"\n  {platform.lower():<11} {account.url} (what is live there: {account.url}/_sandbox/state)"
        for platform, account in newcomer.sandboxes.items()
    )
    return f"""
Fingerpost is ready.

  API         {newcomer.api_url} (its description: {newcomer.api_url}/schema/openapi.json)
  key         {newcomer.api_key}
  team        {newcomer.team_id}{sandboxes}
  logs        {machine.logs}

Publish a first post:

{_curl(newcomer, machine.plan.registry)}

Stop with Ctrl-C.
"""


def _curl(newcomer: "Newcomer", registry: "Registry") -> str:
    """A command that publishes when it is pasted into a shell."""
    body = newcomer.request(registry, post_date=datetime.now(UTC).isoformat(timespec="seconds"))
    return (
        f"curl -s {newcomer.api_url}/api/v1/post/ -H 'x-api-key: {newcomer.api_key}' "
        f"-H 'content-type: application/json' -d {shlex.quote(json.dumps(body, indent=2))}"
    )
