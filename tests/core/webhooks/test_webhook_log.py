"""The log: what was sent and what came back is there to read, and goes out again on request."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg_pool import AsyncConnectionPool

from core.errors import Conflict, NotFound
from core.ids import new_id
from core.webhooks.log import WebhookLog
from core.webhooks.outbox import Outbox
from core.webhooks.results import Result
from core.webhooks.terms import Change
from tests.core.webhooks.house import VAULT, House

pytestmark = pytest.mark.engine
PAST = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    return await House(pool).settle_in()


@pytest.fixture
def outbox(pool: AsyncConnectionPool) -> Outbox:
    return Outbox(pool, VAULT)


@pytest.fixture
def log(pool: AsyncConnectionPool) -> WebhookLog:
    return WebhookLog(pool)


async def test_every_try_is_there_with_what_came_back(house: House, outbox: Outbox, log: WebhookLog) -> None:
    endpoint = await house.endpoint()
    await house.happened(house.event(await house.post()))
    results = [
        Result(state="waiting", due_in=0, http_status=500, error="no", answer="broken", seconds=0.25),
        Result(state="waiting", due_in=0, error="The endpoint could not be reached.", seconds=0.5),
        Result(state="delivered", http_status=200, answer="ok", seconds=0.125),
    ]
    for result in results:
        [message] = await outbox.take(1)
        await outbox.settle(message, result)
    [listed] = await log.page(house.organization, endpoint.id)
    found, tries = await log.get(house.organization, listed.id)
    assert found == listed
    assert (found.state, found.attempts, found.http_status, found.event_id) == ("delivered", 3, 200, message.event_id)
    assert [(one.number, one.http_status, one.error, one.answer, one.seconds) for one in tries] == [
        (1, 500, "no", "broken", 0.25),
        (2, None, "The endpoint could not be reached.", None, 0.5),
        (3, 200, None, "ok", 0.125),
    ]


async def test_pages_go_on_behind_a_message_and_are_narrowed_down(
    house: House, outbox: Outbox, log: WebhookLog
) -> None:
    endpoint, post = await house.endpoint(), await house.post()
    for _ in range(5):
        await house.happened(house.event(post))
    [message] = await outbox.take(1)
    await outbox.settle(message, Result(state="failed", error="no"))
    whole = await log.page(house.organization, endpoint.id)
    assert [message.sequence for message in whole] == [5, 4, 3, 2, 1]
    first = await log.page(house.organization, endpoint.id, limit=2)
    assert whole[2:] == await log.page(house.organization, endpoint.id, before=first[-1].id)
    assert [m.sequence for m in await log.page(house.organization, endpoint.id, state="failed")] == [1]
    assert await log.page(house.organization, endpoint.id, before=new_id()) == []
    assert await log.page(new_id(), endpoint.id) == []


async def test_one_is_sent_again_with_the_same_id_as_if_for_the_first_time(
    house: House, outbox: Outbox, log: WebhookLog
) -> None:
    await house.endpoint()
    await house.happened(house.event(await house.post()))
    [first] = await outbox.take(1)
    with pytest.raises(Conflict):
        await log.resend(house.organization, first.id)
    await outbox.settle(first, Result(state="delivered", http_status=200))
    assert (await log.resend(house.organization, first.id)).state == "waiting"
    [again] = await outbox.take(1)
    assert (again.id, again.event_id, again.attempts, again.fence) == (first.id, first.event_id, 1, 2)
    assert outbox.signed(again).body == outbox.signed(first).body
    for stranger, id in ((new_id(), first.id), (house.organization, new_id())):
        with pytest.raises(NotFound):
            await log.resend(stranger, id)


async def test_all_that_failed_since_a_moment_is_sent_again(house: House, outbox: Outbox, log: WebhookLog) -> None:
    endpoint, other, post = await house.endpoint(), await house.endpoint(), await house.post()
    await house.happened(*[house.event(post) for _ in range(4)])
    taken = await outbox.take(64)
    for message in taken:
        delivered = message.sequence == 4
        await outbox.settle(message, Result(state="delivered" if delivered else "failed", error=None))
    await house.run("update webhook_messages set created_at = now() - interval '2 days' where sequence = 1")
    assert await log.resend_failed(house.organization, endpoint.id, PAST) == 2
    again = await outbox.take(64)
    assert sorted((m.endpoint_id, m.sequence) for m in again) == [(endpoint.id, 2), (endpoint.id, 3)]
    assert await log.resend_failed(house.organization, endpoint.id, PAST) == 0
    with pytest.raises(NotFound):
        await log.resend_failed(new_id(), other.id, PAST)


async def test_nothing_is_sent_again_to_one_that_is_switched_off(house: House, outbox: Outbox, log: WebhookLog) -> None:
    endpoint = await house.endpoint()
    await house.happened(house.event(await house.post()))
    [message] = await outbox.take(1)
    await outbox.settle(message, Result(state="failed", error="no"))
    await house.endpoints.change(house.organization, endpoint.id, Change(enabled=False))
    with pytest.raises(Conflict):
        await log.resend(house.organization, message.id)
    with pytest.raises(Conflict):
        await log.resend_failed(house.organization, endpoint.id, PAST)
    await house.endpoints.enable(house.organization, endpoint.id)
    assert await log.resend_failed(house.organization, endpoint.id, PAST) == 1
