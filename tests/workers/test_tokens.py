"""Tokens are renewed over the wire, by many workers with one call, and survive whatever happens on the way."""

import asyncio
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.fleet import PATIENCE, process, running_world, until
from tests.workers.tenure import APP, consent, due, grant, refresher, sandbox_of, token_calls, told
from tests.world import Pool, World, world

pytestmark = pytest.mark.engine

TOKEN = "POST /v5/oauth/token"


async def test_a_refresh_brings_new_tokens_and_the_old_ones_go(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        before = await grant(here)
        for number in range(1, 4):
            await due(here)
            await refresher(here).drain()
            after = await grant(here)
            assert after["token_version"] == before["token_version"] + number
            assert after["expires_at"] > before["expires_at"]
            assert after["refresh_expires_at"] is not None
            assert set(after["scopes"]) >= {"boards:write", "pins:write"}
        assert token_calls(here) == 3
        await here.post()
        await here.work()
        (pin,) = live(here)
        assert pin["board_id"] == here.account.channel


def live(here: World) -> list[Any]:
    state: Any = here.sandbox.live()
    return list(state["pins"])


async def test_fifty_workers_that_need_a_refresh_make_one_call(pool: Pool, tmp_path: Path) -> None:
    """Each on its own: none knows of the others but by the database."""
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        sandbox_of(here).expire((await grant(here))["external_user"])
        await here.fault(TOKEN, "slow", seconds=0.3)
        await here.fill(50)
        await here.work()
        states = await here.rows("select state, error->>'code' as code, count(*) from deliveries group by 1, 2")
        assert [(row["state"], row["code"], row["count"]) for row in states] == [("deferred", "token_refreshing", 50)]
        await asyncio.gather(*(refresher(here).drain() for _ in range(50)))
        assert token_calls(here) == 1
        await here.work()
        assert len(live(here)) == 50
        assert token_calls(here) == 1


async def test_workers_in_several_processes_make_one_call_and_every_post_goes_out(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    sandbox = PinterestSandbox(rng=Random(1))
    settings: dict[str, Any] = {"in_flight": 16, "apps": APP}
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url, **settings) as (here, environment):
        await consent(here)
        sandbox.expire((await grant(here))["external_user"])
        await here.fault(TOKEN, "slow", seconds=0.2)
        await here.fill(50)
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(process("work", environment | APP, tmp_path / "log"))
            stack.enter_context(process("schedule", environment | APP, tmp_path / "log"))
            await until(lambda: _all_out(here))
        assert token_calls(here) == 1
        assert len(live(here)) == 50
        refused = [call for call in sandbox.log.calls() if call.status == 401]
        assert refused, "they were refused before"


async def _all_out(here: World) -> bool:
    rows = await here.rows("select count(*) as n from deliveries where state <> 'published'")
    return bool(rows[0]["n"] == 0)


async def test_a_kill_between_answer_and_commit_leaves_the_account_to_the_end_of_its_token(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    sandbox = PinterestSandbox(rng=Random(1))
    async with running_world(pool, tmp_path, sandbox, database_url, redis_url, apps=APP) as (here, environment):
        await consent(here)
        await here.fault(TOKEN, "hang_after", seconds=1.0)
        await due(here)
        with process("schedule", environment | APP, tmp_path / "log"):
            worker = started(environment, tmp_path / "log")
            try:
                await until(lambda: _is(token_calls(here) == 1))
                async with await psycopg.AsyncConnection.connect(database_url) as other:
                    # The new tokens cannot be written while this is held, and the worker dies with them.
                    await other.execute("select id from grants for update")
                    await until(lambda: _waits_to_write(here))
                    worker.kill()
                    worker.wait(PATIENCE)
            finally:
                worker.kill()
        await here.mend()
        before = await grant(here)
        assert before["refresh_unclear"]
        await due(here)
        await refresher(here).drain()
        assert token_calls(here) == 2
        after = await grant(here)
        assert (after["state"], after["reason"]["code"]) == ("at_risk", "refresh_lost")
        assert after["token_version"] == before["token_version"]
        assert await told(here) == ["connected", "at_risk"]
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "published"
        # At the end of the token nothing is left.
        sandbox.expire(after["external_user"])
        late = await here.say("later")
        await here.work()
        delivery = await here.delivery(late)
        assert (delivery["state"], delivery["error"]["code"]) == ("deferred", "account_needs_reauth")
        assert await told(here) == ["connected", "at_risk", "needs_reauth"]


def started(environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A worker that is to be killed."""
    argv = [sys.executable, "-m", "server.cli", "work"]
    with log.open("ab") as sink:
        return subprocess.Popen(argv, env=os.environ | environment | APP, stdout=sink, stderr=sink)


async def _is(holds: bool) -> bool:
    return holds


async def _waits_to_write(here: World) -> bool:
    rows = await here.rows(
        "select count(*) as n from pg_stat_activity where application_name = 'worker' and wait_event_type = 'Lock'"
    )
    return bool(rows[0]["n"])


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        ("error", {"status": 503}),
        ("error", {"status": 429}),
        ("error", {"status": 401, "body": {"code": 2, "message": "Authentication failed."}}),
        ("error", {"status": 400, "body": {"error": "invalid_client"}}),
        ("error", {"status": 404}),
        ("error", {"status": 200, "body": {"access_token": ""}}),
        ("error", {"status": 200, "body": {"access_token": "a\nb"}}),
        ("error", {"status": 200, "body": "null"}),
        ("garbage", {}),
        ("reset_before", {}),
        ("reset_after", {}),
    ],
)
async def test_trouble_at_the_token_endpoint_disconnects_nobody(
    pool: Pool, tmp_path: Path, fault: str, more: dict[str, Any]
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        before = await grant(here)
        await here.fault(TOKEN, fault, times=None, **more)
        for failures in (1, 2):
            await due(here)
            await refresher(here).drain()
            after = await grant(here)
            assert (after["state"], after["refresh_failures"]) == ("live", failures)
            assert after["access_token"] == before["access_token"]
            assert after["refresh_token"] == before["refresh_token"]
        post = await here.post()
        await here.work()
        assert (await here.delivery(post))["state"] == "published"


@pytest.mark.parametrize("body", [{"error": "invalid_grant"}, {"code": 283, "message": "Invalid."}])
async def test_the_grants_end_is_understood_in_either_wording(pool: Pool, tmp_path: Path, body: dict[str, Any]) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here)
        await here.fault(TOKEN, "error", status=400, body=body)
        await due(here)
        await refresher(here).drain()
        assert (await grant(here))["state"] == "needs_reauth"
        assert await told(here) == ["connected", "needs_reauth"]


async def test_without_the_app_nothing_is_renewed_and_nothing_is_lost(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        await consent(here)
        await due(here)
        await refresher(here).drain()
        after = await grant(here)
        assert (after["state"], after["refresh_failures"], after["refresh_unclear"]) == ("live", 1, False)
        assert token_calls(here) == 0


async def test_risk_is_told_ahead_of_a_post_that_would_fail(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), apps=APP) as here:
        await consent(here, expires_in=20 * 86_400.0)
        async with here.pool.connection() as connection:
            await connection.execute("update grants set refresh_token = null, refresh_due_at = null")
        await here.post(postDate=(datetime.now(UTC) + timedelta(days=10)).isoformat())
        await here.accounts.grants.sweep()
        assert await told(here) == ["connected"], "that one goes out in time"
        await here.post(postDate=(datetime.now(UTC) + timedelta(days=30)).isoformat())
        await here.accounts.grants.sweep()
        assert await told(here) == ["connected", "at_risk"]


@pytest.mark.parametrize(("days", "risky"), [(29, 0), (31, 1)])
async def test_a_post_that_is_due_after_the_end_of_tokens_that_nobody_can_renew_is_told_of_in_time(
    pool: Pool, tmp_path: Path, days: int, risky: int
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        await here.rows(
            "update grants set refresh_token = null, refresh_due_at = null, issued_at = now(),"
            " expires_at = now() + interval '30 days' returning id"
        )
        await here.accounts.grants.sweep()
        assert "at_risk" not in await told(here)
        await here.post(postDate=(datetime.now(UTC) + timedelta(days=days)).isoformat())
        await here.accounts.grants.sweep()
        await here.accounts.grants.sweep()
        assert (await told(here)).count("at_risk") == risky
