"""Webhooks: signed, written down and settled by a worker, beside a bare loop that only posts."""

import asyncio
import time
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg

from bench.baselines.loop import Done, Task
from bench.listener import Heard
from bench.place import Place, Tenant, url_of
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from bench.usage import cpu_seconds
from core.database.pool import open_pool
from core.database.queries import queries
from core.events.events import Event, record
from core.guard import Guard
from core.ids import new_id
from core.webhooks.endpoints import Endpoints
from server.serve import bound

ENDPOINTS = 16
BATCH = 100
AT_A_TIME = 64
"""How many the loop has under way; it is no faster with twice as many."""

OURS, THEIRS = "fingerpost", f"httpx on aiohttp in a loop, {AT_A_TIME} at a time, unsigned"
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.05
DATA: dict[str, Any] = {
    "deliveryId": "0190b5a0-0000-7000-8000-000000000001",
    "postId": "0190b5a0-0000-7000-8000-000000000002",
    "state": "published",
    "postStatus": "POSTED",
    "externalId": "1125899906842624",
    "permalink": "https://example.com/messages/1125899906842624",
    "publishedAt": "2030-01-01T12:00:00Z",
    "error": None,
}
"""What an event tells."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How fast messages went out, and how much processor time the sender took for each (ms)."""

    per_second: float
    cpu_ms: float


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure one worker process against one loop; both send to the same listener."""
    warm = max(plan.hooks // 10 // ENDPOINTS, 1) * ENDPOINTS
    number = max(plan.hooks // ENDPOINTS, 1) * ENDPOINTS
    with (
        bound("127.0.0.1", 0) as socket,
        place.process("listener", "bench.listener", listener=socket),
        httpx.Client(base_url=url_of(socket), trust_env=False, verify=False) as listener,
    ):
        say(f"webhooks: {number} messages to {ENDPOINTS} endpoints")
        asyncio.run(_fill(place, place.tenant(), url_of(socket), (number + warm) * plan.rounds // ENDPOINTS))
        place.settle()
        senders = {
            OURS: partial(_ours, place, listener, number, warm),
            THEIRS: partial(_theirs, place, url_of(socket), number, warm),
        }
        found = interleaved(plan.rounds, senders, say=say, words=_words)
    rates = {name: [each.per_second for each in runs] for name, runs in found.items()}
    costs = {name: [each.cpu_ms for each in runs] for name, runs in found.items()}
    goal = Goal(of="ratio", sense="≥", bound=0.6)
    return [
        compared("signed webhooks, one worker", "/s", rates[OURS], rates[THEIRS], against=THEIRS, goal=goal),
        compared("worker CPU a webhook", "ms", costs[OURS], costs[THEIRS], against=THEIRS, goal=None),
    ]


async def _fill(place: Place, tenant: Tenant, url: str, events: int) -> None:
    """Write events, and with them a message for each endpoint, that wait for tomorrow."""
    organization, team = UUID(tenant.organization_id), UUID(tenant.team_id)
    async with open_pool(place.database_url, size=1, name="bench") as pool:
        endpoints = Endpoints(pool, place.vault, Guard(["127.0.0.1"]))
        for place_of in range(ENDPOINTS):
            await endpoints.create(organization, team, f"{url}/{place_of}")
        for start in range(0, events, BATCH):
            batch = [
                Event(organization_id=organization, team_id=team, type="team.updated", subject=new_id(), data=DATA)
                for _ in range(min(BATCH, events - start))
            ]
            async with pool.connection() as connection:
                await record(connection, batch)
                await connection.execute(queries("bench")["put_off_webhooks"])


def _ours(place: Place, listener: httpx.Client, number: int, warm: int) -> Run:
    settings = {"FINGERPOST_ALLOW_URLS": "loopback", "FINGERPOST_LOG_LEVEL": "warning"}
    with (
        place.process("work", "server.cli", "work", settings=settings) as worker,
        place.process("schedule", "server.cli", "schedule", settings=settings),
        psycopg.connect(place.database_url, autocommit=True) as connection,
    ):
        _sent(connection, listener, warm)
        cpu = cpu_seconds(worker.pid)
        seconds = _sent(connection, listener, number)
        return Run(per_second=number / seconds, cpu_ms=1000 * (cpu_seconds(worker.pid) - cpu) / number)


def _sent(connection: psycopg.Connection[Any], listener: httpx.Client, number: int) -> float:
    """Let so many be due at once; the seconds until the last of them was settled.

    Raises RuntimeError where one did not go out, went out twice, or was not signed.
    """
    sql = queries("bench")
    before = _heard(listener)
    row = connection.execute(sql["hasten_webhooks"], {"number": number}).fetchone()
    connection.execute(sql["notify_webhooks"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := connection.execute(sql["open_webhooks"]).fetchone()) != (0,):
        if time.monotonic() > deadline:
            raise RuntimeError(f"It was waited in vain for {left} webhooks.")
        time.sleep(POLL_SECONDS)
    heard = _heard(listener)
    if (heard.messages - before.messages, heard.signed - before.signed) != (number, number):
        raise RuntimeError(f"{number} messages were to be heard: {before} became {heard}.")
    end = connection.execute(sql["last_webhook"]).fetchone()
    assert row is not None
    assert end is not None
    return float(end[0] - row[0])


def _theirs(place: Place, url: str, number: int, warm: int) -> Run:
    body = msgspec.json.encode({"id": "event", "type": "team.updated", "data": DATA}).decode()
    paths = [f"/{name}" for name in range(ENDPOINTS)]
    task = Task(url=url, paths=paths, body=body, number=number, warm=warm, in_flight=AT_A_TIME)
    words = msgspec.json.encode(task).decode()
    done = msgspec.json.decode(place.answer("loop", "bench.baselines.loop", words), type=Done)
    return Run(per_second=number / done.seconds, cpu_ms=1000 * done.cpu_seconds / number)


def _heard(listener: httpx.Client) -> Heard:
    return msgspec.json.decode(listener.get("/heard").content, type=Heard)


def _words(run: Run) -> str:
    return f"{run.per_second:,.0f}/s, {run.cpu_ms:.2f} ms of CPU each"
