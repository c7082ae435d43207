"""Deliveries go out over the wire to the sandbox, and the ledger says what became of them."""

from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.echo.sandbox import EchoSandbox
from adapters.pinterest.sandbox import PinterestSandbox
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from tests.platforms import two_phase
from tests.platforms.two_phase import TwoPhaseSandbox
from tests.world import Pool, World, world

pytestmark = pytest.mark.engine

AT_ONCE = Policy(attempts=5, first=0.001, cap=0.001)


async def fault(here: World, on: str, kind: str, **more: Any) -> None:
    async with httpx.AsyncClient(base_url=here.sandbox_url) as client:
        answer = await client.post("/_sandbox/faults", json={"on": on, "fault": kind, **more})
        assert answer.status_code == 201, answer.text


def pins(here: World) -> list[Any]:
    live: Any = here.sandbox.live()
    return list(live["pins"])


def calls(here: World, method: str, path: str) -> int:
    return sum(1 for call in here.sandbox.log.calls() if call.method == method and call.path.startswith(path))


async def test_a_pin_goes_out_and_the_post_says_so(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await here.post()
        await here.work()
        (pin,) = pins(here)
        shown = await here.posts.get(here.organization_id, str(post.id))
        assert shown.status == "POSTED"
        assert shown.external_data is not None
        assert shown.external_data["PINTEREST"].id == pin["id"]
        assert shown.external_data["PINTEREST"].permalink == f"{here.sandbox_url}/pin/{pin['id']}/"
        (attempt,) = await here.rows("select * from attempts")
        assert attempt["armed_at"] is not None
        assert attempt["outcome"] == "published"
        assert attempt["http_status"] == 201
        events = await here.rows("select type, sequence from events where subject = %s order by sequence", post.id)
        assert events == [
            {"type": "delivery.published", "sequence": 1},
            {"type": "post.published", "sequence": 2},
        ]


async def test_a_text_that_is_cut_goes_out_as_it_was_shown(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await here.post(text="So many words. " * 60, adapt="shorten", data={})
        (warning,) = post.warnings
        assert (warning.code, warning.path) == ("shortened", ["data", "ECHO", "text"])
        await here.work()
        live: Any = here.sandbox.live()
        (said,) = live["messages"]
        assert len(said["text"]) <= 500
        assert said["text"].endswith(warning.message.partition("up to '")[2].removesuffix("'."))
        assert (await here.delivery(post))["block"] == {"text": said["text"]}


async def test_an_uploaded_picture_goes_out_as_bytes(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        upload = await here.upload()
        block = {"boardName": "inspiration", "uploadIds": [upload], "text": "From bytes"}
        await here.post(data={"PINTEREST": block})
        await here.work()
        (pin,) = pins(here)
        assert pin["title"] == "From bytes"


async def test_a_dead_end_fails_once_with_code_and_hint(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await here.post(data={"PINTEREST": {"boardId": "123", "mediaUrls": [f"{here.sandbox_url}/nothing.png"]}})
        await here.work()
        delivery = await here.delivery(post)
        assert delivery["state"] == "failed"
        assert delivery["error"]["code"] == "board_not_found"
        assert delivery["error"]["platformCode"] == "40"
        assert delivery["error"]["hint"]
        assert calls(here, "POST", "/v5/pins") == 1
        shown = await here.posts.get(here.organization_id, str(post.id))
        assert shown.status == "ERROR"


async def test_a_platform_in_trouble_before_the_create_is_tried_again_and_gives_up(pool: Pool, tmp_path: Path) -> None:
    sandbox, registry = TwoPhaseSandbox(rng=Random(1)), Registry({"two-phase": two_phase})
    async with world(pool, tmp_path, sandbox, policy=AT_ONCE, registry=registry) as here:
        await fault(here, "POST /containers", "error", status=503, times=None)
        post = await here.post()
        for _ in range(5):
            await here.work()
            await here.hasten()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["attempts"], delivery["failures"]) == ("failed", 5, 5)
        await here.hasten()
        await here.work()
        assert calls(here, "POST", "/containers") == 5


async def test_a_quota_defers_and_costs_no_failure(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), limits={"org_write": (1, 60)})) as here:
        first = await here.post()
        await here.work()
        second = await here.post(title="Another")
        await here.work()
        assert (await here.delivery(first))["state"] == "published"
        delivery = await here.delivery(second)
        assert delivery["state"] == "deferred"
        assert delivery["failures"] == 0
        ((wait,),) = [
            list(row.values())
            for row in await here.rows(
                "select extract(epoch from due_at - now()) as wait from deliveries where id = %s", delivery["id"]
            )
        ]
        assert 1 <= wait <= 60


@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
async def test_a_pin_made_behind_an_error_is_found_and_not_made_again(pool: Pool, tmp_path: Path, kind: str) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), readback="1,2,4,8") as here:
        await fault(here, "POST /v5/pins", kind, times=1, status=500 if kind == "error_after" else None)
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        await here.hasten()
        await here.work()
        (pin,) = pins(here)
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["external_id"]) == ("published", pin["id"])
        assert calls(here, "POST", "/v5/pins") == 1


@pytest.mark.parametrize("kind", ["error", "reset_before"])
async def test_a_pin_that_was_not_made_is_made_once_after_the_last_look(pool: Pool, tmp_path: Path, kind: str) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), policy=AT_ONCE) as here:
        await fault(here, "POST /v5/pins", kind, times=1, status=500 if kind == "error" else None)
        post = await here.post()
        await here.work()
        for looks in range(1, 4):
            await here.hasten()
            await here.work()
            delivery = await here.delivery(post)
            assert (delivery["state"], delivery["looks"]) == ("unconfirmed", looks)
        await here.hasten()
        await here.work()
        assert (await here.delivery(post))["state"] == "retrying"
        await here.hasten()
        await here.work()
        assert (await here.delivery(post))["state"] == "published"
        assert len(pins(here)) == 1


async def test_a_repeated_key_makes_nothing_twice(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), policy=AT_ONCE) as here:
        await fault(here, "POST /messages", "reset_after", times=1)
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        await here.hasten()
        await here.work()
        live: Any = here.sandbox.live()
        assert len(live["messages"]) == 1
        assert (await here.delivery(post))["state"] == "published"


async def test_a_worker_that_dies_armed_is_looked_up_and_one_that_dies_before_is_tried_again(
    pool: Pool, tmp_path: Path
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), lease=0.05) as here:
        armed, unarmed = await here.post(title="armed"), await here.post(title="unarmed")
        await here.ledger.claim()
        for taken in await here.ledger.take("PINTEREST", 10):
            if str(taken.post_id) == str(armed.id):
                await here.ledger.arm(taken, {})
        while await here.ledger.sweep(PUBLISHING, Random(1)) == 0:
            pass
        states = {str(row["post_id"]): row["state"] for row in await here.rows("select * from deliveries")}
        while "publishing" in states.values():
            await here.ledger.sweep(PUBLISHING, Random(1))
            states = {str(row["post_id"]): row["state"] for row in await here.rows("select * from deliveries")}
        assert states == {str(armed.id): "unconfirmed", str(unarmed.id): "retrying"}


async def test_an_outcome_under_an_old_fence_is_not_written(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), lease=0.05) as here:
        post = await here.post()
        await here.ledger.claim()
        (old,) = await here.ledger.take("PINTEREST", 1)
        while await here.ledger.sweep(PUBLISHING, Random(1)) == 0:
            pass
        await here.publisher.carry_out(old)
        delivery = await here.delivery(post)
        assert delivery["state"] == "retrying"
        assert pins(here) == []


async def test_too_late_fails_instead_of_going_out_stale(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), max_delay=0.001) as here:
        post = await here.post()
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("failed", "too_late")
        assert pins(here) == []


async def test_a_post_says_itself_how_late_it_may_go_out(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        delivery = await here.delivery(await here.post(maxDelay=90))
        assert (delivery["expires_at"] - delivery["due_at"]).total_seconds() == 90


async def test_a_team_may_want_to_look_itself_before_anything_is_sent_again(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), readback="30") as here:
        await here.rows("update teams set when_not_found = 'review' returning id")
        await fault(here, "POST /v5/pins", "error", times=1, status=500)
        post = await here.post()
        await here.work()
        await here.hasten()
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("needs_review", "not_made")
