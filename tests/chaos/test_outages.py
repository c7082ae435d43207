"""Redis emptied or killed, PostgreSQL restarted, workers frozen: nothing is lost and nothing goes out twice."""

import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.database.pool import open_pool
from tests.chaos.ground import Ground, ground
from tests.chaos.tally import all_out, record, tally
from tests.chaos.test_kills import BOUNDLESS
from tests.fleet import Fleet, ended, process, running_world, until
from tests.world import Pool, World

CREATE = "POST /v5/pins"


async def survive(
    folder: Path, fault: str, harms: Sequence[Callable[[Ground], Awaitable[None]]], *, deliveries: int
) -> None:
    """Do one harm after another in the middle, and let everything go out."""
    async with ground(folder) as below, open_pool(below.servers.database_url, size=4, name="test") as pool:
        urls = (below.servers.database_url, below.servers.redis_url)
        sandbox = PinterestSandbox(rng=random.Random(1), limits=BOUNDLESS)
        settings: dict[str, Any] = {"lease": 3.0, "readback": "1,2,4", "request_seconds": 2.0, "in_flight": 8}
        async with running_world(pool, folder / "state", sandbox, *urls, **settings) as (here, environment):
            await here.fault(CREATE, "slow", seconds=0.2)
            await here.fill(deliveries)
            log = folder / "log"
            with process("schedule", environment, log), process("work", environment, log):
                for number, harm in enumerate(harms):
                    await until(partial(published, here, 5 + number * deliveries // len(harms)))
                    await harm(below)
                await until(lambda: ended(here), patience=600.0)
            found = await tally(here)
    record(f"{fault}, {below.kills} times", runs=1, found=found)
    assert found == all_out(deliveries)


async def published(here: World, least: int) -> bool:
    """Whether so many are out already."""
    try:
        rows = await here.rows("select count(*) as n from deliveries where state = 'published'")
    except psycopg.OperationalError:
        return False
    return bool(rows[0]["n"] >= least)


HARMS: dict[str, Callable[[Ground], Awaitable[None]]] = {
    "Redis emptied": lambda below: below.flush(),
    "Redis killed and started again": lambda below: below.end("valkey", signal.SIGKILL),
    "PostgreSQL restarted": lambda below: below.end("postgres", signal.SIGINT),
    "PostgreSQL killed and started again": lambda below: below.end("postgres", signal.SIGKILL),
}


async def test_servers_that_go_away_in_the_middle_cost_nothing(tmp_path: Path) -> None:
    await survive(tmp_path, "each of these", list(HARMS.values()), deliveries=80)


@pytest.mark.big
@pytest.mark.parametrize("harm", HARMS)
async def test_a_server_that_goes_away_ten_times_costs_nothing(tmp_path: Path, harm: str) -> None:
    await survive(tmp_path, harm, [HARMS[harm]] * 10, deliveries=1000)


async def freeze(
    pool: Pool, folder: Path, database_url: str, redis_url: str, *, deliveries: int, freezes: int, seed: int
) -> None:
    sandbox = PinterestSandbox(rng=random.Random(seed), limits=BOUNDLESS)
    settings: dict[str, Any] = {"lease": 1.0, "readback": "1,2,4", "request_seconds": 2.0, "in_flight": 8}
    async with running_world(pool, folder, sandbox, database_url, redis_url, **settings) as (here, environment):
        await here.fault(CREATE, "slow", seconds=0.2)
        await here.fill(deliveries)
        log = folder / "log"
        with process("schedule", environment, log):
            fleet = Fleet(2, environment, log, seed)
            try:
                await until(partial(published, here, 5))
                while fleet.freezes < freezes and not await ended(here):
                    await fleet.freeze_one(1.5)
                await until(lambda: ended(here), patience=600.0)
            finally:
                fleet.stop()
        found = await tally(here)
    record(f"workers frozen past their lease, {fleet.freezes} times (seed {seed})", runs=1, found=found)
    assert found == all_out(deliveries)


@pytest.mark.big
@pytest.mark.engine
async def test_workers_frozen_again_and_again_double_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    await freeze(pool, tmp_path, database_url, redis_url, deliveries=1000, freezes=60, seed=7)
