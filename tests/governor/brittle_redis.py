"""A Redis of a test's own, to be emptied, killed and started again: the embedded one, or that of the machine."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

import redis

from core.embedded.binaries import find_programs
from tests.conftest import OWN_REDIS

PATIENCE_SECONDS = 10.0


class BrittleRedis:
    """One server on a private socket; it keeps nothing over a kill unless it is `durable`."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "dir": str(folder)}
        options["appendonly"] = "yes" if durable else "no"
        own = shutil.which("redis-server") if os.environ.get(OWN_REDIS) else None
        self._argv = [own or str(find_programs(None).valkey)]
        self._argv += [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "BrittleRedis":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, self._argv
                    time.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def empty(self) -> None:
        """FLUSHALL."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
