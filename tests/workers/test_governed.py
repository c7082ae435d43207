"""Publishing under the governor: what is denied waits and costs nothing, and the platform's word counts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.accounts.visits import Visits
from core.governor.allowance import Allowance
from core.governor.asks import Reading
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.governor.passages import Passages
from core.limits import Quota
from tests.workers.tenure import APP, consent, due, refresher, token_calls
from tests.world import Pool, World, world

pytestmark = pytest.mark.engine

MINUTE = Quota(calls=100, seconds=60, scope="account", category="org_write")


@pytest.fixture
async def governor(pool: Pool, redis_url: str) -> AsyncIterator[Governor]:
    one = Governor(redis_url, Journal(pool, worker=True), call_seconds=60.0)
    yield one
    await one.aclose()


@pytest.fixture
async def here(pool: Pool, tmp_path: Path, governor: Governor) -> AsyncIterator[World]:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), governor=governor) as one:
        await one.restrict(MINUTE)
        yield one


async def window(here: World, *, seconds: int = 60, category: str = "org_write") -> Reading:
    assert here.governor is not None
    (grant,) = await here.rows(
        "select g.id, g.app from grants g join social_accounts a on a.grant_id = g.id where a.id = %s", here.account.id
    )
    quotas = here.settings.quotas_of(here.adapter)
    allowance = Allowance.of(here.sandbox.platform, grant["app"], grant["id"], quotas, (MINUTE,))
    await told(here.governor)
    (wanted,) = (each for each in allowance.windows(category) if each.seconds == seconds)
    (reading,) = await here.governor.look(allowance.app, [wanted])
    return reading


async def told(governor: Governor) -> None:
    while governor._telling:
        await asyncio.wait(set(governor._telling))


def creates(here: World) -> list[Any]:
    return [call for call in here.sandbox.log.calls() if call.method == "POST"]


async def test_a_denied_delivery_is_deferred_and_costs_nothing(here: World) -> None:
    await here.restrict(Quota(calls=1, seconds=60, scope="account", category="org_write"))
    first = await here.say("one")
    await here.work()
    second = await here.say("two")
    await here.work()
    assert (await here.delivery(first))["state"] == "published"
    waiting = await here.delivery(second)
    assert (waiting["state"], waiting["failures"], waiting["attempts"]) == ("deferred", 0, 0)
    assert waiting["error"]["code"] == "quota_exhausted"
    assert 50 < (waiting["due_at"] - waiting["updated_at"]).total_seconds() <= 61
    assert len(creates(here)) == 1


async def test_a_refusal_of_the_platform_shuts_the_window_for_everybody(here: World) -> None:
    refusal = {"status": 429, "headers": {"x-ratelimit-reset": "30"}, "body": {"code": 8, "message": "Slow down."}}
    await here.fault("POST /v5/pins", "error", times=1, **refusal)
    first = await here.say("one")
    await here.work()
    assert (await here.delivery(first))["error"]["code"] == "rate_limited"
    second = await here.say("two")
    await here.work()
    assert (await here.delivery(second))["error"]["code"] == "quota_exhausted"
    assert len(creates(here)) == 1, "nobody asked again"
    assert 25 < (await window(here)).free_in <= 60


async def test_a_spam_answer_shuts_nothing_and_is_not_retried(here: World) -> None:
    spam = {"status": 429, "body": {"code": 9, "message": "Sorry! We blocked this link because it may lead to spam."}}
    await here.fault("POST /v5/pins", "error", times=1, **spam)
    first = await here.say("one")
    second = await here.say("two")
    await here.work()
    states = sorted([(await here.delivery(post))["state"] for post in (first, second)])
    assert states == ["failed", "published"]


async def test_what_the_platform_says_remains_corrects_what_we_believed(
    pool: Pool, tmp_path: Path, governor: Governor
) -> None:
    sandbox = PinterestSandbox(rng=Random(1), limits={"org_write": (3, 60)})
    async with world(pool, tmp_path, sandbox, governor=governor) as here:
        await here.restrict(MINUTE)
        await here.say("one")
        await here.work()
        assert (await window(here)).limit == 3
        for text in ("two", "three", "four"):
            await here.say(text)
        await here.work()
        assert {call.status for call in creates(here)} == {201}
        rows = await here.rows("select state, count(*) as n from deliveries group by state order by state")
        assert {row["state"]: row["n"] for row in rows} == {"published": 3, "deferred": 1}


async def test_calls_that_were_not_made_are_given_back(here: World) -> None:
    post = await here.say("one")
    await here.ledger.claim(here.reserve)
    assert (await window(here)).booked == 1
    async with here.pool.connection() as connection:
        await connection.execute("update deliveries set expires_at = now()")
    (taken,) = await here.ledger.take(here.sandbox.platform, 1)
    await here.publisher.carry_out(taken)
    assert (await here.delivery(post))["state"] == "failed"
    reading = await window(here)
    assert (reading.used, reading.booked) == (0, 0)


async def test_every_call_that_the_platform_counts_is_counted(here: World) -> None:
    await here.say("one")
    await here.work()
    safety = await window(here, seconds=1)
    assert safety.used == 1
    assert (await window(here)).used == 1


async def test_token_calls_and_looks_at_accounts_count_as_well(pool: Pool, tmp_path: Path, governor: Governor) -> None:
    sandbox = PinterestSandbox(rng=Random(1))
    async with world(pool, tmp_path, sandbox, governor=governor, apps=APP) as here:
        await consent(here)
        await here.restrict(MINUTE)
        await due(here)
        await refresher(here).drain()
        assert token_calls(here) == 1
        assert (await window(here, category="org_read")).used == 1
        visits = Visits(
            accounts=here.accounts,
            adapters=here.registry,
            settings=here.settings,
            transport=here.transport,
            notices=here.ledger.notices,
            passages=Passages(governor, here.settings),
        )
        await visits.visit(here.organization_id, here.account.id, lambda adapter, session: adapter.profile(session))
        assert (await window(here, category="org_read")).used == 2


async def test_a_token_call_that_has_to_wait_is_made_later(pool: Pool, tmp_path: Path, governor: Governor) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1)), governor=governor, apps=APP) as here:
        await consent(here)
        await here.restrict(Quota(calls=1, seconds=60, scope="account", category="org_read"))
        passages = Passages(governor, here.settings)
        (grant,) = await here.rows("select id from grants where refresh_token is not null")
        own = [{"calls": 1, "seconds": 60, "scope": "account", "category": "org_read"}]
        passage = passages.visit(here.adapter, app="default", grant_id=grant["id"], own=own)
        assert passage is not None
        (await passage.enter("GET", "/v5/boards")).ended()
        await due(here)
        await refresher(here).drain()
        assert token_calls(here) == 0
        (row,) = await here.rows("select state, refresh_unclear from grants where refresh_token is not null")
        assert (row["state"], row["refresh_unclear"]) == ("live", False)
