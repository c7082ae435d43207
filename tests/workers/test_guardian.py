"""The guardian of a worker: kills one that stands still for longer than its leases last, and no other."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.fleet import ended, process, running_world, until
from tests.server.cli.processes import Process, children
from tests.world import Pool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process's children are read from /proc")


async def test_a_worker_that_stands_still_is_killed_and_its_work_is_done_by_others(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(pool, tmp_path, PinterestSandbox(), database_url, redis_url, lease=1.0) as (here, env):
        log = tmp_path / "log"
        with process("work", env, log) as frozen:
            frozen.send_signal(signal.SIGSTOP)
            await here.fill(1)
            with process("schedule", env, log), process("work", env, log) as other:
                await until(lambda: ended(here))
                assert await asyncio.to_thread(frozen.wait, 120) == -signal.SIGKILL
                assert other.poll() is None
        assert "worker_stood_still" in await asyncio.to_thread(log.read_text)


async def test_a_guardian_goes_with_its_worker_and_a_worker_goes_on_without_it(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(pool, tmp_path, PinterestSandbox(), database_url, redis_url) as (here, env):
        log = tmp_path / "log"
        with process("work", env, log) as killed:
            (orphan,) = children(killed.pid)
            killed.kill()
            killed.wait()
            await until(lambda: gone(orphan))
        with process("work", env, log) as alone, process("schedule", env, log):
            (guardian,) = children(alone.pid)
            os.kill(guardian.pid, signal.SIGKILL)
            await here.fill(1)
            await until(lambda: ended(here))
            assert alone.poll() is None
        assert "guardian_gone" in await asyncio.to_thread(log.read_text)


async def gone(process: Process) -> bool:
    return not await asyncio.to_thread(lambda: process.alive)
