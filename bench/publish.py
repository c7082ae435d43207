"""Publishing: from due to published on a slow platform, beside Dramatiq that makes the call alone."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import msgspec
import psycopg

from bench.accept import loaded, request_body
from bench.faraway import Tally
from bench.load import Task
from bench.messages import THREADS, open_messages
from bench.place import Place, url_of
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from bench.usage import cpu_seconds, peak_megabytes
from core.database.queries import queries
from server.serve import bound

IN_FLIGHT = 256
PLATFORM = "ECHO"
OURS, THEIRS = "fingerpost", f"Dramatiq, a message each, {THREADS} threads, the call alone"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker process did with what was due."""

    per_second: float
    cpu_ms: float
    megabytes: float


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure one worker process of each kind."""
    warm = max(min(IN_FLIGHT, plan.posts // 4), 1)
    _fill(place, (plan.posts + warm) * plan.rounds, say)
    with (
        bound("127.0.0.1", 0) as listener,
        place.process("faraway", "bench.faraway", listener=listener),
        # One client for all looks: to make one takes more time than to ask.
        httpx.Client(base_url=url_of(listener), trust_env=False, verify=False) as faraway,
    ):
        workers = {
            OURS: partial(_ours, place, faraway, plan.posts, warm),
            THEIRS: partial(_theirs, place, faraway, plan.messages, min(warm, THREADS)),
        }
        say(f"publish: {plan.posts} posts due at once, and {plan.messages} messages")
        found = interleaved(plan.rounds, workers, say=say, words=_words)
    return _results(found[OURS], found[THEIRS])


def _fill(place: Place, number: int, say: Say) -> None:
    """Take posts in, by the API, that wait for tomorrow."""
    say(f"publish: taking in {number} posts")
    tenant = place.tenant(PLATFORM)
    with bound("127.0.0.1", 0) as listener, place.process("serve", "server.cli", "serve", listener=listener):
        url = f"{url_of(listener)}/api/v1/post/"
        body = request_body(tenant, PLATFORM)
        answers = loaded(place, Task(url=url, body=body, keys=tenant.keys, connections=32, number=number))
    if answers.successes != number:
        raise RuntimeError(f"{answers.failures} posts were not taken in: {answers.first_failure}")


def _ours(place: Place, faraway: httpx.Client, number: int, warm: int) -> Run:
    settings = {f"FINGERPOST_{PLATFORM}_API_URL": str(faraway.base_url), "FINGERPOST_IN_FLIGHT": str(IN_FLIGHT)}
    with (
        place.process("work", "server.cli", "work", settings=settings) as worker,
        place.process("schedule", "server.cli", "schedule", settings=settings),
        psycopg.connect(place.database_url, autocommit=True) as connection,
    ):
        _published(connection, faraway, warm)
        cpu = cpu_seconds(worker.pid)
        seconds = _published(connection, faraway, number)
        return _run_of(number, seconds, cpu_seconds(worker.pid) - cpu, worker.pid)


def _published(connection: psycopg.Connection[Any], faraway: httpx.Client, number: int) -> float:
    """Let so many be due at once; the seconds until the last of them stood in the ledger as published.

    Raises RuntimeError where one did not go out, or the platform was called more often than there are posts.
    """
    sql = queries("bench")
    before = _tally(faraway)
    with connection.transaction():
        connection.execute(sql["hasten"], {"platform": PLATFORM, "number": number})
    start = _one(connection, "clock")[0]
    connection.execute(sql["notify"])
    try:
        _until(lambda: _tally(faraway).answered - before.answered >= number, "every post has reached the platform")
        _until(lambda: _states(connection).keys() <= {"published"}, "every post is published")
    except RuntimeError as error:
        error.add_note(f"The deliveries are: {_states(connection)}.")
        raise
    after = _tally(faraway)
    attempts, published = _one(connection, "tries")
    if after.answered - before.answered != number or after.repeated != before.repeated or attempts != published:
        raise RuntimeError(f"{number} posts took {after.answered - before.answered} calls and {attempts} attempts.")
    end: float = _one(connection, "last_published")[0]
    return end - float(start)


def _theirs(place: Place, faraway: httpx.Client, number: int, warm: int) -> Run:
    broker, actor = open_messages(place.redis_url, str(faraway.base_url))
    try:
        with place.process("messages", "bench.messages", str(faraway.base_url)) as worker:
            for text in range(warm):
                actor.send(str(text))
            _settled(faraway, warm, _tally(faraway))
            before, cpu, start = _tally(faraway), cpu_seconds(worker.pid), time.monotonic()
            for text in range(number):
                actor.send(str(text))
            after = _settled(faraway, number, before)
            return _run_of(number, after.last_at - start, cpu_seconds(worker.pid) - cpu, worker.pid)
    finally:
        broker.close()


def _settled(faraway: httpx.Client, number: int, before: Tally) -> Tally:
    _until(lambda: _tally(faraway).answered - before.answered >= number, "every message is worked off")
    return _tally(faraway)


def _run_of(number: int, seconds: float, cpu: float, pid: int) -> Run:
    return Run(per_second=number / seconds, cpu_ms=1000 * cpu / number, megabytes=peak_megabytes(pid))


def _results(ours: list[Run], theirs: list[Run]) -> list[Result]:
    compare = partial(compared, against=THEIRS)
    rate, cpu = Goal(of="ratio", sense="≥", bound=2.5), Goal(of="value", sense="≤", bound=1.2)
    return [
        compare(
            "deliveries, one worker", "/s", [r.per_second for r in ours], [r.per_second for r in theirs], goal=rate
        ),
        compare("worker CPU a delivery", "ms", [r.cpu_ms for r in ours], [r.cpu_ms for r in theirs], goal=cpu),
        compare("worker memory, peak", "MB", [r.megabytes for r in ours], [r.megabytes for r in theirs], goal=None),
    ]


def _tally(faraway: httpx.Client) -> Tally:
    return msgspec.json.decode(faraway.get("/tally").content, type=Tally)


def _states(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(connection.execute(queries("bench")["states"]).fetchall())


def _one(connection: psycopg.Connection[Any], name: str) -> tuple[Any, ...]:
    row = connection.execute(queries("bench")[name]).fetchone()
    assert row is not None
    return tuple(row)


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"It was waited in vain until {what}.")
        time.sleep(POLL_SECONDS)


def _words(run: Run) -> str:
    return f"{run.per_second:,.0f}/s, {run.cpu_ms:.2f} ms of CPU each, {run.megabytes:.0f} MB"
