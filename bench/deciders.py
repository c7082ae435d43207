"""Deciders: one process that asks for as many decisions as it can, in one of the ways that are compared."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Literal

import msgspec
import redis
import uvloop
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from pyrate_limiter import Duration, Rate, RateItem, RedisBucket
from redis.asyncio.connection import ConnectionPool

from core.database.pool import open_pool
from core.governor.asks import Window, book
from core.governor.governor import Governor
from core.governor.journal import Journal

PER_SECOND, PER_MINUTE = 100_000, 1_000_000
"""So many that nothing is ever denied: all do the same work."""

CLAIM = 100
"""How many calls a scheduler books at once."""

NOTHING = b"return cmsgpack.pack({{0, 0, 0}})"
"""A script that decides nothing, and answers as the governor's does."""

Way = Literal["no-op", "bare no-op", "decision", "whole", "claim", "limits", "pyrate-limiter"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn is: the way, the accounts, and for how long from which moment of the monotonic clock."""

    way: Way
    turn: str
    accounts: int
    start: float
    seconds: float


class Decider:
    """Decides for one account after another; `number` sets apart what several processes ask."""

    def __init__(self, redis_url: str, pool: Any, number: int) -> None:
        self._redis_url = redis_url
        self._pool = pool
        self._number = number

    async def decide(self, task: Task) -> int:
        """How many decisions there were."""
        account = count(self._number * 7919)
        match task.way:
            case "limits":
                return _drive(task, account, self._limits(task))
            case "pyrate-limiter":
                return _drive(task, account, self._pyrate(task))
            case "bare no-op":
                return await self._nothing(task, account)
            case _:
                return await self._governed(task, account)

    async def _governed(self, task: Task, account: "count[int]") -> int:
        journal = Journal(self._pool, worker=False)
        governor = Governor(self._redis_url, journal, call_seconds=60.0)
        app = f"bench:{task.turn}"
        names = (f"{self._number}:{number}" for number in count())
        await governor.look(app, _windows(0))
        if task.way == "no-op":
            line = governor._desk(app)._line
            line._scripts["take"] = await (await line._connected()).call(b"SCRIPT", b"LOAD", NOTHING)

        async def decision(windows: tuple[Window, ...]) -> int:
            assert (await governor.go(app, windows, next(names))).delay == 0
            return 1

        async def whole(windows: tuple[Window, ...]) -> int:
            name = next(names)
            (answer,) = await governor.ask(app, [book(windows, [name], name)])
            assert answer.held
            assert (await governor.go(app, windows, name)).delay == 0
            governor.ended(app, windows, name)
            return 1

        async def claim(_: tuple[Window, ...]) -> int:
            asks = [book(_windows(next(account) % task.accounts), [name := next(names)], name) for _ in range(CLAIM)]
            answers = await governor.ask(app, asks)
            assert all(answer.held for answer in answers)
            return CLAIM

        one = {"no-op": decision, "decision": decision, "whole": whole, "claim": claim}[task.way]
        done = await _drive_async(task, account, lambda number: one(_windows(number)))
        await governor.aclose()
        return done

    async def _nothing(self, task: Task, account: "count[int]") -> int:
        pool = ConnectionPool.from_url(self._redis_url)
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py

        async def call(*words: Any) -> Any:
            await connection.send_command(*words)
            return await connection.read_response()

        script = await call("SCRIPT", "LOAD", NOTHING)
        blob = b"x" * 150

        async def nothing(number: int) -> int:
            windows = _windows(number)
            keys = [f"fp:{{bench}}:{window.name}" for window in windows]
            async with asyncio.timeout(2.0):
                await call("EVALSHA", script, 5, "epoch", *keys, *keys, blob)
            return 1

        done = await _drive_async(task, account, nothing)
        await pool.aclose()
        return done

    def _limits(self, task: Task) -> Callable[[int], None]:
        limiter = MovingWindowRateLimiter(_storage(self._redis_url))
        second, minute = RateLimitItemPerSecond(PER_SECOND), RateLimitItemPerMinute(PER_MINUTE)

        def one(number: int) -> None:
            user = f"{task.turn}:{number}"
            assert limiter.hit(second, user)
            assert limiter.hit(minute, user)

        return one

    def _pyrate(self, task: Task) -> Callable[[int], None]:
        client = redis.Redis.from_url(self._redis_url)
        rates = [Rate(PER_SECOND, Duration.SECOND), Rate(PER_MINUTE, Duration.MINUTE)]
        buckets = [RedisBucket.init(rates, client, f"{task.turn}:{number}") for number in range(task.accounts)]

        def one(number: int) -> None:
            bucket = buckets[number]
            assert bucket.put(RateItem("call", bucket.now()))

        return one


def _storage(url: str) -> RedisStorage:
    """The storage of `limits` on our server's socket."""
    pool = redis.ConnectionPool.from_url(url)
    return RedisStorage("redis://localhost", connection_pool=pool)


def _windows(number: int) -> tuple[Window, ...]:
    return (
        Window(name=f"{number}:s", calls=PER_SECOND, seconds=1.0),
        Window(name=f"{number}:m", calls=PER_MINUTE, seconds=60.0),
    )


def _drive(task: Task, account: "count[int]", one: Callable[[int], None]) -> int:
    one(next(account) % task.accounts)
    done = 0
    time.sleep(max(task.start - time.monotonic(), 0.0))
    end = task.start + task.seconds
    while time.monotonic() < end:
        one(next(account) % task.accounts)
        done += 1
    return done


async def _drive_async(task: Task, account: "count[int]", one: Callable[[int], Awaitable[int]]) -> int:
    await one(next(account) % task.accounts)
    done = 0
    await asyncio.sleep(max(task.start - time.monotonic(), 0.0))
    end = task.start + task.seconds
    while time.monotonic() < end:
        done += await one(next(account) % task.accounts)
    return done


async def _serve(database_url: str, redis_url: str, number: int) -> None:
    async with open_pool(database_url, size=1, name="decider") as pool:
        decider = Decider(redis_url, pool, number)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(await decider.decide(msgspec.json.decode(line, type=Task)), flush=True)


def main() -> None:
    """Do each task that is read from the standard input, and write how many decisions there were."""
    database_url, redis_url, number = sys.argv[1:]
    uvloop.run(_serve(database_url, redis_url, int(number)))


if __name__ == "__main__":
    main()
