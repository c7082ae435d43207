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

pytestmark = pytest.mark.engine

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
        await here.fault(CREATE, "late", times=1, seconds=0.3, status=status)
        await here.post()
        await here.work()
        for _ in range(looks):
            await here.travel(4.1)
            await here.work()
        (delivery,) = await here.rows("select state, looks from deliveries")
        assert delivery == {"state": "unconfirmed", "looks": looks}, "the create is later than these looks"

        async def made() -> bool:
            return bool(things(here))

        await until(made)
        await here.to_the_end()
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
@pytest.mark.parametrize(("readback", "late"), [("1,2,4,8", 3.0), ("5,30,120,600", 20.0)])
async def test_every_unclear_answer_at_once(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, readback: str, late: float
) -> None:
    cases = {**MADE, **NOT_MADE, f"create carried out {late:g} s late": {"kind": "late", "seconds": late}}
    settings: dict[str, Any] = {"lease": 10.0, "readback": readback, "request_seconds": 2.0}
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
