"""Posts that look the same on the platform: each has a Pin of its own in the end, whatever was unclear between."""

import asyncio
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.ledger.ledger import Taken
from tests.chaos.tally import Tally, all_out, record, tally, things
from tests.chaos.test_unclear import CREATE, SOON
from tests.fleet import until
from tests.world import Clock, Pool, World, world

FATES: dict[str, dict[str, Any] | None] = {
    "fine": None,
    "500 after": {"kind": "error_after", "status": 500},
    "500 before": {"kind": "error", "status": 500},
    "dropped after": {"kind": "reset_after"},
    "dropped before": {"kind": "reset_before"},
    "too slow": {"kind": "hang_after", "seconds": 60},
}
"""What may happen to one of them."""

SOME = [
    ("fine", "500 before"),
    ("500 before", "fine"),
    ("500 after", "fine"),
    ("500 after", "500 before"),
    ("too slow", "dropped before"),
    ("dropped before", "dropped before"),
]


async def twins(here: World, *fates: str) -> Tally:
    """Identical posts, each with its fate, to their end."""
    for number, fate in enumerate(fates, 1):
        if (fault := FATES[fate]) is not None:
            await here.fault(CREATE, match={"nth": number}, **fault)
        await here.post()
    await here.to_the_end()
    return await tally(here, twins=len(fates))


@pytest.mark.parametrize("fates", SOME, ids="-".join)
async def test_twins_have_a_pin_each(pool: Pool, tmp_path: Path, fates: tuple[str, str]) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), clock=Clock()), **SOON) as here:
        assert await twins(here, *fates) == all_out(2)


@pytest.mark.big
@pytest.mark.parametrize("lag", [0.0, 3.0])
async def test_triplets_of_all_fates_have_a_pin_each(pool: Pool, tmp_path: Path, lag: float) -> None:
    every = list(product(FATES, repeat=3))
    counts = Tally(deliveries=0, live=0)
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), clock=Clock()), **SOON) as here:
        await here.weather(listLag=lag)
        for fates in every:
            await here.mend()
            counts = await twins(here, *fates)
            await here.travel(600)
    record(f"triplets, every fate of each, lists {lag:g} s late", runs=len(every), found=counts)
    assert counts.untrue == counts.lost == counts.stuck == counts.failed == counts.in_review == 0
    assert counts.live == counts.deliveries == 3 * len(every)


async def taken_by(here: World, count: int) -> list[Taken]:
    await here.ledger.claim()
    return await here.ledger.take(here.sandbox.platform, count)


async def test_a_look_waits_while_a_twin_is_being_published(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), readback="1,2,4,8") as here:
        await here.fault(CREATE, "reset_before", match={"nth": 1})
        await here.fault(CREATE, "hang_after", match={"nth": 2}, seconds=1.0)
        await here.post()
        await here.work()
        await here.post()
        (second,) = await taken_by(here, 1)
        publishing = asyncio.create_task(here.publisher.carry_out(second))

        async def seen() -> bool:
            return len(things(here)) == 1

        await until(seen)
        await here.travel(1.1)
        (look,) = await taken_by(here, 1)
        await here.publisher.carry_out(look)
        states = await here.rows("select state, looks, external_id from deliveries where id = %s", look.id)
        assert states == [{"state": "unconfirmed", "looks": 0, "external_id": None}]
        await publishing
        await here.to_the_end()
        assert await tally(here, twins=2) == all_out(2)


async def test_an_answer_that_comes_after_the_lease_takes_its_pin_back_from_a_twin(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), readback="1,2,4,8", lease=5.0) as here:
        await here.fault(CREATE, "reset_before", match={"nth": 1})
        await here.fault(CREATE, "hang_after", match={"nth": 2}, seconds=1.0)
        await here.post()
        await here.work()
        await here.post()
        (second,) = await taken_by(here, 1)
        publishing = asyncio.create_task(here.publisher.carry_out(second))

        async def seen() -> bool:
            return len(things(here)) == 1

        await until(seen)
        await here.travel(6)
        await here.ledger.sweep(here.policy, here.random)
        (first,) = [each for each in await taken_by(here, 2) if each.id != second.id]
        await here.publisher.carry_out(first)
        found = await here.rows("select state, certain from deliveries where id = %s", first.id)
        assert found == [{"state": "published", "certain": False}], "it has found what the twin has made"
        await publishing
        (evicted,) = await here.rows("select state, external_id from deliveries where id = %s", first.id)
        assert evicted == {"state": "unconfirmed", "external_id": None}
        await here.travel(6)
        await here.to_the_end()
        assert await tally(here, twins=2) == all_out(2)
