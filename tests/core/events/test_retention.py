"""Retention: what is old is forgotten with all that came of it, and what still waits is not."""

import pytest
from psycopg_pool import AsyncConnectionPool

from core.events.retention import Retention
from core.webhooks.outbox import Outbox
from core.webhooks.results import Result
from tests.core.webhooks.house import VAULT, House

pytestmark = pytest.mark.engine


async def test_what_is_old_goes_and_what_waits_stays(pool: AsyncConnectionPool) -> None:
    house, outbox = await House(pool).settle_in(), Outbox(pool, VAULT)
    await house.endpoint()
    old, waiting, young = await house.post(), await house.post(), await house.post()
    await house.happened(house.event(old))
    [message] = await outbox.take(1)
    await outbox.settle(message, Result(state="delivered", http_status=200))
    await house.happened(house.event(waiting))
    await house.run("update events set created_at = now() - interval '31 days'")
    await house.happened(house.event(young))
    assert await Retention(pool, days=30).sweep() == 1
    assert await Retention(pool, days=30).sweep() == 0
    assert {row["subject"] for row in await house.run("select subject from events")} == {waiting, young}
    assert len(await house.run("select id from webhook_messages")) == 2
    assert await house.run("select fence from webhook_attempts") == []
    # The sequence of a post goes on where it was.
    await house.happened(house.event(old))
    assert [row["sequence"] for row in await house.run("select sequence from events where subject = %s", old)] == [2]
