"""Workers and schedulers as processes of their own, to be watched, killed and frozen."""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from core.sandbox import Sandbox
from tests.server.cli.processes import children
from tests.world import Pool, World, world

PATIENCE = 120.0


@contextmanager
def process(name: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One of our commands as a process, ready to work."""
    reader, writer = os.pipe()
    argv = [sys.executable, "-m", "server.cli", name, "--ready-fd", str(writer)]
    with log.open("ab") as sink:
        child = subprocess.Popen(argv, env=os.environ | environment, pass_fds=(writer,), stdout=sink, stderr=sink)
    os.close(writer)
    try:
        with os.fdopen(reader) as pipe:
            assert pipe.readline() == "ready\n", log.read_text()
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.terminate()
        assert child.wait(timeout=PATIENCE) in (0, -signal.SIGKILL), log.read_text()


@contextmanager
def api(environment: dict[str, str], log: Path) -> Iterator[str]:
    """The API as a process, ready to answer; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("ab") as sink:
        fd = listener.fileno()
        argv = [sys.executable, "-m", "server.cli", "serve", "--fd", str(fd)]
        child = subprocess.Popen(argv, env=os.environ | environment, pass_fds=(fd,), stdout=sink, stderr=sink)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        # The socket listens from the start: the first answer comes when the process is ready.
        httpx.get(f"{url}/health", timeout=PATIENCE, trust_env=False).raise_for_status()
        yield url
    finally:
        child.terminate()
        assert child.wait(timeout=PATIENCE) == 0, log.read_text()


@asynccontextmanager
async def running_world(
    pool: Pool, folder: Path, sandbox: Sandbox, database_url: str, redis_url: str, **settings: Any
) -> AsyncIterator[tuple[World, dict[str, str]]]:
    """A world, and the environment in which processes of ours belong to it."""
    async with world(pool, folder, sandbox, **settings) as here:
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "FINGERPOST_BROKER_URL": os.environ.get("FINGERPOST_TEST_BROKER_URL", redis_url),
            "FINGERPOST_MASTER_KEYS": here.settings.master_keys,
            "FINGERPOST_STATE": str(folder),
            "FINGERPOST_API_CALLS": "0",
            "FINGERPOST_LEASE": str(here.settings.lease),
            "FINGERPOST_IN_FLIGHT": str(here.settings.in_flight),
            "FINGERPOST_READBACK": here.settings.readback,
            "FINGERPOST_REQUEST_SECONDS": str(here.settings.request_seconds),
            **here.settings.hosts,
        }
        yield here, environment


async def until(holds: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Wait until something holds; TimeoutError when patience ends."""
    async with asyncio.timeout(patience):
        while not await holds():  # noqa: ASYNC110 - what is waited for lies in other processes
            await asyncio.sleep(0.05)


async def ended(here: World) -> bool:
    """Whether every delivery has come to its end, or waits for a person; False while the database is away."""
    try:
        rows = await here.rows(
            "select count(*) as n from deliveries"
            " where state not in ('published', 'failed', 'cancelled', 'needs_review')"
        )
    except psycopg.OperationalError:
        return False
    return bool(rows[0]["n"] == 0)


def freeze(worker: "subprocess.Popen[bytes]") -> None:
    """Stop a worker in its tracks, and whoever would kill it for standing still: it may come back much later."""
    for guardian in children(worker.pid):
        os.kill(guardian.pid, signal.SIGKILL)
    worker.send_signal(signal.SIGSTOP)


class Fleet:
    """Some workers, of which any may be killed or frozen at any time; there are always as many again."""

    def __init__(self, size: int, environment: dict[str, str], log: Path, seed: int) -> None:
        self.kills = 0
        self.freezes = 0
        self._environment = os.environ | environment
        self._log = log
        self._random = random.Random(seed)
        self._workers = [self._start() for _ in range(size)]

    def kill_one(self) -> None:
        """kill -9, wherever it may be; another takes its place."""
        victim = self._workers.pop(self._random.randrange(len(self._workers)))
        victim.kill()
        victim.wait()
        self.kills += 1
        self._workers.append(self._start())

    async def freeze_one(self, seconds: float) -> None:
        """Stop one in its tracks and let it go on later, as a host does that was suspended."""
        victim = self._random.choice(self._workers)
        freeze(victim)
        self.freezes += 1
        await asyncio.sleep(seconds)
        victim.send_signal(signal.SIGCONT)

    async def rage(self, done: asyncio.Event, kills: int, *, least: float, most: float) -> None:
        """Kill at random moments until `kills` is reached or `done` is set."""
        while self.kills < kills and not done.is_set():
            await asyncio.sleep(self._random.uniform(least, most))
            await asyncio.to_thread(self.kill_one)

    def stop(self) -> None:
        """End all of them in order."""
        for worker in self._workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self._workers:
            worker.wait(timeout=PATIENCE)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as sink:
            argv = [sys.executable, "-m", "server.cli", "work"]
            return subprocess.Popen(argv, env=self._environment, stdout=sink, stderr=sink)
