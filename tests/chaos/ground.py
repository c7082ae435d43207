"""Servers of a test's own, which may be emptied, restarted and killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import redis

from core.database.migrate import migrate
from core.embedded.servers import EmbeddedServers
from core.embedded.supervisor import Supervisor
from tests.server.cli.processes import children

DOWN_SECONDS = 1.0
"""How long a server is away before it is started again."""


class Ground:
    """PostgreSQL (which keeps what it says it has) and Redis; `kills` counts how often one was ended."""

    def __init__(self, servers: EmbeddedServers, supervisor: Supervisor) -> None:
        self.servers = servers
        self.kills = 0
        self._supervisor = supervisor

    async def flush(self) -> None:
        """Empty Redis."""
        self.kills += 1
        redis.Redis.from_url(self.servers.redis_url).flushall()

    async def end(self, name: str, number: signal.Signals, *, down: float = DOWN_SECONDS) -> None:
        """End a server by a signal, SIGKILL with all its processes, and start it again after `down` seconds."""
        (child,) = (child for child in self._supervisor.running if child.name == name)
        pids = [child.pid, *(each.pid for each in children(child.pid))] if number is signal.SIGKILL else [child.pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        self.kills += 1
        ended = await asyncio.to_thread(self._supervisor.wait_any, 30.0)
        assert ended is child
        await asyncio.sleep(down)
        self.servers.revive(child)


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Both servers, migrated, for as long as the block lasts."""
    supervisor = Supervisor()
    with EmbeddedServers(folder / "servers", durable=True, supervisor=supervisor) as servers:
        migrate(servers.database_url)
        yield Ground(servers, supervisor)
