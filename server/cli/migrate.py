"""`fingerpost migrate`: brings the database to the schema of this version."""

import click

from core.database.migrate import migrate as apply
from core.settings import Settings


@click.command()
def migrate() -> None:
    """Bring the database at DATABASE_URL to the schema of this version.

    Safe to run at any time and from several hosts at once: each migration runs exactly once.
    """
    applied = apply(Settings.read().database_url)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("The schema is up to date.")
