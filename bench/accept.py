"""Accepting a post: durable `POST /api/v1/post/` with two platforms, beside an echo, an INSERT and the usual way."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import msgspec

from bench.load import PLACEHOLDER, Answers, Task
from bench.place import BOARD, Place, Tenant, url_of
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from bench.usage import cpu_seconds
from core.embedded.supervisor import Child
from core.registry import Registry
from server.serve import bound

MANY = 32
OURS, ECHO, INSERT = "fingerpost", "echo of the body", "INSERT of the body"
USUAL = "FastAPI, SQLAlchemy and Celery, the same checks"
DRY = "its dry run"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One load, and how much processor time the server took for each request of it (ms)."""

    answers: Answers
    cpu_ms: float


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure with 32 connections and with one."""
    tenant = place.tenant("ECHO", "PINTEREST")
    body = request_body(tenant, "ECHO", "PINTEREST")
    results: list[Result] = []
    with (
        bound("127.0.0.1", 0) as here,
        bound("127.0.0.1", 0) as there,
        bound("127.0.0.1", 0) as elsewhere,
        place.process("serve", "server.cli", "serve", listener=here) as ours,
        place.process("plain", "bench.baselines.plain", listener=there) as plain,
        _usual(place, tenant, elsewhere) as usual,
    ):
        servers = {
            OURS: (ours, f"{url_of(here)}/api/v1/post/"),
            ECHO: (plain, f"{url_of(there)}/echo"),
            INSERT: (plain, f"{url_of(there)}/insert"),
            USUAL: (usual, f"{url_of(elsewhere)}/api/v1/post/"),
            DRY: (ours, f"{url_of(here)}/api/v1/post/validate"),
        }
        for _, url in servers.values():
            loaded(place, Task(url=url, body=body, keys=tenant.keys, connections=MANY, number=plan.posts))
        place.settle()
        place.settle(place.url_of("usual"))
        for connections in (MANY, 1):
            say(f"accept: {connections} connection{'s' if connections > 1 else ''}")
            task = Task(
                url="", body=body, keys=tenant.keys, connections=connections, seconds=plan.seconds, warm=plan.warm
            )
            loads = {
                name: partial(_watched, place, child, msgspec.structs.replace(task, url=url))
                for name, (child, url) in servers.items()
                if name != DRY or connections == 1
            }
            found = interleaved(plan.rounds, loads, say=say, words=_words)
            results += _many(found) if connections == MANY else _one(found)
    return results


@contextmanager
def _usual(place: Place, tenant: Tenant, listener: socket.socket) -> Iterator[Child]:
    """The usual way, with a database of its own on the same server."""
    settings = {"DATABASE_URL": place.database("usual", schema=False)}
    arguments = ("bench.baselines.usual", msgspec.json.encode(tenant).decode())
    with place.process("usual", *arguments, listener=listener, settings=settings) as usual:
        yield usual


def request_body(tenant: Tenant, *platforms: str) -> str:
    """A post to each platform's account, from the adapters' own examples, for tomorrow: nothing goes out."""
    registry = Registry.installed()
    body = {
        "teamId": tenant.team_id,
        "title": f"Post {PLACEHOLDER}",
        "text": "What there is to say.",
        "postDate": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "status": "SCHEDULED",
        "socialAccountTypes": list(platforms),
        "data": {name: registry[name].example(BOARD.id, "https://example.com/picture.png") for name in platforms},
    }
    return msgspec.json.encode(body).decode()


def loaded(place: Place, task: Task) -> Answers:
    """Carry a load out, in a process of its own. Raises RuntimeError where nothing at all succeeded."""
    fresh = msgspec.structs.replace(task, run=uuid4().hex)
    answers = msgspec.json.decode(place.answer("load", "bench.load", msgspec.json.encode(fresh).decode()), type=Answers)
    if not answers.successes:
        raise RuntimeError(f"{task.url} answered no request well: {answers.first_failure}")
    return answers


def _watched(place: Place, server: Child, task: Task) -> Run:
    before = cpu_seconds(server.pid)
    answers = loaded(place, task)
    return Run(answers=answers, cpu_ms=1000 * (cpu_seconds(server.pid) - before) / answers.answered)


def _many(found: dict[str, list[Run]]) -> list[Result]:
    rates = {name: [run.answers.per_second for run in rounds] for name, rounds in found.items()}
    costs = {name: [run.cpu_ms for run in rounds] for name, rounds in found.items()}
    name, most = f"posts accepted, {MANY} connections", Goal(of="ratio", sense="≥", bound=0.45)
    return [
        compared(name, "/s", rates[OURS], rates[ECHO], against=ECHO, goal=most),
        compared(name, "/s", rates[OURS], rates[INSERT], against=INSERT, goal=Goal(of="ratio", sense="≥", bound=1.3)),
        compared(name, "/s", rates[OURS], rates[USUAL], against=USUAL, goal=Goal(of="ratio", sense="≥", bound=8)),
        compared("server CPU a post", "ms", costs[OURS], costs[INSERT], against=INSERT, goal=None),
        compared("server CPU a post", "ms", costs[OURS], costs[USUAL], against=USUAL, goal=None),
    ]


def _one(found: dict[str, list[Run]]) -> list[Result]:
    halves = {name: [run.answers.p50_ms for run in rounds] for name, rounds in found.items()}
    goal = Goal(of="ratio", sense="≤", bound=1.3)
    return [
        compared("p50 of accepting, 1 connection", "ms", halves[OURS], halves[INSERT], against=INSERT, goal=goal),
        compared("p50 of a dry run, 1 connection", "ms", halves[DRY], halves[OURS], against="accepting it", goal=None),
    ]


def _words(run: Run) -> str:
    answers = run.answers
    failed = f", {answers.failures} failed ({answers.first_failure[:80]})" if answers.failures else ""
    return (
        f"{answers.per_second:,.0f}/s, p50 {answers.p50_ms:.1f} ms, p99 {answers.p99_ms:.1f} ms{failed}, "
        f"{run.cpu_ms:.2f} ms of CPU each; the load itself took {answers.busy:.0%} of a core"
    )
