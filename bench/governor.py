"""Rate decisions a second, beside two well-known libraries and a call that decides nothing, on the same Redis."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count

import msgspec

from bench.deciders import Task, Way
from bench.place import ROOT, Place
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved

ACCOUNTS = 200
FEW, MANY = 10, 100_000
LEAD_SECONDS = 0.4
CLIENTS = 8

WAYS: tuple[tuple[Way, int, int], ...] = (
    ("no-op", 1, ACCOUNTS),
    ("decision", 1, ACCOUNTS),
    ("limits", 1, ACCOUNTS),
    ("pyrate-limiter", 1, ACCOUNTS),
    ("no-op", CLIENTS, ACCOUNTS),
    ("bare no-op", CLIENTS, ACCOUNTS),
    ("decision", CLIENTS, ACCOUNTS),
    ("whole", CLIENTS, ACCOUNTS),
    ("claim", CLIENTS, ACCOUNTS),
    ("limits", CLIENTS, ACCOUNTS),
    ("pyrate-limiter", CLIENTS, ACCOUNTS),
    ("decision", CLIENTS, FEW),
    ("decision", CLIENTS, MANY),
)


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Decisions a second of every way, for one client and for eight."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_client(place, number)) for number in range(CLIENTS)]
        turns = count()
        contestants = {
            _named(way, number, accounts): partial(_turn, clients[:number], way, accounts, plan.seconds, turns)
            for way, number, accounts in WAYS
        }
        found = interleaved(plan.rounds, contestants, say=say, words=lambda rate: f"{rate:,.0f} /s")
    return list(_results(found))


def _results(found: dict[str, list[float]]) -> Iterator[Result]:
    def against(name: str, way: Way, number: int, other: Way, bound: float | None = None) -> Result:
        return compared(
            f"{name}, {number} client{'s' if number > 1 else ''}",
            "/s",
            found[_named(way, number, ACCOUNTS)],
            found[_named(other, number, ACCOUNTS)],
            against={
                "limits": "limits, moving window",
                "no-op": "no-op Lua call",
                "bare no-op": "no-op Lua by redis-py",
            }.get(other, other),
            goal=None if bound is None else Goal(of="ratio", sense="≥", bound=bound),
        )

    yield against("decision", "decision", 1, "limits")
    yield against("decision", "decision", 1, "pyrate-limiter")
    yield against("decision", "decision", 1, "no-op")
    yield against("decision", "decision", CLIENTS, "limits", 2.0)
    yield against("decision", "decision", CLIENTS, "pyrate-limiter")
    yield against("decision", "decision", CLIENTS, "no-op", 0.65)
    yield against("decision", "decision", CLIENTS, "bare no-op")
    yield against("decision, confirm and stamp", "whole", CLIENTS, "limits", 0.8)
    yield against("decision for a whole claim", "claim", CLIENTS, "limits", 6.0)
    yield compared(
        f"decision, {MANY:,} accounts",
        "/s",
        found[_named("decision", CLIENTS, MANY)],
        found[_named("decision", CLIENTS, FEW)],
        against=f"{FEW} accounts",
        goal=Goal(of="ratio", sense="≥", bound=0.8),
    )


def _named(way: Way, clients: int, accounts: int) -> str:
    return f"{way}, {clients} clients, {accounts} accounts"


def _turn(
    clients: "Sequence[subprocess.Popen[str]]", way: Way, accounts: int, seconds: float, turns: "count[int]"
) -> float:
    """Decisions a second of these clients together."""
    # Eight processes share a few cores with all the rest: preparing takes a moment.
    start = time.monotonic() + LEAD_SECONDS
    task = Task(way=way, turn=str(next(turns)), accounts=accounts, start=start, seconds=seconds)
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(msgspec.json.encode(task).decode() + "\n")
        client.stdin.flush()
    done = 0
    for client in clients:
        assert client.stdout is not None
        done += int(_last_word(client))
    return done / seconds


def _last_word(client: "subprocess.Popen[str]") -> str:
    """The next line that is no line of a log."""
    assert client.stdout is not None
    while not (line := client.stdout.readline().strip()).isdigit():
        if not line:
            raise RuntimeError("A client has ended.")
    return line


@contextmanager
def _client(place: Place, number: int) -> "Iterator[subprocess.Popen[str]]":
    argv = [sys.executable, "-m", "bench.deciders", place.database_url, place.redis_url, str(number)]
    with subprocess.Popen(
        argv, cwd=ROOT, env=os.environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        try:
            yield client
        finally:
            client.terminate()
