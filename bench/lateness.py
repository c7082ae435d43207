"""Lateness: from the moment at which a post is due to the one at which the platform hears of it."""

import time
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any

import httpx
import msgspec
import psycopg

from bench.place import Place, url_of
from bench.results import Result, compared
from bench.rounds import Plan, Say, interleaved
from core.database.queries import queries
from server.serve import bound

PLATFORM = "ECHO"
ACCOUNTS = 20
GAP_SECONDS = 0.05
LEAD_SECONDS = 1.0
PATIENCE_SECONDS = 120.0
REST, CROWD = "at rest", "beside a crowd"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A database with accounts whose posts fall due one by one; a crowd that is another's may be due already."""

    url: str
    lanes: list[int]


class Late(msgspec.Struct, frozen=True, kw_only=True):
    """How late posts were (ms)."""

    p50: float
    p99: float


def lateness(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure at rest, and while one other account has a crowd of posts that are all due.

    Of the crowd's own posts each waits for those before it: how fast they go out is what `publish` measures.
    """
    crowd = plan.crowd
    grounds = {REST: _ground(place, "rest", 0), CROWD: _ground(place, "crowd", crowd)}
    say(f"schedule: {plan.ticks} posts fall due one by one, at rest and with {crowd:,} due")
    series = count(100)
    with (
        bound("127.0.0.1", 0) as listener,
        place.process("faraway", "bench.faraway", listener=listener),
        httpx.Client(base_url=url_of(listener), trust_env=False, verify=False) as faraway,
    ):
        contestants = {
            name: partial(_late, place, faraway, ground, series, plan.ticks) for name, ground in grounds.items()
        }
        found = interleaved(plan.rounds, contestants, say=say, words=_words)
    halves = {name: [late.p50 for late in runs] for name, runs in found.items()}
    worst = {name: [late.p99 for late in runs] for name, runs in found.items()}
    name = f"due to sent beside {crowd:,} of another account"
    return [
        compared(f"{name}, p50", "ms", halves[CROWD], halves[REST], against=REST, goal=None),
        compared(f"{name}, p99", "ms", worst[CROWD], worst[REST], against=REST, goal=None),
    ]


def _ground(place: Place, name: str, crowd: int) -> Ground:
    url = place.database(name)
    tenants = [place.tenant(PLATFORM, database_url=url) for _ in range(ACCOUNTS + 1)]
    named = queries("bench")
    with psycopg.connect(url, autocommit=True) as connection:
        teams = [tenant.team_id for tenant in tenants]
        *lanes, last = (row[0] for row in connection.execute(named["lanes"], {"teams": teams}))
        if crowd:
            connection.execute(named["unchecked"])
            values = {"series": 1, "lanes": [last], "number": crowd, "own": crowd, "start": -60.0, "gap": 0.0}
            connection.execute(named["plant"], values)
    place.settle(url)
    return Ground(url=url, lanes=lanes)


def _late(place: Place, faraway: httpx.Client, ground: Ground, series: "count[int]", ticks: int) -> Late:
    settings = {
        "DATABASE_URL": ground.url,
        f"FINGERPOST_{PLATFORM}_API_URL": str(faraway.base_url),
        "FINGERPOST_LOG_LEVEL": "warning",
    }
    with (
        place.process("work", "server.cli", "work", settings=settings),
        place.process("schedule", "server.cli", "schedule", settings=settings),
        psycopg.connect(ground.url, autocommit=True) as connection,
    ):
        # The first of all finds everything cold, and does not count.
        _ticked(connection, faraway, ground.lanes, next(series), 1)
        return _of(_ticked(connection, faraway, ground.lanes, next(series), ticks))


def _ticked(
    connection: psycopg.Connection[Any], faraway: httpx.Client, lanes: list[int], series: int, ticks: int
) -> list[float]:
    """Let so many fall due one after the other; how late each came to the platform (ms)."""
    values = {"series": series, "lanes": lanes, "number": ticks, "own": ticks, "start": LEAD_SECONDS}
    row = connection.execute(queries("bench")["plant"], {**values, "gap": GAP_SECONDS}).fetchone()
    connection.execute(queries("bench")["notify"])
    assert row is not None
    due = {f"{series}/{tick}": row[0] + tick * GAP_SECONDS for tick in range(ticks)}
    deadline = time.monotonic() + PATIENCE_SECONDS + ticks * GAP_SECONDS
    while True:
        # Whoever asks more often is measured with it.
        time.sleep(0.5)
        arrived = msgspec.json.decode(faraway.get("/arrivals").content, type=dict[str, float])
        if due.keys() <= arrived.keys():
            return [1000 * (arrived[text] - moment) for text, moment in due.items()]
        if time.monotonic() > deadline:
            states = connection.execute(queries("bench")["states_of"], {"lanes": lanes}).fetchall()
            raise RuntimeError(f"{len(due.keys() - arrived.keys())} posts did not come: {states}")


def _of(times: Sequence[float]) -> Late:
    ordered = sorted(times)
    return Late(p50=ordered[len(ordered) // 2], p99=ordered[len(ordered) * 99 // 100])


def _words(late: Late) -> str:
    return f"p50 {late.p50:.1f} ms, p99 {late.p99:.1f} ms"
