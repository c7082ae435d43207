"""Redis emptied or killed, PostgreSQL restarted, workers frozen: nothing is lost and nothing goes out twice."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from adapters.pinterest.sandbox import PinterestSandbox
from core.database.migrate import migrate
from core.database.pool import open_pool
from core.embedded.servers import EmbeddedServers
from core.embedded.supervisor import Supervisor
from tests.chaos.test_kills import BOUNDLESS, fill, verdict
from tests.fleet import Fleet, process, running_world, until
from tests.world import World

DELIVERIES = 60


class Ground:
    """Servers of the test's own, which may be killed."""

    def __init__(self, servers: EmbeddedServers, supervisor: Supervisor) -> None:
        self.servers = servers
        self._supervisor = supervisor

    def flush(self) -> None:
        redis.Redis.from_url(self.servers.redis_url).flushall()

    def end(self, name: str, number: signal.Signals) -> None:
        """End a server by a signal, and start it again."""
        (child,) = (child for child in self._supervisor.running if child.name == name)
        os.kill(child.pid, number)
        ended = self._supervisor.wait_any(30.0)
        assert ended is child
        self.servers.revive(child)


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    supervisor = Supervisor()
    with EmbeddedServers(folder / "servers", durable=True, supervisor=supervisor) as servers:
        migrate(servers.database_url)
        yield Ground(servers, supervisor)


async def survive(folder: Path, harm: Callable[[Ground], None]) -> None:
    async with ground(folder) as here_below, open_pool(here_below.servers.database_url, size=4, name="test") as pool:
        urls = (here_below.servers.database_url, here_below.servers.redis_url)
        sandbox = PinterestSandbox(rng=random.Random(1), limits=BOUNDLESS)
        settings = {"lease": 3.0, "readback": "1,2,4", "in_flight": 8}
        async with running_world(pool, folder / "state", sandbox, *urls, **settings) as (here, environment):
            sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.2})
            await fill(here, DELIVERIES)
            log = folder / "log"
            with process("schedule", environment, log), process("work", environment, log):
                await until(lambda: some_published(here))
                harm(here_below)
                await until(lambda: all_published(here))
            found = await verdict(here)
        assert found == {"deliveries": DELIVERIES, "live": DELIVERIES} | dict.fromkeys(
            ("duplicates", "lost", "unknown", "stuck", "failed", "in review"), 0
        )


async def some_published(here: World) -> bool:
    return bool((await here.rows("select count(*) as n from deliveries where state = 'published'"))[0]["n"] >= 5)


async def all_published(here: World) -> bool:
    try:
        return bool((await here.rows("select count(*) as n from deliveries where state <> 'published'"))[0]["n"] == 0)
    except psycopg.OperationalError:
        return False


async def test_redis_emptied_in_the_middle(tmp_path: Path) -> None:
    await survive(tmp_path, lambda servers: servers.flush())


async def test_redis_killed_in_the_middle(tmp_path: Path) -> None:
    await survive(tmp_path, lambda servers: servers.end("valkey", signal.SIGKILL))


async def test_postgresql_restarted_in_the_middle(tmp_path: Path) -> None:
    await survive(tmp_path, lambda servers: servers.end("postgres", signal.SIGINT))


async def test_postgresql_killed_in_the_middle(tmp_path: Path) -> None:
    await survive(tmp_path, lambda servers: servers.end("postgres", signal.SIGQUIT))


@pytest.mark.engine
async def test_workers_frozen_past_their_lease_send_nothing_late(
    pool: psycopg.AsyncConnection, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    sandbox = PinterestSandbox(rng=random.Random(1), limits=BOUNDLESS)
    settings = {"lease": 1.0, "readback": "1,2,4", "in_flight": 8}
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url, **settings) as (here, environment):  # type: ignore[arg-type]
        sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.2})
        await fill(here, DELIVERIES)
        log = tmp_path / "log"
        with process("schedule", environment, log):
            fleet = Fleet(2, environment, log, seed=1)
            try:
                await until(lambda: some_published(here))
                for _ in range(4):
                    await fleet.freeze_one(1.5)
                    await asyncio.sleep(0.1)
                await until(lambda: all_published(here))
            finally:
                fleet.stop()
        found = await verdict(here)
    assert (found["live"], found["duplicates"], found["lost"]) == (DELIVERIES, 0, 0)
