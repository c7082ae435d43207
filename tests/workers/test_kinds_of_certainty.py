"""Platforms whose evidence survives, and platforms that give none, end where the ledger says they do."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.echo.sandbox import EchoSandbox
from core.registry import Registry
from core.retry import Policy
from tests.platforms import mute, two_phase
from tests.platforms.mute import MuteSandbox
from tests.platforms.two_phase import TwoPhaseSandbox
from tests.world import Pool, World, world

AT_ONCE = Policy(attempts=5, first=0.001, cap=0.001)
PUBLISH = "POST /containers/{id}/publish"


def both() -> Registry:
    return Registry({"two-phase": two_phase, "mute": mute})


async def fault(here: World, on: str, kind: str, **more: Any) -> None:
    async with httpx.AsyncClient(base_url=here.sandbox_url) as client:
        answer = await client.post("/_sandbox/faults", json={"on": on, "fault": kind, **more})
        assert answer.status_code == 201, answer.text


def live(here: World, kind: str) -> list[Any]:
    found: Any = here.sandbox.live()
    return list(found[kind])


def calls(here: World, method: str, ending: str) -> int:
    return sum(1 for call in here.sandbox.log.calls() if call.method == method and call.path.endswith(ending))


async def settled(here: World, post: Any) -> dict[str, Any]:
    """The delivery, once nothing is left to be done for it."""
    for _ in range(20):
        await here.work()
        delivery = await here.delivery(post)
        if delivery["state"] in ("published", "failed", "needs_review"):
            return delivery
        await here.hasten()
    raise AssertionError(f"the delivery is still {delivery['state']}")


def test_both_load_like_a_strangers_adapters() -> None:
    registry = both()
    assert registry.broken == {}
    assert {name: adapter.certainty for name, adapter in registry.items()} == {"TWOPHASE": "two-phase", "MUTE": "none"}
    assert registry.sandboxes() == {"TWOPHASE": TwoPhaseSandbox, "MUTE": MuteSandbox}


async def test_a_post_of_two_phases_goes_out(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both()) as here:
        post = await here.post()
        delivery = await settled(here, post)
        (made,) = live(here, "posts")
        assert (delivery["state"], delivery["external_id"]) == ("published", made["id"])
        assert made["text"] == "Something to say"
        assert [each["status"] for each in live(here, "containers")] == ["PUBLISHED"]


async def test_a_container_that_takes_its_time_is_come_back_to(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1), reads=2), registry=both()) as here:
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "processing"
        assert (await settled(here, post))["state"] == "published"
        assert calls(here, "POST", "/containers") == 1
        assert len(live(here, "posts")) == 1


@pytest.mark.parametrize("kind", ["error_after", "reset_after"])
async def test_the_container_tells_what_the_answer_did_not(pool: Pool, tmp_path: Path, kind: str) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both()) as here:
        await fault(here, PUBLISH, kind, times=1)
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        delivery = await settled(here, post)
        (made,) = live(here, "posts")
        assert (delivery["state"], delivery["external_id"]) == ("published", made["id"])
        assert calls(here, "POST", "/publish") == 1


@pytest.mark.parametrize("kind", ["error", "reset_before"])
async def test_a_container_that_was_not_published_is_published_once(pool: Pool, tmp_path: Path, kind: str) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, PUBLISH, kind, times=1)
        delivery = await settled(here, await here.post())
        (made,) = live(here, "posts")
        assert (delivery["state"], delivery["external_id"]) == ("published", made["id"])
        assert calls(here, "POST", "/containers") == 1


async def test_a_publish_carried_out_late_is_found(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, PUBLISH, "late", seconds=0.3, times=1)
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        async with asyncio.timeout(10):
            while not live(here, "posts"):  # noqa: ASYNC110 - a post raises no event
                await asyncio.sleep(0.01)
        delivery = await settled(here, post)
        (made,) = live(here, "posts")
        assert (delivery["state"], delivery["external_id"]) == ("published", made["id"])
        assert calls(here, "POST", "/publish") == 1


async def test_a_publish_carried_out_late_meets_a_container_that_went_out(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, PUBLISH, "late", seconds=3600, times=1)
        delivery = await settled(here, await here.post())
        (made,) = live(here, "posts")
        assert (delivery["state"], delivery["external_id"]) == ("published", made["id"])
        async with httpx.AsyncClient(
            base_url=here.sandbox_url, headers={"Authorization": f"Bearer {made['user']}"}
        ) as late:
            assert (await late.post("/containers/c1/publish")).status_code == 409
        assert live(here, "posts") == [made]


async def test_a_reply_whose_end_nobody_saw_repeats_nothing_before_it(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, TwoPhaseSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, PUBLISH, "reset_before", match={"nth": 2})
        block = {"text": "first", "replies": ["second", "third"]}
        delivery = await settled(here, await here.post(data={"TWOPHASE": block}))
        posts = live(here, "posts")
        assert [each["text"] for each in posts] == ["first", "second", "third"]
        assert [each["reply_to"] for each in posts] == [None, "p1", "p1"]
        assert (delivery["state"], delivery["external_id"]) == ("published", "p1")


async def test_a_message_goes_out_and_its_pieces_in_turn(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, MuteSandbox(rng=Random(1)), registry=both()) as here:
        delivery = await settled(here, await here.post(data={"MUTE": {"text": "a" * 200 + "b"}}))
        assert (delivery["state"], delivery["external_id"]) == ("published", "1")
        assert [message["text"] for message in live(here, "messages")] == ["a" * 200, "b"]


@pytest.mark.parametrize(("kind", "said"), [("reset_after", 1), ("reset_before", 0), ("late", 0)])
async def test_what_nobody_can_look_up_is_never_sent_again_by_itself(
    pool: Pool, tmp_path: Path, kind: str, said: int
) -> None:
    async with world(pool, tmp_path, MuteSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, "POST /hook", kind, times=1, seconds=3600)
        post = await here.post()
        assert (await settled(here, post))["state"] == "needs_review"
        await here.hasten()
        await here.work()
        assert calls(here, "POST", "/hook") == 1
        assert len(live(here, "messages")) == said


async def test_a_message_that_was_refused_before_it_was_made_is_tried_again(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, MuteSandbox(rng=Random(1)), registry=both(), policy=AT_ONCE) as here:
        await fault(here, "POST /hook", "error", status=429, times=1, headers={"Retry-After": "1"})
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "deferred"
        assert (await settled(here, post))["state"] == "published"
        assert len(live(here, "messages")) == 1


async def test_a_key_that_the_platform_has_forgotten_is_not_sent_again(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        monkeypatch.setattr(type(here.adapter), "key_seconds", 3600.0)
        await fault(here, "POST /messages", "error_after", status=500, times=10)
        post = await here.post(maxDelay=86_400)
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        await here.travel(600)
        await here.work()
        assert (await here.delivery(post))["state"] == "unconfirmed"
        sent = calls(here, "POST", "/messages")
        assert sent == 2, "while it lives the key is sent again"
        await here.travel(3600)
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("needs_review", "outcome_unknown")
        assert calls(here, "POST", "/messages") == sent


async def test_certainty_may_differ_by_account(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        monkeypatch.setattr(
            type(here.adapter), "certainty_of", lambda _, account: account.facts.get("certainty", "none")
        )
        await fault(here, "POST /messages", "reset_after", times=1)
        assert (await settled(here, await here.post()))["state"] == "needs_review"
        assert calls(here, "POST", "/messages") == 1
