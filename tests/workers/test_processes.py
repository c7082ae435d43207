"""A worker and a scheduler as processes of their own, over a real broker, against the sandbox."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.fleet import PATIENCE, process, running_world, until
from tests.world import Pool

pytestmark = pytest.mark.engine


def sandbox() -> PinterestSandbox:
    return PinterestSandbox(rng=Random(1))


async def test_posts_go_out_as_they_fall_due(pool: Pool, tmp_path: Path, database_url: str, redis_url: str) -> None:
    async with running_world(pool, tmp_path, sandbox(), database_url, redis_url) as (here, environment):
        log = tmp_path / "log"
        with process("work", environment, log), process("schedule", environment, log):
            soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
            posts = [await here.post(), await here.post(title="Soon", postDate=soon), await here.post()]

            async def all_posted() -> bool:
                rows = await here.rows("select count(*) as posted from posts where status = 'POSTED'")
                return bool(rows[0]["posted"] == len(posts))

            await until(all_posted)
        assert len(here.sandbox.live()["pins"]) == 3  # type: ignore[index]


async def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(
        pool, tmp_path, sandbox(), database_url, redis_url, lease=4.0, readback="0.2,0.4", request_seconds=3.0
    ) as (
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

                await until(some_are_made)
                worker.kill()
            here.sandbox.faults.clear()
            with process("work", environment, log):

                async def all_published() -> bool:
                    rows = await here.rows("select count(*) as open from deliveries where state <> 'published'")
                    return bool(rows[0]["open"] == 0)

                await until(all_published)
        pins = here.sandbox.live()["pins"]  # type: ignore[index]
        ids = {row["external_id"] for row in await here.rows("select external_id from deliveries")}
        assert len(pins) == 30
        assert {pin["id"] for pin in pins} == ids


async def test_a_worker_told_to_stop_finishes_what_is_in_hand(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    async with running_world(pool, tmp_path, sandbox(), database_url, redis_url) as (here, environment):
        log = tmp_path / "log"
        for number in range(10):
            await here.post(title=f"Post {number}")
        here.sandbox.faults.add({"on": "POST /v5/pins", "fault": "slow", "times": None, "seconds": 0.5})
        with process("schedule", environment, log), process("work", environment, log) as worker:

            async def some_arrived() -> bool:
                return any(call.method == "POST" for call in here.sandbox.log.calls())

            await until(some_arrived)
            worker.terminate()
            assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
        rows = await here.rows("select state, count(*) as n from deliveries group by state")
        states = {row["state"]: row["n"] for row in rows}
        assert set(states) <= {"published", "queued", "scheduled"}, states
        assert states["published"] == len(here.sandbox.live()["pins"])  # type: ignore[index]
