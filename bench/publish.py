"""Publishing: from due to published on a slow platform, beside Dramatiq and Celery that make the call alone."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import httpx
import msgspec
import psycopg

from bench.accept import loaded, request_body
from bench.baselines.celery_calls import open_celery
from bench.baselines.dramatiq_calls import THREADS, open_messages
from bench.faraway import LATENCY_SECONDS, Tally
from bench.load import Task
from bench.place import Place, url_of
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from bench.usage import cpu_seconds, peak_megabytes
from core.database.queries import queries
from core.settings import Settings
from server.serve import bound

(IN_FLIGHT,) = (field.default for field in msgspec.structs.fields(Settings) if field.name == "in_flight")
"""As many as a worker has unless a setting says otherwise."""
PLATFORM = "ECHO"
SPARE_CORES = 4
"""A machine with so many has room for two workers beside PostgreSQL, the platform and all the rest."""

OURS, TWO, WIDE = "fingerpost", "fingerpost, two workers", "fingerpost, very wide"
DRAMATIQ = f"Dramatiq, a message each, {THREADS} threads, the call alone"
CELERY = f"Celery, {THREADS} threads, the call alone"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker process did with what was due."""

    per_second: float
    cpu_ms: float
    megabytes: float


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure worker processes of each kind, and one that has very many publishes in flight."""
    warm = max(min(IN_FLIGHT, plan.posts // 4), 1)
    _fill(place, (2 * (plan.posts + warm) + plan.in_flight + 1) * plan.rounds, say)
    with _platform(place, "faraway") as faraway, _platform(place, "slow", plan.slow) as slow:
        threads = min(warm, THREADS)
        workers = {
            OURS: partial(_ours, place, faraway, plan.posts, warm),
            TWO: partial(_ours, place, faraway, plan.posts, warm, workers=2),
            WIDE: partial(_ours, place, slow, plan.in_flight, 1, in_flight=plan.in_flight),
            DRAMATIQ: partial(_dramatiq, place, faraway, plan.messages, threads),
            CELERY: partial(_celery, place, faraway, plan.messages, threads),
        }
        say(f"publish: {plan.posts} posts due at once, and {plan.messages} messages")
        found = interleaved(plan.rounds, workers, say=say, words=_words)
        most = _tally(slow).most
    return [*_results(found), *_of_many(found, most)]


@contextmanager
def _platform(place: Place, name: str, seconds: float = LATENCY_SECONDS) -> Iterator[httpx.Client]:
    with (
        bound("127.0.0.1", 0) as listener,
        place.process(name, "bench.faraway", "--seconds", str(seconds), listener=listener),
        # One client for all looks: to make one takes more time than to ask.
        httpx.Client(base_url=url_of(listener), timeout=30.0, trust_env=False, verify=False) as faraway,
    ):
        yield faraway


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
    place.settle()


def _ours(
    place: Place, faraway: httpx.Client, number: int, warm: int, *, workers: int = 1, in_flight: int = IN_FLIGHT
) -> Run:
    settings = {f"FINGERPOST_{PLATFORM}_API_URL": str(faraway.base_url), "FINGERPOST_IN_FLIGHT": str(in_flight)}
    with ExitStack() as stack:
        names = [f"work-{place_of}" for place_of in range(workers)]
        pids = [stack.enter_context(place.process(name, "server.cli", "work", settings=settings)).pid for name in names]
        stack.enter_context(place.process("schedule", "server.cli", "schedule", settings=settings))
        connection = stack.enter_context(psycopg.connect(place.database_url, autocommit=True))
        _published(connection, faraway, warm)
        cpu = _cpu(pids)
        seconds = _published(connection, faraway, number)
        return _run_of(number, seconds, _cpu(pids) - cpu, pids)


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


def _dramatiq(place: Place, faraway: httpx.Client, number: int, warm: int) -> Run:
    broker, actor = open_messages(place.redis_url, str(faraway.base_url))
    try:
        with place.process("dramatiq", "bench.baselines.dramatiq_calls", str(faraway.base_url)) as worker:
            return _sent(actor.send, faraway, number, warm, worker.pid)
    finally:
        broker.close()


def _celery(place: Place, faraway: httpx.Client, number: int, warm: int) -> Run:
    app, task = open_celery(place.redis_url, str(faraway.base_url))
    with app, place.process("celery", "bench.baselines.celery_calls", str(faraway.base_url)) as worker:
        return _sent(task.delay, faraway, number, warm, worker.pid)


def _sent(send: Callable[[str], object], faraway: httpx.Client, number: int, warm: int, pid: int) -> Run:
    """Send a message for each delivery, and wait until the platform has taken them all."""
    before = _tally(faraway)
    for text in range(warm):
        send(str(text))
    before, cpu = _settled(faraway, warm, before), cpu_seconds(pid)
    start = time.monotonic()
    for text in range(number):
        send(str(text))
    after = _settled(faraway, number, before)
    return _run_of(number, after.last_at - start, cpu_seconds(pid) - cpu, [pid])


def _settled(faraway: httpx.Client, number: int, before: Tally) -> Tally:
    _until(lambda: _tally(faraway).answered - before.answered >= number, "every message is worked off")
    return _tally(faraway)


def _cpu(pids: Sequence[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids)


def _run_of(number: int, seconds: float, cpu: float, pids: Sequence[int]) -> Run:
    megabytes = max(peak_megabytes(pid) for pid in pids)
    return Run(per_second=number / seconds, cpu_ms=1000 * cpu / number, megabytes=megabytes)


def _results(found: dict[str, list[Run]]) -> list[Result]:
    rates = {name: [run.per_second for run in runs] for name, runs in found.items()}
    costs = {name: [run.cpu_ms for run in runs] for name, runs in found.items()}
    name, rate, cpu = "deliveries, one worker", Goal(of="ratio", sense="≥", bound=2.5), "worker CPU a delivery"
    most = Goal(of="value", sense="≤", bound=1.2)
    return [
        compared(name, "/s", rates[OURS], rates[DRAMATIQ], against=DRAMATIQ, goal=rate),
        compared(name, "/s", rates[OURS], rates[CELERY], against=CELERY, goal=None),
        compared(cpu, "ms", costs[OURS], costs[DRAMATIQ], against=DRAMATIQ, goal=most),
        compared(cpu, "ms", costs[OURS], costs[CELERY], against=CELERY, goal=None),
    ]


def _of_many(found: dict[str, list[Run]], most: int) -> list[Result]:
    """What becomes of a worker that has very much in hand (`most` at once), and of two of them."""
    cores = len(os.sched_getaffinity(0))
    spare = cores >= SPARE_CORES
    name = "deliveries, two workers" if spare else f"deliveries, two workers; {cores} cores have none to spare"
    rates = {name: [run.per_second for run in runs] for name, runs in found.items()}
    held = {name: [run.megabytes for run in runs] for name, runs in found.items()}
    twice = Goal(of="ratio", sense="≥", bound=1.7) if spare else None
    small = Goal(of="value", sense="≤", bound=150.0)
    return [
        compared(name, "/s", rates[TWO], rates[OURS], against="one worker", goal=twice),
        compared(f"worker memory, {most:,} in flight", "MB", held[WIDE], held[DRAMATIQ], against=DRAMATIQ, goal=small),
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
