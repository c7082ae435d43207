"""`fingerpost serve`: the HTTP API."""

import click

from core.logs import configure
from core.registry import Registry
from core.settings import Settings
from server.serve import bound, handed_in
from server.serve import serve as answer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port to listen on; 0 takes any free one.")
@click.option("--fd", type=int, hidden=True, help="A listening socket that was handed over.")
def serve(host: str, port: int, fd: int | None) -> None:
    """Answer the HTTP API until told to stop.

    Settings are environment variables; DATABASE_URL, REDIS_URL and FINGERPOST_MASTER_KEYS have to be set.
    SIGINT or SIGTERM: finishes the requests under way, and ends.
    """
    settings = Settings.read()
    configure(settings.log_level)
    registry = Registry.installed()
    registry.tell_broken()
    settings.refuse_unknown_hosts(registry.values())
    listener = bound(host, port) if fd is None else handed_in(fd)
    answer(settings, registry, listener=listener)
