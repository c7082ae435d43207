"""PostgreSQL breaks off in the very moment of a write: the ledger never says what is not so."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.registry import Registry
from core.sandbox import Sandbox
from tests.chaos.tally import Tally, all_out, tally, things
from tests.fleet import until
from tests.platforms import mute, two_phase
from tests.platforms.mute import MuteSandbox
from tests.platforms.two_phase import TwoPhaseSandbox
from tests.world import Pool, World, world

BLOCKED = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"

HOLD = "select from deliveries for update"


async def broken_off(here: World, *, once: Callable[[], Awaitable[bool]] | None = None) -> None:
    """Carry out the one delivery, and break the connection of its first write, or of the first after `once` holds."""
    await here.ledger.claim()
    (taken,) = await here.ledger.take(here.sandbox.platform, 1)
    async with here.pool.connection() as holder:
        if once is None:
            await holder.execute(HOLD)
        working = asyncio.create_task(here.publisher.carry_out(taken))
        if once is not None:
            await until(once)
            await holder.execute(HOLD)

        async def blocked() -> bool:
            return bool(await here.rows(BLOCKED))

        await until(blocked)
        await here.rows(f"select pg_terminate_backend(pid) from ({BLOCKED}) b")
    await asyncio.gather(working, return_exceptions=True)


def both() -> Registry:
    return Registry({"two-phase": two_phase, "mute": mute})


@pytest.mark.parametrize("kind", [PinterestSandbox, MuteSandbox, TwoPhaseSandbox])
async def test_a_database_lost_before_the_create_fails_nothing(pool: Pool, tmp_path: Path, kind: type[Sandbox]) -> None:
    registry = None if kind is PinterestSandbox else both()
    async with world(pool, tmp_path, kind(rng=Random(1)), registry=registry, lease=5.0) as here:
        await here.post()
        await broken_off(here)
        assert things(here) == []
        await here.to_the_end()
        assert await tally(here) == all_out(1)


@pytest.mark.parametrize("kind", [PinterestSandbox, MuteSandbox, TwoPhaseSandbox])
async def test_a_database_lost_after_the_create_doubles_nothing(
    pool: Pool, tmp_path: Path, kind: type[Sandbox]
) -> None:
    registry = None if kind is PinterestSandbox else both()
    create = {
        PinterestSandbox: "POST /v5/pins",
        MuteSandbox: "POST /hook",
        TwoPhaseSandbox: "POST /containers/{id}/publish",
    }[kind]
    async with world(pool, tmp_path, kind(rng=Random(1)), registry=registry, lease=5.0) as here:
        await here.fault(create, "hang_after", seconds=0.5, times=1)
        await here.post()

        async def made() -> bool:
            return bool(things(here))

        await broken_off(here, once=made)
        await here.to_the_end()
        found = await tally(here)
    assert found in (all_out(1), Tally(deliveries=1, live=1, in_review=int(kind is MuteSandbox)))
