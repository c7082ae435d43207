"""A worker dies between every two lines: what is on disk then, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.ledger.ledger import LeaseLost
from core.ledger.moves import Outcome, Subject
from core.ledger.states import State
from tests.chaos.brittle import POINTS, Point, Worker
from tests.chaos.kinds import KINDS, every
from tests.chaos.tally import Tally, all_out, tally, text_of, things
from tests.world import Clock, Pool, World, world

pytestmark = pytest.mark.engine

ON_DISK: dict[Point, tuple[str, bool, int]] = {
    "before arming": ("publishing", False, 0),
    "armed": ("publishing", True, 0),
    "answered": ("publishing", True, 1),
    # Only steps are remembered by themselves; what a create was answered is written with its outcome.
    "before remembering": ("published", True, 1),
    "remembered": ("published", True, 1),
    "before settling": ("publishing", True, 1),
    "settled": ("published", True, 1),
}
"""The state, whether it is armed, and how many are live, after a death at each point of a create."""

LATE_WORDS = (
    Outcome(state=State.PUBLISHED, external_id="1"),
    Outcome(state=State.UNCONFIRMED, due_in=0.0),
    Outcome(state=State.RETRYING, due_in=0.0, failed=True),
    Outcome(state=State.FAILED, failed=True),
)
"""What one might say of a delivery that is no longer its own."""


async def dies(here: World, worker: Worker, point: Point, text: str) -> None:
    await here.say(text)
    await here.ledger.claim()
    (taken,) = await worker.take()
    await worker.carry_out(taken, dying=point)


async def on_disk(here: World, text: str) -> tuple[str, bool, int]:
    (row,) = await here.rows(
        "select d.state, d.armed_at is not null as armed from deliveries d join posts p on p.id = d.post_id"
        " where p.title = %s",
        text,
    )
    return row["state"], row["armed"], sum(text_of(thing) == text for thing in things(here))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_on_disk_decides_what_becomes_of_it(pool: Pool, tmp_path: Path, kind: str) -> None:
    settings: dict[str, Any] = {"lease": 30.0, "readback": "1,2,4", "request_seconds": 1.0}
    sandbox = KINDS[kind].sandbox(rng=Random(1), clock=Clock())
    async with world(pool, tmp_path, sandbox, registry=every(), **settings) as here:
        worker = Worker(here)
        for point in POINTS:
            await dies(here, worker, point, point)
        if not KINDS[kind].steps:
            # A step passes some of these points as well.
            assert {point: await on_disk(here, point) for point in POINTS} == ON_DISK
        await here.travel(31)
        await here.to_the_end()
        found_in_the_end = await tally(here)
        await worker.aclose()
    if kind == "none":
        assert found_in_the_end == Tally(deliveries=len(POINTS), live=len(POINTS) - 1, in_review=3)
    else:
        assert found_in_the_end == all_out(len(POINTS))


@pytest.mark.parametrize("kind", ["read-back", "two-phase"])
async def test_a_look_whose_worker_dies_is_ended_and_made_again(pool: Pool, tmp_path: Path, kind: str) -> None:
    settings: dict[str, Any] = {"lease": 30.0, "readback": "1,2,4", "request_seconds": 1.0}
    sandbox = KINDS[kind].sandbox(rng=Random(1), clock=Clock())
    async with world(pool, tmp_path, sandbox, registry=every(), **settings) as here:
        worker = Worker(here)
        await here.fault(KINDS[kind].create, "error_after", times=1, status=500)
        await here.say("Unclear")
        await here.work()
        await here.travel(1.1)
        (look,) = await worker.take()
        await worker.carry_out(look, dying="before settling")
        assert await on_disk(here, "Unclear") == ("unconfirmed", True, 1)
        assert await worker.take() == [], "it is leased"
        await here.travel(31)
        await here.to_the_end()
        assert await tally(here) == all_out(1)
        lost = await here.rows("select kind, outcome, ended_at from attempts where code = 'worker_lost'")
        await worker.aclose()
    assert [(row["kind"], row["outcome"]) for row in lost] == [("look", "unconfirmed")]
    assert lost[0]["ended_at"] is not None


async def test_a_worker_that_comes_back_does_not_speak_for_the_one_that_took_over(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), clock=Clock()), lease=30.0) as here:
        await here.say("Taken twice")
        await here.ledger.claim()
        (first,) = await here.ledger.take("PINTEREST", 1)
        await here.travel(31)
        await here.ledger.sweep(here.policy, here.random)
        await here.travel(3)
        await here.ledger.claim()
        (second,) = await here.ledger.take("PINTEREST", 1)
        for outcome in LATE_WORDS:
            assert not await here.ledger.settle(first.subject, outcome)
        with pytest.raises(LeaseLost):
            await here.ledger.arm(first, {})
        with pytest.raises(LeaseLost):
            await here.ledger.remember(first, {"create-pin": {"id": "1"}})
        await here.publisher.carry_out(second)
        assert await tally(here) == all_out(1)


async def test_nothing_is_armed_after_the_lease(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), clock=Clock()), lease=30.0) as here:
        await here.say("Slept over")
        await here.ledger.claim()
        (taken,) = await here.ledger.take("PINTEREST", 1)
        await here.travel(31)
        with pytest.raises(LeaseLost):
            await here.ledger.arm(taken, {})
        await here.publisher.carry_out(taken)
        assert things(here) == []
        assert await on_disk(here, "Slept over") == ("publishing", False, 0)


async def test_a_sweep_that_read_too_early_takes_nothing_back(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        await here.say("Out in time")
        await here.ledger.claim()
        (taken,) = await here.ledger.take("PINTEREST", 1)
        await here.publisher.carry_out(taken)
        for outcome in LATE_WORDS:
            assert not await here.ledger.settle(taken.subject, outcome), "the state is another, the fence the same"
        assert await tally(here) == all_out(1)


async def test_a_breaker_that_read_too_early_does_not_hasten_what_was_moved(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await here.say("Moved")
        await here.ledger.claim()
        delivery = await here.delivery(post)
        queued = msgspec.convert({name: delivery[name] for name in Subject.__struct_fields__}, Subject)
        date = datetime.now(UTC) + timedelta(days=3)
        await here.changing.change(here.organization_id, post.id, {"postDate": date.isoformat()})
        assert not await here.ledger.settle(queued, Outcome(state=State.DEFERRED, due_in=0.0))
        assert (await here.delivery(post))["state"] == "scheduled"
