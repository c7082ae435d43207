"""Options that several commands take."""

from pathlib import Path

import click

STATE = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FINGERPOST_STATE",
    help="Where everything is kept. [default: /var/lib/fingerpost as root, else ~/.local/state/fingerpost]",
)
