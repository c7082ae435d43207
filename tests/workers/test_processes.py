"""A worker and a scheduler as processes of their own, over a real broker, against the sandbox."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.world import Pool, World, world

pytestmark = pytest.mark.engine

PATIENCE = 60.0


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


@asynccontextmanager
async def running_world(
    pool: Pool, folder: Path, database_url: str, redis_url: str, **settings: Any
) -> AsyncIterator[tuple[World, dict[str, str]]]:
    async with world(pool, folder, PinterestSandbox(rng=Random(1)), **settings) as here:
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "FINGERPOST_BROKER_URL": os.environ.get("FINGERPOST_TEST_BROKER_URL", redis_url),
            "FINGERPOST_MASTER_KEYS": here.settings.master_keys,
            "FINGERPOST_STATE": str(folder),
            "FINGERPOST_LEASE": str(here.settings.lease),
            "FINGERPOST_READBACK": here.settings.readback,
            **here.settings.hosts,
        }
        yield here, environment


async def until(holds: Callable[[], Any], what: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_posts_go_out_as_they_fall_due(pool: Pool, tmp_path: Path, database_url: str, redis_url: str) -> None:
    async with running_world(pool, tmp_path, database_url, redis_url) as (here, environment):
        log = tmp_path / "log"
        with process("work", environment, log), process("schedule", environment, log):
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            posts = [await here.post(), await here.post(title="Soon", postDate=soon), await here.post()]

            async def all_posted() -> bool:
                rows = await here.rows("select count(*) as posted from posts where status = 'POSTED'")
                return bool(rows[0]["posted"] == len(posts))

            await until(all_posted, "all are posted")
        assert len(here.sandbox.live()["pins"]) == 3  # type: ignore[index]


async def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(pool, tmp_path, database_url, redis_url, lease=1.0, readback="0.2,0.4") as (
        here,
        environment,
    ):
        log = tmp_path / "log"
        for number in range(30):
            await here.post(title=f"Post {number}")
        here.sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.3})
        with process("schedule", environment, log):
            with process("work", environment, log) as worker:

                async def some_are_made() -> bool:
                    return len(here.sandbox.live()["pins"]) > 5  # type: ignore[index]

                await until(some_are_made, "some Pins are made")
                worker.kill()
            here.sandbox.faults.clear()
            with process("work", environment, log):

                async def all_published() -> bool:
                    rows = await here.rows("select count(*) as open from deliveries where state <> 'published'")
                    return bool(rows[0]["open"] == 0)

                await until(all_published, "all are published")
        pins = here.sandbox.live()["pins"]  # type: ignore[index]
        ids = {row["external_id"] for row in await here.rows("select external_id from deliveries")}
        assert len(pins) == 30
        assert {pin["id"] for pin in pins} == ids


async def test_a_worker_told_to_stop_finishes_what_is_in_hand(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(pool, tmp_path, database_url, redis_url) as (here, environment):
        log = tmp_path / "log"
        for number in range(10):
            await here.post(title=f"Post {number}")
        here.sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.5})
        with process("schedule", environment, log):
            with process("work", environment, log) as worker:

                async def some_arrived() -> bool:
                    return any(call.method == "POST" for call in here.sandbox.log.calls())

                await until(some_arrived, "some have arrived")
                worker.terminate()
                assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
        rows = await here.rows("select state, count(*) as n from deliveries group by state")
        states = {row["state"]: row["n"] for row in rows}
        assert set(states) <= {"published", "queued", "scheduled"}, states
        assert states["published"] == len(here.sandbox.live()["pins"])  # type: ignore[index]
