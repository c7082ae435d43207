"""The whole engine under a strict quota: the platform never has to say no, and nothing is lost."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.limits import Quota
from tests.chaos.tally import all_out, tally
from tests.chaos.test_fairness import import_much
from tests.fleet import Fleet, ended, process, running_world, until
from tests.world import Pool, World


def worst(arrivals: Sequence[float], seconds: float) -> int:
    """The most calls that arrived within any so many seconds, by brute force."""
    return max((sum(start <= each < start + seconds for each in arrivals) for start in arrivals), default=0)


def creates(here: World) -> list[Any]:
    return [call for call in here.sandbox.log.calls() if call.method == "POST" and call.path == "/v5/pins"]


async def test_the_allowance_is_used_up_and_never_overdrawn(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    calls, seconds, posts = 8, 2, 48
    sandbox = PinterestSandbox(rng=random.Random(1), limits={"org_write": (calls, seconds)})
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url, in_flight=12) as (here, environment):
        await here.restrict(Quota(calls=calls, seconds=seconds, scope="account", category="org_write"))
        await here.fault("POST /v5/pins", "slow", seconds=0.1)
        await here.fill(posts)
        log = tmp_path / "log"
        with process("schedule", environment, log):
            fleet = Fleet(3, environment, log, seed=1)
            try:
                await until(lambda: ended(here))
            finally:
                fleet.stop()
        assert await tally(here) == all_out(posts)
        made = creates(here)
        assert {call.status for call in made} == {201}, "the platform never had to say no"
        assert worst([call.arrival for call in made], seconds) <= calls
        took = made[-1].arrival - made[0].arrival
        ideal = (posts / calls - 1) * seconds
        print(f"{posts} posts at {calls} in {seconds} s: {took:.2f} s, {ideal:.2f} s is the least possible")
        attempts = await here.rows("select attempts, failures, state from deliveries")
        assert {row["failures"] for row in attempts} == {0}, "waiting costs nothing"


async def test_the_post_of_another_team_gets_its_fair_turn_at_a_shared_window(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    calls, seconds = 6, 2
    sandbox = PinterestSandbox(rng=random.Random(1), limits={"org_write": (10**6, 1)})
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url) as (here, environment):
        other = (await here.tenants.create_team(here.organization_id, "Other")).id
        there = await here.connect(other)
        await here.restrict(Quota(calls=calls, seconds=seconds, scope="app", category="org_write"))
        await here.fill(300)
        log = tmp_path / "log"
        with process("schedule", environment, log), process("work", environment, log):
            await until(lambda: made(here, 2 * calls))
            before = len(creates(here))
            block = here.adapter.example(there.channel, f"{here.sandbox_url}/_sandbox/picture.png")
            single = await here.post(teamId=str(other), data={here.sandbox.platform: block})
            await until(lambda: published(here, single.id))
            between = len(creates(here)) - before
        assert between <= 3 * calls, "not behind the others' three hundred"
        assert worst([call.arrival for call in creates(here)], seconds) <= calls


async def made(here: World, count: int) -> bool:
    return len(creates(here)) >= count


async def published(here: World, post_id: Any) -> bool:
    rows = await here.rows("select state from deliveries where post_id = %s", post_id)
    return bool(rows[0]["state"] == "published")


async def test_a_quota_that_never_opens_ends_as_too_late(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    sandbox = PinterestSandbox(rng=random.Random(1))
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url) as (here, environment):
        await here.restrict(Quota(calls=1, seconds=86_400, scope="account", category="org_write"))
        first = await here.post()
        log = tmp_path / "log"
        with process("schedule", environment, log), process("work", environment, log):
            await until(lambda: published(here, first.id))
            late = await here.post(maxDelay=1)
            deferred = await here.post()
            await asyncio.sleep(1.5)
            await until(lambda: stands(here, late.id, "failed"))
        delivery = await here.delivery(late)
        assert delivery["error"]["code"] == "too_late"
        waiting = await here.delivery(deferred)
        assert waiting["state"] in ("deferred", "scheduled")
        assert len(creates(here)) == 1


async def stands(here: World, post_id: Any, state: str) -> bool:
    rows = await here.rows("select state from deliveries where post_id = %s", post_id)
    return bool(rows[0]["state"] == state)


@pytest.mark.big
async def test_fifty_thousand_posts_of_one_team_leave_another_its_turn(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    calls, seconds = 300, 20
    sandbox = PinterestSandbox(rng=random.Random(1), limits={"org_write": (10**6, 1)})
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url) as (here, environment):
        other = (await here.tenants.create_team(here.organization_id, "Other")).id
        there = await here.connect(other)
        await here.restrict(
            Quota(calls=calls, seconds=seconds, scope="app", category="org_write"),
            Quota(calls=10**6, seconds=1, scope="account", category="org_write"),
        )
        await import_much(here, 50_000)
        log = tmp_path / "log"
        with process("schedule", environment, log), process("work", environment, log):
            await until(lambda: made(here, calls + 1))
            before, start = len(creates(here)), time.monotonic()
            block = here.adapter.example(there.channel, f"{here.sandbox_url}/_sandbox/picture.png")
            single = await here.post(teamId=str(other), data={here.sandbox.platform: block})
            await until(lambda: published(here, single.id))
            took, between = time.monotonic() - start, len(creates(here)) - before
            rows = await here.rows(
                "select count(*) as n from deliveries where state = 'queued' and due_at > now() + interval '1 second'"
            )
        overdrawn = worst([call.arrival for call in creates(here)], seconds) - calls
        print(f"50,000 at {calls} in {seconds} s: another team's post took {took:.1f} s, {between} went out before it")
        assert between <= calls
        assert overdrawn <= 0
        assert rows[0]["n"] <= calls, "nothing is booked more than a window ahead"
