"""Whatever the traffic and whatever goes wrong: no window over its limit, nothing refused, nearly all of it used."""

import time
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.table import Table

from tests.governor.checker import Rule
from tests.governor.runs import Outcome, Shape, run

TWO = (Rule(calls=60, seconds=3.0), Rule(calls=150, seconds=12.0))
BOTH = (Rule(calls=30, seconds=3.0), Rule(calls=50, seconds=3.0, per_user=False))
HEADINGS = ("shape", "limit", "worst", "use", "mean wait", "p99 wait", "Redis calls", "429s", "calls")

SHAPES = [
    Shape(name="saturated", seconds=40),
    Shape(name="boundary bursts", feed="bursts", seconds=30),
    Shape(name="campaigns", feed="campaigns", seconds=40),
    Shape(name="Poisson", feed="poisson", seconds=40),
    Shape(name="two windows", rules=TWO, seconds=60),
    Shape(name="user and app", rules=BOTH, users=2, seconds=40),
    Shape(name="clocks 2 s apart", skew=2.0, seconds=40),
    Shape(name="5 % lost", loss=0.05, seconds=40),
    Shape(name="stalled 10 s", trouble="freeze", call_seconds=14.0, seconds=45),
    Shape(name="FLUSHALL", trouble="flush", seconds=30),
    Shape(name="Redis restarted", trouble="restart", seconds=30),
    Shape(name="kill -9", trouble="kill", seconds=30),
]
QUICK = [
    Shape(name="saturated", drivers=2, seconds=7, rules=(Rule(calls=20, seconds=1.0),)),
    Shape(
        name="two windows, lost calls, wrong clocks",
        drivers=3,
        users=2,
        seconds=8,
        rules=(Rule(calls=20, seconds=1.0), Rule(calls=60, seconds=4.0, per_user=False)),
        skew=2.0,
        loss=0.05,
    ),
    Shape(name="FLUSHALL", drivers=2, seconds=9, rules=(Rule(calls=20, seconds=1.0),), trouble="flush"),
]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """What came of the long runs, shown in the end."""
    found: list[Outcome] = []
    yield found
    table = Table(*HEADINGS)
    for outcome in found:
        table.add_row(*outcome.cells())
    Console(width=150).print(table)


def holds(outcome: Outcome) -> None:
    assert outcome.crowds == []
    assert outcome.worst <= 1.0
    assert outcome.refused == 0
    assert outcome.arrivals > 0


@pytest.mark.parametrize("shape", QUICK, ids=lambda shape: shape.name)
async def test_no_window_sees_too_much(shape: Shape, database_url: str) -> None:
    outcome = await run(shape, database_url)
    print(outcome.cells())
    holds(outcome)


@pytest.mark.big
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
async def test_a_shape(shape: Shape, database_url: str, outcomes: list[Outcome]) -> None:
    outcome = await run(shape, database_url)
    outcomes.append(outcome)
    holds(outcome)
    assert outcome.redis_calls <= 2.5
    if outcome.use is not None:
        assert outcome.use >= 0.99
    if shape.skew:
        apart = [clock - time.time() for clock in outcome.wall_clocks]
        assert max(apart) - min(apart) > shape.skew, "the clocks were wrong indeed"
