"""How an endpoint fares: asked ever more seldom while it fails, at once again when it is well, and off in the end."""

import asyncio
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from core.webhooks.endpoints import Endpoint
from core.webhooks.outbox import LONGEST_SECONDS, PATIENCE, Message, Outbox
from core.webhooks.results import Result
from tests.core.webhooks.house import VAULT, House

pytestmark = pytest.mark.engine
DELIVERED = Result(state="delivered", http_status=200)
FAILED = Result(state="waiting", due_in=0.0, http_status=500, error="no")


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    return await House(pool).settle_in()


@pytest.fixture
def outbox(pool: AsyncConnectionPool) -> Outbox:
    return Outbox(pool, VAULT)


async def settled(outbox: Outbox, result: Result, limit: int = 1) -> list[Message]:
    taken = await outbox.take(limit)
    await asyncio.gather(*(outbox.settle(message, result) for message in taken))
    return taken


async def fail(outbox: Outbox, house: House, times: int = PATIENCE) -> None:
    for _ in range(times):
        await open_again(house)
        assert await settled(outbox, FAILED)


async def open_again(house: House) -> None:
    await house.run("update webhook_endpoints set retry_at = now() where retry_at is not null")


async def now(house: House, endpoint: Endpoint) -> Endpoint:
    return await house.endpoints.get(house.organization, endpoint.id)


async def test_one_that_fails_again_and_again_is_asked_with_one_message_ever_more_seldom(
    house: House, outbox: Outbox
) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(20)])
    await fail(outbox, house, PATIENCE - 1)
    assert len(await settled(outbox, FAILED, 64)) == 8
    assert await outbox.take(64) == []
    due = await outbox.next_due()
    assert due is not None
    assert 0 < due <= 1
    waits: list[float] = []
    for _ in range(10):
        await open_again(house)
        assert len(await settled(outbox, FAILED, 64)) == 1
        waits.append(await outbox.next_due() or 0.0)
    assert [round(wait) for wait in waits] == [2, 4, 8, 16, 32, *[LONGEST_SECONDS] * 5]
    assert (await now(house, endpoint)).failing_since is not None


async def test_the_first_that_it_takes_lets_all_the_others_go(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(20)])
    await fail(outbox, house, PATIENCE + 3)
    await open_again(house)
    assert len(await settled(outbox, DELIVERED, 64)) == 1
    well = await now(house, endpoint)
    assert (well.failures, well.failing_since, well.retry_at) == (0, None, None)
    assert len(await outbox.take(64)) == 8


async def test_many_failures_that_are_settled_together_count_once(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(8)])
    await settled(outbox, FAILED, 8)
    assert (await now(house, endpoint)).failures == 1


async def test_one_that_asks_for_time_is_left_alone_as_a_whole(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(20)])
    later = Result(state="waiting", due_in=600.0, http_status=429, error="later", pause=600.0)
    assert len(await settled(outbox, later)) == 1
    assert await outbox.take(64) == []
    due = await outbox.next_due()
    assert due is not None
    assert 590 < due <= 600
    assert (await now(house, endpoint)).failures == 0


async def test_after_three_days_it_is_switched_off_and_its_owner_told(house: House, outbox: Outbox) -> None:
    endpoint, other = await house.endpoint(team=house.team), await house.endpoint("webhook_endpoint.disabled")
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(3)])
    await fail(outbox, house, 2)
    await house.run("update webhook_endpoints set failing_since = now() - interval '71 hours' where failures > 0")
    await fail(outbox, house, 1)
    assert (await now(house, endpoint)).disabled_at is None
    await house.run("update webhook_endpoints set failing_since = now() - interval '72 hours' where failures > 0")
    await fail(outbox, house, 1)
    off = await now(house, endpoint)
    assert off.disabled_at is not None
    assert off.disabled_reason == "failing"
    told = await house.run("select type, team_id, subject, data from events where subject = %s", endpoint.id)
    assert [(row["type"], row["team_id"], row["data"]["reason"]) for row in told] == [
        ("webhook_endpoint.disabled", house.team, "failing")
    ]
    (heard,) = await outbox.take(64)
    assert (heard.endpoint_id, heard.subject) == (other.id, endpoint.id)
    states = await house.run("select state from webhook_messages where endpoint_id = %s", endpoint.id)
    assert {row["state"] for row in states} == {"failed"}


async def test_a_day_without_a_try_begins_the_three_days_anew(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(house.event(post))
    await fail(outbox, house, 1)
    await house.run(
        "update webhook_endpoints set failing_since = now() - interval '9 days',"
        " failed_at = now() - interval '25 hours'"
    )
    await fail(outbox, house, 1)
    assert (await now(house, endpoint)).disabled_at is None


async def test_410_says_who_is_gone_once(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(3)])
    await settled(outbox, Result(state="failed", http_status=410, error="gone", disable=True), 3)
    off = await now(house, endpoint)
    assert off.disabled_reason == "gone"
    assert len(await house.run("select id from events where subject = %s", endpoint.id)) == 1


async def test_one_that_is_switched_on_is_tried_at_once(house: House, outbox: Outbox) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    await house.happened(house.event(post))
    await fail(outbox, house, PATIENCE + 2)
    await settled(outbox, FAILED)
    await house.run("update webhook_endpoints set disabled_at = now(), disabled_reason = 'failing'")
    on = await house.endpoints.enable(house.organization, endpoint.id)
    assert (on.disabled_at, on.disabled_reason, on.failures, on.retry_at) == (None, None, 0, None)
    assert len(await outbox.take(1)) == 1


async def test_what_has_ended_says_who_held_the_message(house: House, outbox: Outbox) -> None:
    """The log has a row for every try that told, and none for what came too late."""
    await house.endpoint()
    await house.happened(house.event(await house.post()))
    [late] = await outbox.take(1, lease_seconds=0)
    [current] = await outbox.take(1)
    await outbox.settle(late, FAILED)
    await outbox.settle(current, DELIVERED)
    rows: list[dict[str, Any]] = await house.run("select fence, http_status from webhook_attempts")
    assert [(row["fence"], row["http_status"]) for row in rows] == [(2, 200)]
