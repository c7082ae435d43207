"""A driver: one process of a run, that makes real calls as the governor lets it, as the engine does.

Each user has one waiter. It asks for several of its pending calls at once, goes at the moments it was given, asks for
more on the same way, and otherwise waits for as long as it was told.
"""

import asyncio
import datetime
import heapq
import random
import sys
import time
from collections import deque
from itertools import count

import msgspec
import uvloop
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from core.clock import elapsed
from core.database.pool import open_pool
from core.governor.asks import Window, go
from core.governor.governor import Governor
from core.governor.journal import Journal
from tests.governor.orders import Order, Told, due

APP = "STRICT:test"
AT_ONCE = 4
"""For how many pending calls a waiter asks at once."""

MOST_PENDING = 10_000

FRESH_SECONDS = 1.0
"""A permission that is older is given back: whoever was frozen meanwhile does not send."""

PATIENCE_SECONDS = 1.0


class Record:
    """What a driver does, as it does it."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.durations: list[float] = []
        self.refused = 0


class Waiter:
    """The calls of one user at this driver."""

    def __init__(self, order: Order, user: str, governor: Governor, session: ClientSession, record: Record) -> None:
        self._order = order
        self._user = user
        self._windows = windows(order, user)
        self._governor = governor
        self._session = session
        self._record = record
        self._numbers = count()
        self._chance = random.Random(f"{order.seed} {user} loss")
        self._calls: set[asyncio.Task[None]] = set()
        self._pending: deque[float] = deque()
        self._booked: list[tuple[float, str, float]] = []

    async def run(self, start: float) -> None:
        """Until the run ends."""
        feed = due(self._order, self._user)
        following = next(feed, None)
        again = start
        while (now := elapsed()) < start + self._order.seconds:
            most = AT_ONCE if self._order.feed == "saturated" else MOST_PENDING
            while following is not None and start + following <= now and len(self._pending) < most:
                self._pending.append(start + following if self._order.feed != "saturated" else now)
                following = next(feed, None)
            if self._ready(now, again):
                again = await self._ask(now, again)
            else:
                await asyncio.sleep(max(self._next(start, again, following) - elapsed(), 0.0))
        if self._calls:
            await asyncio.wait(self._calls)

    def _ready(self, now: float, again: float) -> bool:
        return bool(self._booked and self._booked[0][0] <= now) or bool(
            self._pending and again <= now and not self._booked
        )

    def _next(self, start: float, again: float, following: float | None) -> float:
        moments = [start + self._order.seconds]
        if self._booked:
            moments.append(self._booked[0][0])
        elif self._pending:
            moments.append(again)
        if following is not None and self._order.feed != "saturated":
            moments.append(max(start + following, elapsed() + 0.001))
        return min(moments)

    async def _ask(self, now: float, again: float) -> float:
        """Go with what is booked for now, and ask for more; answers when to ask again."""
        takes: list[tuple[str, str, float]] = []
        while self._booked and self._booked[0][0] <= now:
            _, name, since = heapq.heappop(self._booked)
            takes.append((name, self._name(), since))
        more = AT_ONCE if again <= now and len(self._booked) < AT_ONCE / 2 else 0
        while self._pending and more > 0:
            takes.append((self._name(), self._name(), self._pending.popleft()))
            more -= 1
        asked_at = elapsed()
        answers = await self._governor.ask(APP, [go(self._windows, name, later) for name, later, _ in takes])
        now = elapsed()
        again = now
        for (name, later, since), answer in reversed(list(zip(takes, answers, strict=True))):
            if answer.delay == 0 and answer.held:
                if now - asked_at > FRESH_SECONDS:
                    self._governor.back(APP, self._windows, [name])
                    self._pending.appendleft(since)
                    continue
                self._record.waits.append(now - since)
                task = asyncio.create_task(self._call(name))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            elif answer.held:
                heapq.heappush(self._booked, (now + answer.delay, later, since))
            else:
                self._pending.appendleft(since)
                again = max(again, now + answer.again)
        return again

    async def _call(self, name: str) -> None:
        lost = self._chance.random() < self._order.loss
        start = elapsed()
        parameters = {"user": self._user} | ({"lose": "1"} if lost else {})
        try:
            async with self._session.post(f"{self._order.platform_url}/calls", params=parameters) as response:
                self._record.refused += response.status == 429
        except (TimeoutError, ClientError):
            pass
        self._record.durations.append(elapsed() - start)
        self._governor.ended(APP, self._windows, name)

    def _name(self) -> str:
        return f"{self._order.seed}:{self._user}:{next(self._numbers)}"


def windows(order: Order, user: str) -> tuple[Window, ...]:
    """The platform's rules as windows of a user."""
    return tuple(
        Window(name=f"{rule.owner(user) or 'app'}:{rule.seconds:g}", calls=rule.calls, seconds=rule.seconds)
        for rule in order.rules
    )


def skew(seconds: float) -> None:
    """Set the wall clock of this process wrong, as that of a host may be."""
    right, right_ns, right_clock = time.time, time.time_ns, time.clock_gettime

    class Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Wrong":
            return cls.fromtimestamp(right() + seconds, tz)

    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + round(seconds * 1e9)
    time.clock_gettime = lambda which: right_clock(which) + (seconds if which == time.CLOCK_REALTIME else 0.0)
    setattr(datetime, "datetime", Wrong)  # noqa: B010 - a class is not assigned to for the type checker


async def drive(order: Order) -> Told:
    """One run, from the moment that is read from the standard input."""
    record = Record()
    stop = asyncio.Event()
    async with (
        open_pool(order.database_url, size=2, name="driver") as pool,
        ClientSession(timeout=ClientTimeout(total=PATIENCE_SECONDS), connector=TCPConnector(limit=0)) as session,
    ):
        journal = Journal(pool, worker=order.worker)
        governor = Governor(order.redis_url, journal, call_seconds=order.call_seconds, worker=order.worker)
        keeping = asyncio.create_task(governor.keep(stop))
        print("ready", flush=True)
        start = float(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.sleep(start - elapsed())
        waiters = [Waiter(order, user, governor, session, record) for user in order.users]
        await asyncio.gather(*(waiter.run(start) for waiter in waiters))
        stop.set()
        await keeping
        await governor.aclose()
        return Told(
            admitted=len(record.waits),
            waits=record.waits,
            durations=record.durations,
            redis_calls=governor.calls,
            refused=record.refused,
            wall_clock=time.time(),
        )


def main() -> None:
    """Do what the first argument orders, and tell."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    if order.skew:
        skew(order.skew)
    print(msgspec.json.encode(uvloop.run(drive(order))).decode(), flush=True)


if __name__ == "__main__":
    main()
