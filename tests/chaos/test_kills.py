"""kill -9 at any moment: every delivery goes out, and none goes out twice."""

import asyncio
import os
import random
from pathlib import Path
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.chaos.tally import all_out, record, tally
from tests.fleet import Fleet, ended, process, running_world, until
from tests.world import Pool

pytestmark = pytest.mark.engine

BOUNDLESS = {"org_write": (10**9, 60), "org_read": (10**9, 60), "safety_net": (10**9, 1)}


async def survive(
    pool: Pool, folder: Path, database_url: str, redis_url: str, *, deliveries: int, kills: int, seed: int
) -> None:
    sandbox = PinterestSandbox(rng=random.Random(seed), limits=BOUNDLESS)
    settings: dict[str, Any] = {"lease": 3.0, "readback": "1,2,4,8", "request_seconds": 2.0, "in_flight": 12}
    async with running_world(pool, folder, sandbox, database_url, redis_url, **settings) as (here, environment):
        await here.fault("POST /v5/pins", "slow", seconds=0.1)
        await here.fill(deliveries)
        log = folder / "log"
        with process("schedule", environment, log):
            fleet = Fleet(3, environment, log, seed)
            done = asyncio.Event()
            raging = asyncio.create_task(fleet.rage(done, kills, least=0.2, most=1.2))
            try:
                await until(lambda: ended(here), patience=600.0)
            finally:
                done.set()
                await raging
                fleet.stop()
        found = await tally(here)
        record(f"kill -9 of workers, {fleet.kills} times (seed {seed})", runs=1, found=found)
        assert found == all_out(deliveries)
        assert fleet.kills >= min(kills, 3)


async def test_some_kills_lose_nothing_and_double_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    await survive(pool, tmp_path, database_url, redis_url, deliveries=150, kills=5, seed=1)


@pytest.mark.big
async def test_a_hundred_kills_lose_nothing_and_double_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    seed = int(os.environ.get("FINGERPOST_TEST_SEED", "7"))
    await survive(pool, tmp_path, database_url, redis_url, deliveries=2000, kills=100, seed=seed)
