"""A worker stopped at an exact point of its request, and let go on when another has long taken over."""

import asyncio
import signal
import sys
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from adapters.pinterest.sandbox import PinterestSandbox
from tests.chaos.gate import Point, gate
from tests.chaos.tally import all_out, record, tally
from tests.fleet import ended, freeze, process, running_world, until
from tests.world import Pool

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the gate reads Linux's table of connections"),
]

HOST = "FINGERPOST_PINTEREST_API_URL"


def large_picture() -> bytes:
    """A picture that does not fit into the buffers of a connection: noise cannot be packed."""
    file = BytesIO()
    Image.frombytes("RGB", (1500, 2000), Random(1).randbytes(1500 * 2000 * 3)).save(file, "PNG")
    return file.getvalue()


async def freeze_at(pool: Pool, folder: Path, database_url: str, redis_url: str, point: Point) -> None:
    """Stop a worker at the point until its delivery has gone out by another's hand; then let it go on."""
    settings: dict[str, Any] = {"lease": 1.0, "readback": "0.5,1", "request_seconds": 2.0}
    sandbox = PinterestSandbox(rng=Random(1))
    async with (
        running_world(pool, folder, sandbox, database_url, redis_url, **settings) as (here, environment),
        gate(here.sandbox_url, point) as held,
    ):
        await here.fill(1, picture=large_picture() if point == "amid" else None)
        log, others = folder / "frozen", folder / "others"
        worker = process("work", environment | {HOST: held.url}, log)
        with process("schedule", environment, others), worker as frozen:
            await held.reached()
            freeze(frozen)
            if point != "amid":
                await held.open()
            with process("work", environment, others):
                await until(lambda: ended(here))
            frozen.send_signal(signal.SIGCONT)
            await held.open()
            await until(lambda: told(log, ("outcome_came_late", "lease_lost")))
        found = await tally(here)
    record(f"worker frozen past its lease, {point} its request", runs=1, found=found)
    assert found == all_out(1)


async def told(log: Path, events: tuple[str, ...]) -> bool:
    text = await asyncio.to_thread(log.read_text)
    return any(event in text for event in events)


@pytest.mark.parametrize("point", ["connecting", "amid", "whole"])
async def test_a_worker_that_comes_back_after_its_lease_makes_nothing(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, point: Point
) -> None:
    await freeze_at(pool, tmp_path, database_url, redis_url, point)
