"""Posts wait while their account is not let in, and go on by themselves when it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from adapters.pinterest.sandbox import PinterestSandbox
from tests.workers.tenure import APP, consent, grant, refresher, sandbox_of, token_calls, told
from tests.world import Pool, World, world


def live(here: World) -> list[Any]:
    state: Any = here.sandbox.live()
    return list(state["pins"])


async def shut_out(here: World) -> None:
    """The user takes back what was granted."""
    sandbox_of(here).revoke((await grant(here))["external_user"])


async def waiting(here: World, post: Any) -> tuple[str, str]:
    delivery = await here.delivery(post)
    return delivery["state"], (delivery["error"] or {}).get("code", "")


async def test_a_token_that_ended_is_renewed_and_the_post_goes_out_once(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        sandbox_of(here).expire((await grant(here))["external_user"])
        post = await here.post()
        await here.work()
        assert await waiting(here, post) == ("deferred", "token_refreshing")
        await here.work()
        assert await waiting(here, post) == ("deferred", "token_refreshing")
        await refresher(here).drain()
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["failures"]) == ("published", 0)
        assert len(live(here)) == 1
        assert token_calls(here) == 1


async def test_without_a_refresh_a_post_waits_and_says_why_and_goes_out_after_the_consent(
    pool: Pool, tmp_path: Path
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        user = (await grant(here))["external_user"]
        await shut_out(here)
        post = await here.post()
        await here.work()
        await refresher(here).drain()
        await here.work()
        assert await waiting(here, post) == ("deferred", "account_needs_reauth")
        assert await told(here) == ["connected", "needs_reauth"]
        shown = await here.posts.get(here.organization_id, str(post.id))
        assert shown.status == "RETRYING"
        assert shown.errors_verbose is not None
        verbose = shown.errors_verbose["PINTEREST"]
        assert (verbose.code, verbose.is_transient, verbose.retryability) == ("account_needs_reauth", True, "retryable")
        assert "Connect the account again" in verbose.user_facing_message
        calls = len(here.sandbox.log.calls())
        later = await here.say("another one")
        await here.work()
        assert await waiting(here, later) == ("deferred", "account_needs_reauth")
        assert len(here.sandbox.log.calls()) == calls, "a platform that said no is not asked again"
        await consent(here, user=user)
        await here.work()
        assert {await waiting(here, each) for each in (post, later)} == {("published", "")}
        assert len(live(here)) == 2
        assert await told(here) == ["connected", "needs_reauth", "connected"]


async def test_a_post_waits_no_longer_than_it_may(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        await shut_out(here)
        post = await here.post(maxDelay=3600)
        await here.work()
        await refresher(here).drain()
        await here.work()
        ((row,),) = [await here.rows("select extract(epoch from due_at - now())::float8 as wait from deliveries")]
        assert 3500 < row["wait"] <= 3600
        await here.travel(3601)
        await here.work()
        assert await waiting(here, post) == ("failed", "too_late")


async def test_a_look_that_is_not_let_in_waits_and_finds_after_the_consent(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP, readback="1,2,4,8") as here:
        await consent(here)
        user = (await grant(here))["external_user"]
        await here.fault("POST /v5/pins", "reset_after", times=1)
        post = await here.post()
        await here.work()
        assert await waiting(here, post) == ("unconfirmed", "outcome_unknown")
        await shut_out(here)
        await here.travel(2)
        await here.work()
        await refresher(here).drain()
        await here.work()
        assert await waiting(here, post) == ("unconfirmed", "account_needs_reauth")
        await here.travel(3600)
        await here.work()
        assert (await waiting(here, post))[0] == "unconfirmed"
        await consent(here, user=user)
        await here.work()
        assert (await here.delivery(post))["state"] == "published"
        assert len(live(here)) == 1


async def test_a_look_that_is_not_let_in_for_a_day_is_left_to_a_person(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP, readback="1,2,4,8") as here:
        await consent(here)
        await here.fault("POST /v5/pins", "reset_after", times=1)
        post = await here.post()
        await here.work()
        await shut_out(here)
        await here.travel(2)
        await here.work()
        await refresher(here).drain()
        await here.work()
        await here.travel(86_500)
        await here.work()
        assert (await here.delivery(post))["state"] == "needs_review"


async def test_a_disconnected_accounts_posts_come_to_an_end(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP, readback="1,2,4,8") as here:
        await consent(here)
        future = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        later = await here.post(postDate=future)
        due = await here.say("due now")
        await here.fault("POST /v5/pins", "reset_after", times=1)
        unclear = await here.say("unclear")
        await here.ledger.claim()
        await here.accounts.remove(here.organization_id, here.account.id)
        assert {await waiting(here, post) for post in (later, due, unclear)} == {("failed", "account_disconnected")}
        shown = await here.posts.get(here.organization_id, str(later.id))
        assert shown.status == "ERROR"
        assert live(here) == []
        assert (await here.rows("select count(*) as n from grants where access_token is not null"))[0]["n"] == 0


async def test_what_is_unclear_when_the_account_goes_is_left_to_a_person(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP, readback="1,2,4,8") as here:
        await consent(here)
        await here.fault("POST /v5/pins", "reset_after", times=1)
        post = await here.post()
        await here.work()
        await here.accounts.remove(here.organization_id, here.account.id)
        await here.travel(2)
        await here.work()
        assert (await here.delivery(post))["state"] == "needs_review"
