"""`fingerpost keys`: API keys."""

import asyncio
import os
from pathlib import Path

import click

from core.database.pool import open_pool
from core.embedded.servers import find_running
from core.embedded.state import default_state
from core.errors import Misconfigured
from core.tenants.tenants import Tenants
from server.cli.options import STATE


@click.group()
def keys() -> None:
    """Make API keys."""


@keys.command()
@click.option("--organization", default="Local", show_default=True, help="Whose key it is; made if it is new.")
@click.option("--team", default="My team", show_default=True, help="A team of the organization; made if it is new.")
@STATE
@click.option("--name", default="made on the command line", show_default=True, help="What the key is for.")
def create(organization: str, team: str, state: Path | None, name: str) -> None:
    """Make a key, and the organization and team it needs. It is shown once.

    Works on DATABASE_URL, or else on what `fingerpost up` runs on this machine from the same state.
    """
    url = _database_url(state or default_state(os.environ, uid=os.getuid()))
    secret, organization_id, team_id = asyncio.run(_create(url, organization, team, name))
    click.echo(f"key           {secret}")
    click.echo(f"organization  {organization_id}")
    click.echo(f"team          {team_id}")
    click.echo("Keep the key: it is not stored, and cannot be shown again.", err=True)


async def _create(url: str, organization: str, team: str, name: str) -> tuple[str, str, str]:
    async with open_pool(url, size=1, name="keys") as pool:
        tenants = Tenants(pool)
        organization_id = await tenants.organization(organization)
        team_id = (await tenants.team_named(organization_id, team)).id
        made = await tenants.create_key(organization_id, name)
    return made.secret, str(organization_id), str(team_id)


def _database_url(state: Path) -> str:
    if url := os.environ.get("DATABASE_URL"):
        return url
    if running := find_running(state.resolve()):
        return running[0]
    raise Misconfigured("DATABASE_URL is not set and `fingerpost up` does not run here; set it, or start that.")
