"""What each kind of certainty promises, under kills and under faults of every sort."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.echo.sandbox import EchoSandbox
from core.errors import Conflict
from core.ledger.control import Control
from core.retry import Policy
from tests.chaos.kinds import KINDS, PLATFORMS, STORM, Kind, every, strangers
from tests.chaos.tally import Tally, all_out, record, tally, things
from tests.fleet import Fleet, ended, process, running_world, until
from tests.world import Clock, Pool, World, world

PATIENT = Policy(attempts=1000)
"""So that what is failed is what the platform has refused, and not what met the storm five times."""


def kept(kind: str, found: Tally, deliveries: int) -> bool:
    """Whether a kind has kept its promise: one of each, or where nobody can look, never more than one."""
    if not PLATFORMS[kind].reviews:
        return found == all_out(deliveries)
    whole = Tally(deliveries=deliveries, live=found.live, failed=found.failed, in_review=found.in_review)
    out = found.deliveries - found.failed - found.in_review
    return found == whole and out <= found.live <= out + found.in_review


async def storm(here: World, kind: Kind, *, probability: float, times: int) -> None:
    for fault, more in STORM.items():
        for call in (kind.create, kind.read):
            await here.fault(call, fault, probability=probability, times=times, **more)


async def weather_a_storm(pool: Pool, folder: Path, kind: str, *, deliveries: int, seed: int) -> None:
    sandbox = PLATFORMS[kind].sandbox(rng=Random(seed), clock=Clock())
    settings: dict[str, Any] = {"readback": "1,2,4,8", "request_seconds": 0.3, "lease": 5.0}
    async with world(pool, folder, sandbox, registry=every(), policy=PATIENT, **settings) as here:
        await storm(here, PLATFORMS[kind], probability=0.1, times=deliveries // 4)
        await here.fill(deliveries)
        await here.to_the_end()
        found = await tally(here)
    record(f"kind {kind}: every second call disturbed (seed {seed})", runs=1, found=found)
    assert kept(kind, found, deliveries), found


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_storm_leaves_the_promise_of_each_kind(pool: Pool, tmp_path: Path, kind: str) -> None:
    await weather_a_storm(pool, tmp_path, kind, deliveries=24, seed=1)


@pytest.mark.big
@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_long_storm_leaves_the_promise_of_each_kind(pool: Pool, tmp_path: Path, kind: str) -> None:
    await weather_a_storm(pool, tmp_path, kind, deliveries=1000, seed=7)


@pytest.mark.parametrize("fault", ["reset_after", "error_after", "hang_after", "garbage"])
async def test_a_key_is_sent_again_until_the_platform_says_yes(pool: Pool, tmp_path: Path, fault: str) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), request_seconds=0.2) as here:
        await here.fault("POST /messages", fault, times=7, seconds=60)
        await here.fill(1)
        await here.to_the_end()
        assert await tally(here) == all_out(1)


async def test_what_may_be_live_under_a_key_is_not_called_off(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await here.fault("POST /messages", "reset_after", times=1)
        post = await here.post()
        await here.work()
        assert len(things(here)) == 1
        with pytest.raises(Conflict):
            await Control(here.pool, here.ledger.notices, patience=1.0).delete(here.organization_id, post.id)


@pytest.mark.parametrize("kind", ["key", "none"])
async def test_what_may_be_live_is_not_said_to_be_too_late(pool: Pool, tmp_path: Path, kind: str) -> None:
    async with world(pool, tmp_path, KINDS[kind].sandbox(rng=Random(1)), registry=every(), max_delay=60.0) as here:
        await here.fault(KINDS[kind].create, "reset_after", times=1)
        await here.post()
        await here.work()
        await here.travel(100)
        await here.to_the_end()
        (delivery,) = await here.rows("select state from deliveries")
        assert delivery["state"] == "needs_review"


async def kill_amid(
    pool: Pool, folder: Path, database_url: str, redis_url: str, kind: str, *, deliveries: int, kills: int, seed: int
) -> None:
    """kill -9 of workers while every tenth create has an unclear answer."""
    sandbox = PLATFORMS[kind].sandbox(rng=Random(seed))
    settings: dict[str, Any] = {"lease": 3.0, "readback": "1,2,4,8", "request_seconds": 2.0, "in_flight": 12}
    around = running_world(pool, folder, sandbox, database_url, redis_url, registry=every(), **settings)
    async with around as (here, environment):
        for fault in ("error_after", "reset_after"):
            await here.fault(PLATFORMS[kind].create, fault, probability=0.05, times=deliveries // 20, status=500)
        await here.fault(PLATFORMS[kind].create, "slow", seconds=0.1)
        await here.fill(deliveries)
        log = folder / "log"
        environment |= strangers(folder)
        with process("schedule", environment, log):
            fleet = Fleet(2, environment, log, seed)
            done = asyncio.Event()
            raging = asyncio.create_task(fleet.rage(done, kills, least=0.5, most=1.5))
            try:
                await until(lambda: ended(here), patience=900.0)
            finally:
                done.set()
                await raging
                fleet.stop()
        found = await tally(here)
    record(f"kind {kind}: kill -9 {fleet.kills} times, every tenth create unclear (seed {seed})", runs=1, found=found)
    assert kept(kind, found, deliveries), found
    assert fleet.kills >= min(kills, 2)


async def test_kills_leave_what_nobody_can_look_up_to_a_person(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    await kill_amid(pool, tmp_path, database_url, redis_url, "none", deliveries=80, kills=2, seed=1)


@pytest.mark.big
@pytest.mark.parametrize("kind", PLATFORMS)
async def test_many_kills_leave_the_promise_of_each_kind(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, kind: str
) -> None:
    await kill_amid(pool, tmp_path, database_url, redis_url, kind, deliveries=1000, kills=40, seed=7)
