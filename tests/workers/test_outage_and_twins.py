"""An outage costs nothing, and what looks alike is told apart."""

from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from adapters.echo.sandbox import EchoSandbox
from adapters.pinterest.sandbox import PinterestSandbox
from core.ledger.moves import Outcome
from core.ledger.states import State
from tests.world import Pool, World, world


async def fault(here: World, on: str, kind: str, **more: Any) -> None:
    async with httpx.AsyncClient(base_url=here.sandbox_url) as client:
        answer = await client.post("/_sandbox/faults", json={"on": on, "fault": kind, **more})
        assert answer.status_code == 201, answer.text


async def mend(here: World) -> None:
    async with httpx.AsyncClient(base_url=here.sandbox_url) as client:
        await client.delete("/_sandbox/faults")


async def states(here: World) -> list[str]:
    return [row["state"] for row in await here.rows("select state from deliveries order by id")]


async def test_an_outage_fails_nothing_and_is_asked_about_once_a_probe(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await fault(here, "*", "error", status=503, times=None)
        for number in range(20):
            await here.post(title=f"Post {number}", text=f"Text {number}")
        for _ in range(3):
            await here.work()
            await here.hasten()
        calls = len(here.sandbox.log.calls())
        for probe in range(1, 6):
            await here.work()
            assert len(here.sandbox.log.calls()) == calls + probe
            await here.work()
            assert len(here.sandbox.log.calls()) == calls + probe, "no second call before the next probe is due"
            await here.hasten()
        assert set(await states(here)) <= {"deferred", "unconfirmed", "queued", "scheduled"}
        await mend(here)
        for _ in range(4):
            await here.hasten()
            await here.work()
        assert await states(here) == ["published"] * 20
        live: Any = here.sandbox.live()
        assert len(live["messages"]) == 20


async def test_a_certain_answer_takes_back_what_a_twin_only_found(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        twin, other = await here.post(), await here.post()
        await here.ledger.claim()
        first, second = await here.ledger.take("PINTEREST", 2)
        assert first.fingerprint == second.fingerprint
        await here.ledger.arm(first, {})
        await here.ledger.settle(first.subject, Outcome(state=State.UNCONFIRMED, due_in=0.0))
        (look,) = await here.ledger.take("PINTEREST", 1)
        assert await here.ledger.twin_publishing(look)
        await here.ledger.settle(look.subject, Outcome(state=State.PUBLISHED, external_id="77", certain=False))
        assert await here.ledger.settle(second.subject, Outcome(state=State.PUBLISHED, external_id="77"))
        rows = {row["id"]: row for row in await here.rows("select * from deliveries")}
        assert (rows[second.id]["state"], rows[second.id]["external_id"]) == ("published", "77")
        assert (rows[first.id]["state"], rows[first.id]["external_id"]) == ("unconfirmed", None)
        assert rows[first.id]["armed_at"] is not None
        assert {str(twin.id), str(other.id)} == {str(row["post_id"]) for row in rows.values()}


async def test_twins_that_are_both_unclear_end_as_two_pins(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), readback="1,2") as here:
        await fault(here, "POST /v5/pins", "error_after", status=500, times=2)
        await here.post()
        await here.post()
        for _ in range(3):
            await here.work()
            await here.hasten()
        live: Any = here.sandbox.live()
        assert await states(here) == ["published", "published"]
        ids = {row["external_id"] for row in await here.rows("select external_id from deliveries")}
        assert ids == {pin["id"] for pin in live["pins"]}
        assert len(ids) == 2


async def test_a_long_lane_does_not_hide_a_short_one(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        for _ in range(30):
            await here.post()
        await here.ledger.claim(queued=10, each=5)
        small = await here.tenants.create_team(here.organization_id, "Small")
        account = await here.connect(small.id)
        block = {"boardId": account.channel, "mediaUrls": ["https://example.com/a.png"]}
        body = {"teamId": str(small.id), "data": {"PINTEREST": block}}
        single = await here.post(**body)
        await here.ledger.take("PINTEREST", 10)
        await here.ledger.claim(queued=10, each=10)
        order = [taken.post_id for taken in await here.ledger.take("PINTEREST", 10)]
        assert single.id in order[:2]


async def test_a_lane_that_was_idle_has_saved_nothing_up(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        for _ in range(20):
            await here.post()
        await here.ledger.claim(queued=10, each=10)
        await here.ledger.take("PINTEREST", 10)
        late = await here.tenants.create_team(here.organization_id, "Late")
        account = await here.connect(late.id)
        block = {"boardId": account.channel, "mediaUrls": ["https://example.com/a.png"]}
        for _ in range(20):
            await here.post(teamId=str(late.id), data={"PINTEREST": block})
        await here.ledger.claim(queued=10, each=10)
        teams = [taken.team_id for taken in await here.ledger.take("PINTEREST", 10)]
        assert teams.count(late.id) == 5, "the two share the next turns evenly"


async def test_an_illegal_move_is_refused_by_the_database_itself(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await here.post()
        async with pool.connection() as connection:
            with pytest.raises(psycopg.errors.CheckViolation, match="cannot go from scheduled to unconfirmed"):
                await connection.execute("update deliveries set state = 'unconfirmed'")


async def test_an_illegal_move_is_refused_by_the_program(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        await here.post()
        await here.ledger.claim()
        (taken,) = await here.ledger.take("ECHO", 1)
        with pytest.raises(ValueError, match="cannot go"):
            await here.ledger.settle(taken.subject, Outcome(state=State.CANCELLED))
