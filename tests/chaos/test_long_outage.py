"""A platform that is down for an hour: nothing is spent, nothing fails, and it is asked once a minute."""

from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.echo.sandbox import EchoSandbox
from adapters.pinterest.sandbox import PinterestSandbox
from core.sandbox import Sandbox
from tests.chaos.tally import all_out, record, tally
from tests.chaos.test_kills import BOUNDLESS
from tests.world import Clock, Pool, World, world

HOUR = 3600.0
DOWN: dict[str, dict[str, Any]] = {
    "503 to everything": {"kind": "error", "status": 503},
    "every connection dropped": {"kind": "reset_before"},
}


def platform(name: str, clock: Clock) -> Sandbox:
    if name == "ECHO":
        return EchoSandbox(rng=Random(1), clock=clock)
    return PinterestSandbox(rng=Random(1), clock=clock, limits=BOUNDLESS)


async def an_hour(here: World, clock: Clock, *, step: float) -> None:
    """Live on through an hour, in steps; every ten minutes somebody posts something more."""
    while clock.travelled < HOUR:
        if clock.travelled % 600 < step:
            await here.fill(1, f"In the outage, after {clock.travelled:g} s,")
        await here.live_on()
        await here.travel(step)


async def live_through(pool: Pool, folder: Path, name: str, down: str, *, deliveries: int, step: float) -> None:
    clock = Clock()
    async with world(pool, folder, platform(name, clock)) as here:
        await here.fill(deliveries)
        await here.fault("*", **DOWN[down])
        await an_hour(here, clock, step=step)
        states = await here.rows("select state, count(*) as n from deliveries group by state")
        assert {row["state"] for row in states} <= {"scheduled", "deferred", "queued", "unconfirmed"}, states
        asked = [call.arrival for call in here.sandbox.log.calls()]
        await here.mend()
        await here.to_the_end()
        found = await tally(here)
    burst = [arrival for arrival in asked if arrival < asked[0] + 30.0]
    probes = asked[len(burst) :]
    record(f"{name}: {down} for an hour, {len(burst)} calls at its start, {len(probes)} probes", runs=1, found=found)
    assert found == all_out(found.deliveries)
    assert len(burst) <= 64, "what was in flight when it began"
    assert 50 <= len(probes) <= 60
    assert all(later - earlier >= 59.0 for earlier, later in pairwise(probes)), "at most one a minute"


@pytest.mark.parametrize("name", ["PINTEREST", "ECHO"])
@pytest.mark.parametrize("down", DOWN)
async def test_an_outage_of_an_hour_costs_nothing(pool: Pool, tmp_path: Path, name: str, down: str) -> None:
    await live_through(pool, tmp_path, name, down, deliveries=100, step=15.0)


@pytest.mark.big
@pytest.mark.parametrize("name", ["PINTEREST", "ECHO"])
@pytest.mark.parametrize("down", DOWN)
async def test_an_outage_of_an_hour_costs_thousands_nothing(pool: Pool, tmp_path: Path, name: str, down: str) -> None:
    await live_through(pool, tmp_path, name, down, deliveries=2000, step=1.0)
