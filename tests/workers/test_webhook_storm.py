"""Many events to many endpoints, half of them in trouble, while senders are killed: the others notice nothing."""

import asyncio
import json
import statistics
import sys
import time
from collections import defaultdict
from datetime import datetime
from random import Random
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from core.database.pool import open_pool
from tests.conftest import Servers, new_database
from tests.core.webhooks.house import MASTER
from tests.workers.webhook_receiver import Call, Receiver, Subscriber, receiving

HEALTHY, REFUSING, SILENT, SLOW, MOODY = 10, 3, 2, 3, 2
SENDERS = 2
PATIENCE_SECONDS = 900.0


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """How much happens, how fast, and what goes wrong meanwhile."""

    events: int
    per_second: float
    kills: int
    slow_seconds: float = 14.0
    trouble: bool = True


class Heard:
    """What the healthy endpoints got: which bodies came under which id, and how late the first of them was."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        self.calls = 0
        self.seconds: list[float] = []
        self._events: dict[str, set[str]] = defaultdict(set)

    def note(self, call: Call) -> None:
        self.calls += 1
        key = (call.path, call.id)
        if key not in self.bodies:
            event = json.loads(call.body)
            self.seconds.append(time.time() - _moment(event["timestamp"]))
            self._events[call.path].add(call.id)
        self.bodies[key].add(call.body)

    def complete(self, events: int) -> bool:
        return len(self._events) == HEALTHY and all(len(ids) == events for ids in self._events.values())

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Watching(Receiver):
    """A receiver that keeps only what the healthy endpoints got, and misbehaves under the other paths."""

    def __init__(self, slow_seconds: float) -> None:
        super().__init__()
        self.heard = Heard()
        self._slow_seconds = slow_seconds
        self._random = Random(4)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request, await request.read())
        kind = call.path.strip("/").partition("-")[0]
        if kind == "healthy":
            self.heard.note(call)
        elif kind == "silent":
            await asyncio.sleep(3600)
        elif kind == "slow":
            await asyncio.sleep(self._slow_seconds)
        elif self._random.random() < 0.5:
            return web.Response(status=500)
        return web.Response(status=204)


async def subscribe(house: Subscriber, receiver: Receiver, storm: Storm) -> None:
    kinds = {"healthy": HEALTHY}
    if storm.trouble:
        kinds |= {"silent": SILENT, "slow": SLOW, "moody": MOODY}
    house.endpoints._most = 100
    for kind, count in kinds.items():
        for number in range(count):
            await house.endpoints.create(house.organization, None, f"{receiver.url}/{kind}-{number}")
    for _ in range(REFUSING if storm.trouble else 0):
        await house.endpoints.create(house.organization, None, "http://127.0.0.1:9/refused")


async def happen(house: Subscriber, storm: Storm) -> None:
    """So many events, evenly, each of a post of some."""
    posts: list[UUID] = [await house.post() for _ in range(100)]
    start, done = time.monotonic(), 0
    while done < storm.events:
        due = min(storm.events, int((time.monotonic() - start) * storm.per_second) + 1)
        await house.happened(*[house.event(posts[number % len(posts)]) for number in range(done, due)])
        done = due
        await asyncio.sleep(0.02)


class Senders:
    """Some senders, of which any may be killed at any time; there are always as many again."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._random = Random(8)
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        while len(self._processes) < SENDERS:
            arguments = ("-m", "tests.workers.webhook_sender", self._url, MASTER)
            self._processes.append(await asyncio.create_subprocess_exec(sys.executable, *arguments))

    async def rage(self, kills: int, seconds: float) -> None:
        """Kill so many, at random moments of so many seconds."""
        for _ in range(kills):
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * seconds / (kills + 1))
            victim = self._processes.pop(self._random.randrange(SENDERS))
            victim.kill()
            await victim.wait()
            await self.start()

    async def stop(self) -> None:
        for process in self._processes:
            process.kill()
            await process.wait()


async def weathered(pool: AsyncConnectionPool, database_url: str, storm: Storm) -> Heard:
    """What the healthy endpoints got, when they have got all of it."""
    senders = Senders(database_url)
    async with receiving(Watching(storm.slow_seconds)) as receiver:
        assert isinstance(receiver, Watching)
        house = await Subscriber(pool, receiver).settle_in()
        await subscribe(house, receiver, storm)
        await senders.start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
                group.create_task(happen(house, storm))
                group.create_task(senders.rage(storm.kills, storm.events / storm.per_second))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not receiver.heard.complete(storm.events):  # noqa: ASYNC110 - what is waited for are other processes
                    await asyncio.sleep(0.1)
        finally:
            await senders.stop()
    heard = receiver.heard
    # Whatever came twice, came under the same id with the same bytes.
    assert {len(bodies) for bodies in heard.bodies.values()} == {1}
    assert len(heard.bodies) == HEALTHY * storm.events
    return heard


async def test_who_is_well_gets_everything_whatever_becomes_of_the_others_and_of_the_senders(
    pool: AsyncConnectionPool, database_url: str
) -> None:
    await weathered(pool, database_url, Storm(events=150, per_second=30, kills=3, slow_seconds=2.0))


@pytest.mark.big
async def test_ten_thousand_events_to_twenty_endpoints_are_hardly_later_than_to_those_that_are_well(
    servers: Servers, template: str
) -> None:
    found: dict[bool, Heard] = {}
    for trouble in (False, True):
        with new_database(servers.database_url, template=template) as url:
            async with open_pool(url, size=8, name="storm") as pool:
                storm = Storm(events=10_000, per_second=25, kills=12, trouble=trouble)
                found[trouble] = await weathered(pool, url, storm)
        heard = found[trouble]
        print(f"trouble={trouble}: p50 {statistics.median(heard.seconds):.3f} s, p99 {heard.p99:.3f} s, {heard.calls}")
    assert found[True].p99 <= 2 * found[False].p99
