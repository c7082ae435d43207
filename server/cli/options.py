"""Options that several commands take, and what they lead to."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from core.embedded.servers import find_running
from core.embedded.state import default_state
from core.errors import Misconfigured

STATE = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FINGERPOST_STATE",
    help="Where everything is kept. [default: /var/lib/fingerpost as root, else ~/.local/state/fingerpost]",
)


def database_of(state: Path | None, environ: Mapping[str, str]) -> str:
    """DATABASE_URL, or the database that `fingerpost up` runs from the state. Raises `Misconfigured`."""
    if url := environ.get("DATABASE_URL"):
        return url
    folder = state or default_state(environ, uid=os.getuid())
    if running := find_running(folder.resolve()):
        return running[0]
    raise Misconfigured("DATABASE_URL is not set and `fingerpost up` does not run here; set it, or start that.")
