"""Claims: how long it takes to queue 500 due deliveries, the more of them wait."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool

from bench.place import Place
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from core.database.pool import open_pool
from core.database.queries import queries
from core.ledger.ledger import Ledger

CLAIMED = 500
LANES = 20
PLATFORM = "ECHO"
FLAT = Goal(of="ratio", sense="≤", bound=1.5)

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A database in which so many wait; a part of them is due, evenly over some lanes or nearly all in another one."""

    url: str
    even: list[int]
    uneven: list[int]


def claims(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure by the number of those that wait, first evenly spread, then with 99 % of the due ones in one account."""
    claimed = min(CLAIMED, plan.waiting[0] * 2 // 5 // (plan.rounds + 1))
    fields = {number: _field(place, number, claimed, say) for number in plan.waiting}
    results: list[Result] = []
    with asyncio.Runner() as runner:
        stack = runner.run(AsyncExitStack().__aenter__())
        try:
            pools = {number: runner.run(_pool(stack, field)) for number, field in fields.items()}
            results += _compared(runner, plan, say, pools, fields, claimed, uneven=False)
            results += _compared(runner, plan, say, pools, fields, claimed, uneven=True)
        finally:
            runner.run(stack.aclose())
    return results


async def _pool(stack: AsyncExitStack, field: Field) -> Pool:
    return await stack.enter_async_context(open_pool(field.url, size=1, name="bench"))


def _compared(
    runner: asyncio.Runner,
    plan: Plan,
    say: Say,
    pools: Mapping[int, Pool],
    fields: Mapping[int, Field],
    claimed: int,
    *,
    uneven: bool,
) -> list[Result]:
    # As many rows of a lane are looked at, whatever waits: only their number is different.
    each = claimed if uneven else 2 * claimed // LANES
    for number, field in fields.items():
        runner.run(_open(pools[number], field.uneven if uneven else field.even))
        runner.run(_claim(pools[number], claimed, each))
    say(f"schedule: claims of {claimed}{', 99 % of the due ones in one account' if uneven else ''}")
    turns = {str(number): partial(_run, runner, pool, claimed, each) for number, pool in pools.items()}
    found = interleaved(plan.rounds, turns, say=say, words=lambda ms: f"{ms:.1f} ms")
    first, *others = fields
    return [
        compared(
            f"claim of {claimed}, {number:,} waiting{', 99 % in one account' if uneven else ''}",
            "ms",
            found[str(number)],
            found[str(first)],
            against=f"{first:,} waiting",
            goal=FLAT if number == others[-1] else None,
        )
        for number in others
    ]


def _field(place: Place, number: int, claimed: int, say: Say) -> Field:
    start = time.monotonic()
    url = place.database(f"waiting_{number}")
    named = queries("bench")
    with psycopg.connect(url, autocommit=True) as connection:
        values = {"platform": PLATFORM, "number": 2 * LANES}
        teams = list({row[0] for row in connection.execute(named["make_accounts"], values)})
        lanes = [row[0] for row in connection.execute(named["lanes"], {"teams": teams})]
        even, uneven = lanes[:LANES], lanes[LANES:]
        indexes = connection.execute(named["indexes"]).fetchall()
        connection.execute(named["unchecked"])
        for name, _ in indexes:
            connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
        due, small = number * 9 // 20, claimed // 10
        for series, into, many, start_at in (
            (1, even, due, -3600.0),
            # What a claim passes over is the same everywhere: the small lanes are always as full.
            (2, uneven[:1], due - small, -3600.0),
            (3, uneven[1:], small, -3600.0),
            (4, lanes, number - 2 * due, 86400.0),
        ):
            planted = {"series": series, "lanes": into, "number": many, "own": 20_000, "start": start_at, "gap": 0.0001}
            connection.execute(named["plant"], planted)
        for _, definition in indexes:
            connection.execute(definition)
    place.settle(url)
    say(f"schedule: {number:,} wait, made in {time.monotonic() - start:.0f} s")
    return Field(url=url, even=even, uneven=uneven)


async def _open(pool: Pool, lanes: list[int]) -> None:
    """Let only these lanes have a part in what follows."""
    async with pool.connection() as connection:
        await connection.execute(queries("bench")["close_lanes"], {"open": lanes})


def _run(runner: asyncio.Runner, pool: Pool, number: int, each: int) -> float:
    return runner.run(_claim(pool, number, each))


async def _claim(pool: Pool, number: int, each: int) -> float:
    """Milliseconds of one claim, its commit included. Raises RuntimeError where it brought another number."""
    ledger = Ledger(pool)
    start = time.perf_counter()
    claimed = await ledger.claim(queued=number, each=each)
    took = 1000 * (time.perf_counter() - start)
    if claimed.platforms != {PLATFORM: number}:
        raise RuntimeError(f"{number} were to be claimed, not {claimed.platforms}.")
    async with pool.connection() as connection:
        await connection.execute(queries("bench")["empty_queue"])
    return took
