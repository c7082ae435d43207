"""Answers that say nothing of what was done: one Pin is live in the end, and the ledger knows its id."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.chaos.tally import all_out, record, tally, things
from tests.chaos.test_kills import BOUNDLESS
from tests.fleet import ended, process, running_world, until
from tests.world import Pool, World, world

CREATE = "POST /v5/pins"
REFUSAL = {"code": 2787, "message": "Something went wrong on our end."}

MADE: dict[str, dict[str, Any]] = {
    "500 after the create": {"kind": "error_after", "status": 500},
    "connection dropped after the create": {"kind": "reset_after"},
    "time-out after the create": {"kind": "hang_after", "seconds": 60},
    "garbage after the create": {"kind": "garbage"},
    "400 code 2787 after the create": {"kind": "error_after", "status": 400, "body": REFUSAL},
}
"""Answers behind which there is a Pin."""

NOT_MADE: dict[str, dict[str, Any]] = {
    "500, nothing made": {"kind": "error", "status": 500},
    "connection dropped, nothing made": {"kind": "reset_before"},
    "time-out, nothing made": {"kind": "hang_before", "seconds": 60},
    "400 code 2787, nothing made": {"kind": "error", "status": 400, "body": REFUSAL},
}
"""The same, and nothing behind them."""

LATE: dict[str, dict[str, Any]] = {
    "connection dropped, create carried out 20 s late": {"kind": "late", "seconds": 20},
    "500, create carried out 20 s late": {"kind": "late", "seconds": 20, "status": 500},
}
"""Answers after which a Pin is made, long after."""

EACH = 20
"""How many deliveries meet each case in the long runs."""

SOON: dict[str, Any] = {"readback": "1,2,4,8", "request_seconds": 0.3}


def creates(here: World) -> int:
    return sum(call.method == "POST" for call in here.sandbox.log.calls())


async def out_once(here: World) -> None:
    """One Pin is live, and the one delivery is published under its id."""
    (pin,) = things(here)
    (delivery,) = await here.rows("select state, external_id from deliveries")
    assert delivery == {"state": "published", "external_id": pin["id"]}


@pytest.mark.parametrize("case", MADE)
async def test_a_pin_behind_an_unclear_answer_is_found(pool: Pool, tmp_path: Path, case: str) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **SOON) as here:
        await here.fault(CREATE, times=1, **MADE[case])
        await here.post()
        await here.to_the_end()
        await out_once(here)
        assert creates(here) == 1


@pytest.mark.parametrize("case", NOT_MADE)
async def test_a_pin_that_was_not_made_is_made_once(pool: Pool, tmp_path: Path, case: str) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **SOON) as here:
        await here.fault(CREATE, times=1, **NOT_MADE[case])
        await here.post()
        await here.to_the_end()
        await out_once(here)
        assert creates(here) == 2


@pytest.mark.parametrize("looks", [0, 1, 3])
@pytest.mark.parametrize("status", [None, 500])
async def test_a_pin_made_late_is_found_by_a_later_look(
    pool: Pool, tmp_path: Path, looks: int, status: int | None
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **SOON) as here:
        await here.fault(CREATE, "late", times=1, seconds=3600, status=status)
        await here.post()
        await here.work()
        for _ in range(looks):
            await here.travel(4.1)
            await here.work()
        (delivery,) = await here.rows("select state, looks from deliveries")
        assert delivery == {"state": "unconfirmed", "looks": looks}, "the create is later than these looks"
        await here.catch_up()

        async def made() -> bool:
            return bool(things(here))

        await until(made)
        await here.to_the_end()
        await out_once(here)
        assert creates(here) == 1


async def test_looks_that_come_too_soon_do_not_send_again_what_a_platform_may_be_at_work_on(
    pool: Pool, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"readback": "0.02,0.04,0.06,0.08", "request_seconds": 1.0}
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **settings) as here:
        await here.fault(CREATE, "late", times=1, seconds=0.8)
        await here.post()

        async def out() -> bool:
            await here.live_on()
            return await ended(here)

        await until(out)
        await out_once(here)
        assert creates(here) == 1


async def test_an_unclear_answer_again_and_again_ends_with_one_pin(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **SOON) as here:
        for case in ("500, nothing made", "connection dropped, nothing made"):
            await here.fault(CREATE, times=1, **NOT_MADE[case])
        await here.fault(CREATE, "error_after", times=1, status=502)
        await here.post()
        await here.to_the_end()
        await out_once(here)
        assert creates(here) == 3


async def test_a_look_that_fails_is_no_look(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), **SOON) as here:
        await here.fault(CREATE, "error_after", times=1, status=500)
        for kind in ("error", "reset_before", "reset_after", "garbage", "slow"):
            await here.fault("GET /v5/boards/{board_id}/pins", kind, times=2, status=500, seconds=2)
        await here.post()
        await here.to_the_end()
        await out_once(here)
        assert creates(here) == 1


@pytest.mark.big
@pytest.mark.parametrize("readback", ["1,2,4,8", "5,30,120,600"])
async def test_every_unclear_answer_at_once(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, readback: str
) -> None:
    cases = {**MADE, **NOT_MADE, **LATE}
    settings: dict[str, Any] = {"lease": 30.0, "readback": readback}
    sandbox = PinterestSandbox(rng=Random(1), limits=BOUNDLESS)
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url, **settings) as (here, environment):
        for number, case in enumerate(cases.values()):
            await here.fault(CREATE, times=EACH, match={"body": f"Case {number}:"}, **case)
            await here.fill(EACH, f"Case {number}:")
        log = tmp_path / "log"
        with process("schedule", environment, log), process("work", environment, log):
            await until(lambda: ended(here), patience=1500.0)
        found = {case: await tally(here, mark=f"Case {number}:") for number, case in enumerate(cases)}
    for name, counts in found.items():
        record(f"{name}; looks at {readback} s", runs=1, found=counts)
    assert found == dict.fromkeys(cases, all_out(EACH))
