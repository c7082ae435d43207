"""A delivery stays with whoever is at work on it, as long as bytes flow; and not for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.echo.sandbox import EchoSandbox
from core.clock import elapsed
from core.errors import Unavailable
from core.ledger.ledger import LeaseLost, Taken
from tests.world import Pool, World, world
from workers.journal import MOST_SECONDS, Journal

LEASE = 600.0


@pytest.fixture
async def here(pool: Pool, tmp_path: Path) -> AsyncIterator[World]:
    async with world(pool, tmp_path, EchoSandbox(rng=Random(1)), lease=LEASE) as made:
        yield made


async def taken(here: World) -> Taken:
    await here.say("hello")
    await here.ledger.claim()
    (one,) = await here.ledger.take("ECHO", 1)
    return one


async def left(here: World) -> float:
    (row,) = await here.rows("select extract(epoch from lease_until - now())::float8 as seconds from deliveries")
    seconds: float = row["seconds"]
    return seconds


def journal(here: World, one: Taken, *, since: float = 0.0, held: float = 0.0) -> Journal:
    """The journal of an attempt that began `since` seconds ago, and was held `held` seconds ago."""
    made: Any = Journal(here.ledger, one, LEASE)
    made._start, made._held = elapsed() - since, elapsed() - held
    return made  # type: ignore[no-any-return]


async def shorten(here: World, seconds: float) -> None:
    """Let the lease end so many seconds from now."""
    await here.rows("update deliveries set lease_until = now() + %s * interval '1 second' returning id", seconds)


async def test_the_lease_begins_anew_when_a_third_of_it_has_passed(here: World) -> None:
    one = await taken(here)
    await shorten(here, 300)
    await journal(here, one, held=LEASE / 3 - 60).hold()
    assert await left(here) <= 300
    at_work = journal(here, one, held=LEASE / 3 + 1)
    async with at_work.bound() as bound:
        before = bound.when()
        await asyncio.sleep(0.01)
        await at_work.hold()
        assert (bound.when() or 0.0) > (before or 0.0)
    assert await left(here) > 300


async def test_who_has_lost_it_is_told(here: World) -> None:
    one = await taken(here)
    await shorten(here, -1)
    with pytest.raises(LeaseLost):
        await journal(here, one, held=LEASE).hold()
    await shorten(here, 300)
    await here.rows("update deliveries set fence = fence + 1 returning id")
    with pytest.raises(LeaseLost):
        await journal(here, one, held=LEASE).hold()


async def test_nothing_flows_for_ever(here: World) -> None:
    one = await taken(here)
    with pytest.raises(Unavailable, match="within 60 minutes"):
        await journal(here, one, since=MOST_SECONDS + 1).hold()
