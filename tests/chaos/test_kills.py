"""kill -9 at any moment: every delivery goes out, and none goes out twice."""

import asyncio
import os
import random
from pathlib import Path

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.fleet import Fleet, process, running_world, until
from tests.world import Pool, World

pytestmark = pytest.mark.engine

BOUNDLESS = {"org_write": (10**9, 60), "org_read": (10**9, 60), "safety_net": (10**9, 1)}


async def fill(here: World, count: int) -> None:
    """Posts that are due now, each with a title of its own."""
    upload = await here.upload()

    async def one(number: int) -> None:
        block = {"boardId": here.account.channel, "uploadIds": [upload], "text": f"Pin {number}"}
        await here.post(title=f"Post {number}", data={here.sandbox.platform: block})

    for start in range(0, count, 50):
        await asyncio.gather(*(one(number) for number in range(start, min(start + 50, count))))


async def verdict(here: World) -> dict[str, int]:
    """What is live, doubled, lost, stuck and in review, by the sandbox's own state against the ledger."""
    live = here.sandbox.live()["pins"]  # type: ignore[index]
    rows = await here.rows("select state, external_id from deliveries")
    known = {row["external_id"] for row in rows if row["state"] == "published"}
    return {
        "deliveries": len(rows),
        "live": len(live),
        "duplicates": len(live) - len({pin["title"] for pin in live}),
        "lost": len(rows) - len({pin["title"] for pin in live}),
        "unknown": len({pin["id"] for pin in live} ^ known),
        "stuck": sum(row["state"] not in {"published", "failed", "needs_review"} for row in rows),
        "failed": sum(row["state"] == "failed" for row in rows),
        "in review": sum(row["state"] == "needs_review" for row in rows),
    }


async def survive(
    pool: Pool, folder: Path, database_url: str, redis_url: str, *, deliveries: int, kills: int, seed: int
) -> None:
    sandbox = PinterestSandbox(rng=random.Random(seed), limits=BOUNDLESS)
    settings = {"lease": 3.0, "readback": "1,2,4,8", "in_flight": 12}
    async with running_world(pool, folder, sandbox, database_url, redis_url, **settings) as (here, environment):
        sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.1})
        await fill(here, deliveries)
        log = folder / "log"
        with process("schedule", environment, log):
            fleet = Fleet(3, environment, log, seed)
            done = asyncio.Event()
            raging = asyncio.create_task(fleet.rage(done, kills, least=0.2, most=1.2))

            async def over() -> bool:
                rows = await here.rows(
                    "select count(*) as n from deliveries where state not in ('published', 'failed', 'needs_review')"
                )
                return bool(rows[0]["n"] == 0)

            try:
                await until(over, patience=600.0)
            finally:
                done.set()
                await raging
                fleet.stop()
        found = await verdict(here)
        print(f"seed {seed}: {fleet.kills} kills, {found}")
        assert found == {
            "deliveries": deliveries,
            "live": deliveries,
            "duplicates": 0,
            "lost": 0,
            "unknown": 0,
            "stuck": 0,
            "failed": 0,
            "in review": 0,
        }
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
