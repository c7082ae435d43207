"""`fingerpost keys`: API keys, for whoever runs the database."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
from psycopg_pool import AsyncConnectionPool
from rich.console import Console
from rich.table import Table

from core.database.pool import open_pool
from core.errors import NotFound
from core.ids import parse_id
from core.posts.views import timestamp
from core.tenants.callers import SCOPES
from core.tenants.keys import ApiKey, ApiKeys, NewKey
from core.tenants.tenants import Tenants
from server.cli.options import STATE, database_of

T = TypeVar("T")

_WIDE = 10_000

DAYS = click.option("--days", type=click.IntRange(1, 36_500), help="After how many days it ends; left out: never.")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    A key is sent as `x-api-key`, as `x-access-key`, or as `Authorization: Bearer`.
    """


@keys.command()
@click.option("--organization", default="Local", show_default=True, help="Whose key it is; made if it is new.")
@click.option("--team", default="My team", show_default=True, help="A team of the organization; made if it is new.")
@click.option("--only-team", is_flag=True, help="The key sees this team alone, not the whole organization.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=SCOPES,
    help="What it allows: to look, to create and change, to delete and resolve; may be repeated. [default: all]",
)
@DAYS
@STATE
@click.option("--name", default="made on the command line", show_default=True, help="What the key is for.")
def create(
    organization: str,
    team: str,
    only_team: bool,
    scopes: tuple[str, ...],
    days: int | None,
    state: Path | None,
    name: str,
) -> None:
    """Make a key, and the organization and team it needs. It is shown once.

    Works on DATABASE_URL, or else on what `fingerpost up` runs on this machine from the same state.
    """

    async def make(pool: AsyncConnectionPool) -> tuple[NewKey, str]:
        tenants = Tenants(pool)
        organization_id = await tenants.organization(organization)
        team_id = (await tenants.team_named(organization_id, team)).id
        bound = team_id if only_team else None
        made = await ApiKeys(pool).create(organization_id, name, scopes=scopes, team_id=bound, expires_at=_end(days))
        return made, str(team_id)

    made, team_id = _run(state, make)
    click.echo(f"key           {made.secret}")
    click.echo(f"organization  {made.key.organization_id}")
    click.echo(f"team          {team_id}")
    _warn()


@keys.command()
@DAYS
@STATE
@click.option("--name", default="platform admin", show_default=True, help="What the key is for.")
def admin(days: int | None, state: Path | None, name: str) -> None:
    """Make a platform admin's key. It is shown once.

    It makes organizations and the first key of each over the API, and sees nothing of them:
    POST /api/v1/organization, then POST /api/v1/organization/{id}/api-key.
    """

    async def make(pool: AsyncConnectionPool) -> NewKey:
        return await ApiKeys(pool).create_operator(name, expires_at=_end(days))

    click.echo(f"key           {_run(state, make).secret}")
    _warn()


@keys.command("list")
@STATE
def list_(state: Path | None) -> None:
    """List all keys, without their secrets."""

    async def every(pool: AsyncConnectionPool) -> list[ApiKey]:
        return await ApiKeys(pool).every()

    # As wide as it is: an id that is cut short is of no use to `revoke`.
    Console(width=_WIDE).print(_table(_run(state, every)))


@keys.command()
@click.argument("id")
@STATE
def revoke(id: str, state: Path | None) -> None:
    """Revoke the key with this ID, whoever's it is. Servers refuse it within two seconds."""

    async def end(pool: AsyncConnectionPool) -> ApiKey:
        key_id = parse_id(id)
        if key_id is None:
            raise NotFound("There is no such key; `fingerpost keys list` shows those that there are.")
        return await ApiKeys(pool).revoke_any(key_id)

    ended = _run(state, end)
    click.echo(f"revoked       {ended.id} ({ended.name})")


def _run(state: Path | None, act: Callable[[AsyncConnectionPool], Awaitable[T]]) -> T:
    url = database_of(state, os.environ)

    async def connected() -> T:
        async with open_pool(url, size=1, name="keys") as pool:
            return await act(pool)

    return asyncio.run(connected())


def _end(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _warn() -> None:
    click.echo("Keep the key: it is not stored, and cannot be shown again.", err=True)


def _table(found: Iterable[ApiKey]) -> Table:
    table = Table("id", "begins", "name", "organization", "scopes", "for", "last used", "ends", box=None)
    for key in found:
        ends = "revoked" if key.revoked_at else timestamp(key.expires_at) if key.expires_at else "never"
        used = timestamp(key.last_used_at) if key.last_used_at else "never"
        organization = str(key.organization_id) if key.organization_id else "-"
        scopes = ",".join(key.scopes)
        table.add_row(str(key.id), key.prefix, key.name, organization, scopes, _bound(key), used, ends)
    return table


def _bound(key: ApiKey) -> str:
    if key.team_id is not None:
        return f"team {key.team_id}"
    if key.social_account_ids is not None:
        return f"{len(key.social_account_ids)} accounts"
    return "organization" if key.organization_id else "platform"
