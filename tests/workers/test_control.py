"""What a person may still change of a post, at every state and against the workers."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from adapters.echo.sandbox import EchoSandbox
from core.errors import Conflict, NotFound
from core.ledger.control import Control
from core.ledger.moves import Failure, Outcome
from core.ledger.states import WAITING, State
from core.posts.views import NewPostView
from tests.world import Pool, World, world

PENDING: dict[str, Any] = {"job": 1}


def messages(here: World) -> list[Any]:
    live: Any = here.sandbox.live()
    return list(live["messages"])


def control(here: World) -> Control:
    return Control(here.pool, here.ledger.notices, patience=3600.0)


async def brought_to(here: World, state: State) -> NewPostView:
    """A post whose delivery is in a state, by the way that the engine takes."""
    post = await here.post()
    if state is State.SCHEDULED:
        return post
    await here.ledger.claim()
    if state is State.QUEUED:
        return post
    (taken,) = await here.ledger.take("ECHO", 1)
    if state is State.PUBLISHING:
        return post
    if state is State.CANCELLED:
        await here.ledger.settle(taken.subject, Outcome(state=State.RETRYING, due_in=60.0))
        await control(here).delete(here.organization_id, post.id)
        return post
    error = Failure(code="test", message="A test.") if state is not State.PUBLISHED else None
    outcome = Outcome(state=state, due_in=60.0, error=error, external_id="1" if state is State.PUBLISHED else None)
    assert await here.ledger.settle(taken.subject, outcome)
    return post


@pytest.mark.parametrize("state", sorted(WAITING))
async def test_what_waits_is_called_off_by_delete(pool: Pool, tmp_path: Path, state: State) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, state)
        await control(here).delete(here.organization_id, post.id)
        assert (await here.delivery(post))["state"] == "cancelled"
        await here.hasten()
        await here.work()
        assert messages(here) == []
        assert (await here.rows("select status from posts"))[0]["status"] == "DELETED"


@pytest.mark.parametrize("state", [State.PUBLISHING, State.PROCESSING, State.UNCONFIRMED, State.NEEDS_REVIEW])
async def test_what_is_under_way_is_not_deleted(pool: Pool, tmp_path: Path, state: State) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, state)
        with pytest.raises(Conflict, match=state):
            await control(here).delete(here.organization_id, post.id)
        assert (await here.delivery(post))["state"] == state
        assert (await here.rows("select deleted_at from posts"))[0]["deleted_at"] is None


async def test_what_is_live_stays_live_when_its_post_is_deleted(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await here.post()
        await here.work()
        await control(here).delete(here.organization_id, post.id)
        assert (await here.delivery(post))["state"] == "published"
        assert len(messages(here)) == 1
        with pytest.raises(NotFound):
            await control(here).delete(here.organization_id, post.id)


@pytest.mark.parametrize("state", sorted(set(State) - {State.FAILED, State.CANCELLED}))
async def test_only_what_has_failed_is_tried_again(pool: Pool, tmp_path: Path, state: State) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, state)
        with pytest.raises(Conflict, match="failed"):
            await control(here).retry(here.organization_id, post.id)


async def test_a_failed_post_goes_out_after_a_retry(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), max_delay=0.001) as here:
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["error"]["code"] == "too_late"
        await control(here).retry(here.organization_id, post.id)
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["failures"]) == ("published", 0)
        assert (await here.rows("select status from posts"))[0]["status"] == "POSTED"


@pytest.mark.parametrize("state", sorted(WAITING))
async def test_what_waits_can_be_moved_to_another_date(pool: Pool, tmp_path: Path, state: State) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, state)
        later = datetime.now(UTC) + timedelta(days=400)
        await here.changing.change(here.organization_id, post.id, {"postDate": later.isoformat()})
        delivery = await here.delivery(post)
        assert delivery["state"] == "scheduled"
        assert abs((delivery["due_at"] - later).total_seconds()) < 60
        assert delivery["expires_at"] > delivery["due_at"]
        (row,) = await here.rows("select post_date, content->>'postDate' as text from posts")
        assert row == {"post_date": later, "text": later.isoformat()}


@pytest.mark.parametrize("state", sorted(set(State) - WAITING - {State.CANCELLED}))
async def test_what_does_not_wait_keeps_its_date(pool: Pool, tmp_path: Path, state: State) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, state)
        with pytest.raises(Conflict):
            await here.changing.change(here.organization_id, post.id, {"postDate": datetime.now(UTC).isoformat()})


async def test_a_person_resolves_what_needs_review(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        org = here.organization_id
        for resolution, expected in (("published", "published"), ("fail", "failed"), ("retry", "retrying")):
            post = await brought_to(here, State.NEEDS_REVIEW)
            delivery = await here.delivery(post)
            await control(here).resolve(org, delivery["id"], resolution, external_id=f"x-{resolution}")  # type: ignore[arg-type]
            assert (await here.delivery(post))["state"] == expected
            with pytest.raises(Conflict):
                await control(here).resolve(org, delivery["id"], "fail")


async def test_two_deliveries_cannot_be_resolved_as_the_same(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        first, second = await brought_to(here, State.NEEDS_REVIEW), await brought_to(here, State.NEEDS_REVIEW)
        ids = [(await here.delivery(post))["id"] for post in (first, second)]
        await control(here).resolve(here.organization_id, ids[0], "published", external_id="1")
        with pytest.raises(Conflict, match="another"):
            await control(here).resolve(here.organization_id, ids[1], "published", external_id="1")


async def test_a_stranger_finds_nothing(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        post = await brought_to(here, State.NEEDS_REVIEW)
        stranger = await here.tenants.create_organization("Stranger")
        delivery = await here.delivery(post)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: control(here).delete(stranger, post.id),
            lambda: control(here).retry(stranger, post.id),
            lambda: here.changing.change(stranger, post.id, {"title": "Mine"}),
            lambda: control(here).resolve(stranger, delivery["id"], "fail"),
            lambda: control(here).resolve(here.organization_id, uuid4(), "fail"),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call()
        assert await control(here).attempts(stranger, post.id) == []
        assert len(await control(here).attempts(here.organization_id, post.id)) == 1


async def test_deletes_racing_with_workers_end_in_one_or_the_other(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1))) as here:
        posts = [await here.post(title=f"{n}", text=f"{n}") for n in range(40)]

        async def delete(post: NewPostView) -> bool:
            await asyncio.sleep(Random(str(post.id)).random() / 10)
            try:
                await control(here).delete(here.organization_id, post.id)
            except Conflict:
                return False
            return True

        deleted, _ = await asyncio.gather(asyncio.gather(*map(delete, posts)), here.work())
        await here.hasten()
        await here.work()
        said = {message["text"] for message in messages(here)}
        states = {str(row["post_id"]): row["state"] for row in await here.rows("select * from deliveries")}
        for number, (post, gone) in enumerate(zip(posts, deleted, strict=True)):
            published = states[str(post.id)] == "published"
            assert published == (str(number) in said)
            assert states[str(post.id)] in {"published", "cancelled"}
            assert gone or published, "a refused delete leaves the post to go out"
