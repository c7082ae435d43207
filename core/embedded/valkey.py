"""The embedded Valkey: a server of the Redis protocol on a private Unix socket."""

from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.embedded.account import give
from core.embedded.site import Site
from core.embedded.supervisor import Child

SOCKET = "valkey/valkey.sock"
SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}
READY_SECONDS = 300.0
"""Loading a long append-only file takes its time."""


class Valkey:
    """One Valkey on a site."""

    name = "valkey"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.state.folder("valkey")
        self._socket = site.sockets / SOCKET

    def prepare(self) -> None:
        """Make the folder of its data if there is none."""
        if not self._data.exists():
            self._data.mkdir(mode=0o700)
            give(self._data, self._site.account)

    def start(self) -> Child:
        """Start the server; it is not ready yet."""
        options = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
        place = ["--unixsocket", str(self._socket), "--dir", "{folder}"]
        return self._site.spawn(self.name, self._site.programs.valkey, self._data, [*options, *place])

    def wait_ready(self, child: Child) -> None:
        """Wait until it answers, and has loaded what it holds."""
        with redis.Redis(unix_socket_path=str(self._socket), retry=Retry(NoBackoff(), 0)) as client:
            self._site.supervisor.wait_ready(
                child, lambda: _answers(client), log=self._site.log(self.name), patience_seconds=READY_SECONDS
            )


def redis_url(sockets: Path) -> str:
    """How to reach the server whose socket is below this folder, as redis-py's `from_url` reads it."""
    return f"unix://{quote(str(sockets / SOCKET), safe='/')}"


def _answers(client: "redis.Redis") -> bool:
    """Whether it answers a PING with anything but that it is still loading."""
    try:
        return bool(client.ping())
    except redis.ConnectionError:  # BusyLoadingError is one of them
        return False
