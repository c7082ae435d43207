"""A platform that is hard to read: clocks that are off, lists that lag, texts that are cut, connections that drop."""

import base64
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from adapters.pinterest.wire import PAGE_SIZE
from core.sandbox.picture import sample_picture
from tests.chaos.tally import all_out, record, tally, things
from tests.chaos.test_kills import BOUNDLESS
from tests.chaos.test_unclear import CREATE, SOON
from tests.world import Clock, Pool, World, world

WEATHERS: dict[str, dict[str, Any]] = {
    "clock 30 s ahead": {"clockOffset": 30},
    "clock 30 s behind": {"clockOffset": -30},
    "clock an hour ahead": {"clockOffset": 3600},
    "clock an hour behind": {"clockOffset": -3600},
    "lists 3 s late": {"listLag": 3},
    "texts trimmed and escaped": {"trimTexts": 25},
    "lists shuffled": {"order": "shuffled"},
    "lists oldest first": {"order": "oldest"},
    "idle connections dropped": {"idleSeconds": 0.01},
    "all of it": {"clockOffset": 30, "listLag": 3, "trimTexts": 25, "order": "shuffled", "idleSeconds": 0.01},
}
MARK = "Mum's  <best> & only"
"""A beginning of texts that a platform may spell otherwise."""


async def weathered(pool: Pool, folder: Path, weather: str, *, deliveries: int, seed: int) -> None:
    """Let posts meet faults of every kind in this weather."""
    async with world(pool, folder, PinterestSandbox(rng=Random(seed), clock=Clock()), **SOON) as here:
        await here.weather(**WEATHERS[weather])
        # So seldom nothing at all that nobody uses up all attempts: (0.7 * 0.1) ** 5 of them would.
        await here.fault(CREATE, "error_after", status=500, probability=0.3, times=deliveries // 2)
        await here.fault(CREATE, "error", status=500, probability=0.1, times=deliveries // 2)
        await here.fault(CREATE, "reset_after", probability=0.3, times=deliveries // 2)
        await here.fill(deliveries, MARK)
        await here.to_the_end(steps=200 + 5 * deliveries)
        found = await tally(here)
    record(f"{weather}, with every second create unclear (seed {seed})", runs=1, found=found)
    assert found == all_out(deliveries)


async def pin_by_hand(here: World, count: int) -> None:
    """Pins that are none of ours."""
    picture = base64.b64encode(sample_picture()).decode()
    source = {"source_type": "image_base64", "content_type": "image/png", "data": picture}
    headers = {"Authorization": f"Bearer {here.account.token}"}
    async with httpx.AsyncClient(base_url=here.sandbox_url, headers=headers) as client:
        for number in range(count):
            body = {"board_id": here.account.channel, "title": f"By hand {number}", "media_source": source}
            (await client.post("/v5/pins", json=body)).raise_for_status()


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
async def test_a_pin_is_found_on_any_page_of_a_list_in_any_order(pool: Pool, tmp_path: Path, order: str) -> None:
    clock = Clock()
    sandbox = PinterestSandbox(rng=Random(1), clock=clock, limits=BOUNDLESS)
    async with world(pool, tmp_path, sandbox, **SOON) as here:
        clock.travelled = -3600.0
        await pin_by_hand(here, PAGE_SIZE + 50)
        clock.travelled = 0.0
        await here.weather(order=order)
        await here.fault(CREATE, "error_after", status=500, times=1)
        await here.fill(1)
        await here.to_the_end()
        assert (await here.rows("select state from deliveries")) == [{"state": "published"}]
        assert len(things(here)) == PAGE_SIZE + 51


@pytest.mark.parametrize("weather", WEATHERS)
async def test_everything_goes_out_once_in_any_weather(pool: Pool, tmp_path: Path, weather: str) -> None:
    await weathered(pool, tmp_path, weather, deliveries=12, seed=1)


@pytest.mark.big
@pytest.mark.parametrize("weather", WEATHERS)
async def test_very_much_goes_out_once_in_any_weather(pool: Pool, tmp_path: Path, weather: str) -> None:
    await weathered(pool, tmp_path, weather, deliveries=400, seed=7)


async def test_a_likeness_is_left_to_whom_it_may_be_exactly(pool: Pool, tmp_path: Path) -> None:
    sandbox = PinterestSandbox(rng=Random(1), clock=Clock())
    async with world(pool, tmp_path, sandbox, readback="1,2", request_seconds=0.3) as here:
        await here.weather(trimTexts=25)
        await here.fault(CREATE, "reset_before", match={"nth": 1})
        await here.fault(CREATE, "reset_after", match={"nth": 2})
        longer = await here.say("The best of all mornings, and more of it")
        await here.work()
        await here.travel(1.1)
        await here.work()
        short = await here.say("The best of all mornings,")
        await here.work()
        await here.travel(1.1)
        (last, first) = await here.ledger.take("PINTEREST", 2)
        assert (last.post_id, last.looks, first.post_id, first.looks) == (longer.id, 1, short.id, 0)
        await here.publisher.carry_out(last)
        assert (await here.delivery(longer))["state"] == "unconfirmed", "it may be exactly the other's"
        await here.publisher.carry_out(first)
        await here.to_the_end()
        (pin,) = await here.rows("select external_id from deliveries where post_id = %s", short.id)
        assert pin["external_id"] == things(here)[0]["id"]
        assert sorted(row["state"] for row in await here.rows("select state from deliveries")) == ["published"] * 2
        assert len(things(here)) == 2
