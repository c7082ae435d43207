"""Runs: drivers as processes, a strict platform, trouble in the middle, and what came of it."""

import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from core.clock import elapsed
from tests.governor.brittle_redis import BrittleRedis
from tests.governor.checker import Arrival, Crowd, Rule, crowds, logs, worst
from tests.governor.orders import Feed, Order, Told

ROOT = Path(__file__).parent.parent.parent
LEAD_SECONDS = 0.5
PATIENCE_SECONDS = 120.0

Trouble = Literal["flush", "restart", "freeze", "kill"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A shape of traffic, and what goes wrong in the middle of it."""

    name: str
    feed: Feed = "saturated"
    rules: tuple[Rule, ...] = (Rule(calls=60, seconds=3.0),)
    users: int = 1
    drivers: int = 8
    seconds: float = 20.0
    skew: float = 0.0
    loss: float = 0.0
    call_seconds: float = 3.0
    trouble: Trouble | None = None
    freeze_seconds: float = 10.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. `use` is the share of what was possible, where the shape asks for all of it."""

    shape: Shape
    arrivals: int
    crowds: list[Crowd]
    worst: float
    refused: int
    use: float | None
    mean_wait: float
    p99_wait: float
    redis_calls: float
    wall_clocks: list[float]

    def cells(self) -> list[str]:
        """A line of the table."""
        limit = ", ".join(
            f"{rule.calls} per {rule.seconds:g} s{'' if rule.per_user else ' (app)'}" for rule in self.shape.rules
        )
        use = "" if self.use is None else f"{self.use:.4f}"
        waits = [f"{self.mean_wait:.2f} s", f"{self.p99_wait:.2f} s"]
        figures = [f"{self.redis_calls:.2f}", str(self.refused), str(self.arrivals)]
        return [self.shape.name, limit, f"{self.worst:.3f}", use, *waits, *figures]


async def run(shape: Shape, database_url: str) -> Outcome:
    """A run of that shape, judged by what arrived at the platform."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fp-")))
        brittle = stack.enter_context(BrittleRedis(folder))
        platform_url = stack.enter_context(platform(shape.rules))
        drivers = [
            stack.enter_context(process("driver", msgspec.json.encode(order).decode()))
            for order in orders(shape, database_url, brittle.url, platform_url)
        ]
        for driver in drivers:
            assert driver.stdout is not None
            assert driver.stdin is not None
            assert await asyncio.to_thread(driver.stdout.readline) == "ready\n"
        start = elapsed() + LEAD_SECONDS
        for driver in drivers:
            assert driver.stdin is not None
            driver.stdin.write(f"{start}\n")
            driver.stdin.flush()
        killed = await trouble(shape, start, brittle, drivers)
        ends = await asyncio.gather(*(asyncio.to_thread(driver.communicate) for driver in drivers))
        told = [
            msgspec.json.decode(out.splitlines()[-1], type=Told)
            for driver, (out, _) in zip(drivers, ends, strict=True)
            if driver is not killed
        ]
        answer = await asyncio.to_thread(httpx.get, f"{platform_url}/log", trust_env=False)
        return judged(shape, msgspec.json.decode(answer.content, type=list[Arrival]), told)


def orders(shape: Shape, database_url: str, redis_url: str, platform_url: str) -> Iterator[Order]:
    """The order for each driver of a shape; their clocks are off by up to `skew` to either side."""
    for number in range(shape.drivers):
        yield Order(
            database_url=database_url,
            redis_url=redis_url,
            platform_url=platform_url,
            rules=list(shape.rules),
            users=[f"user{user}" for user in range(shape.users)],
            feed=shape.feed,
            seconds=shape.seconds,
            share=1 / shape.drivers,
            seed=number,
            skew=shape.skew * (2 * number / max(shape.drivers - 1, 1) - 1),
            loss=shape.loss,
            call_seconds=shape.call_seconds,
        )


async def trouble(
    shape: Shape, start: float, brittle: BrittleRedis, drivers: Sequence[subprocess.Popen[str]]
) -> subprocess.Popen[str] | None:
    """What goes wrong, a third into the run; answers the driver that was killed."""
    await asyncio.sleep(start + shape.seconds / 3 - elapsed())
    match shape.trouble:
        case "flush":
            await asyncio.to_thread(brittle.empty)
        case "restart":
            await asyncio.to_thread(brittle.kill)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(brittle.start)
        case "freeze":
            drivers[0].send_signal(signal.SIGSTOP)
            await asyncio.sleep(shape.freeze_seconds)
            drivers[0].send_signal(signal.SIGCONT)
        case "kill":
            drivers[0].kill()
            return drivers[0]
    return None


def judged(shape: Shape, arrivals: list[Arrival], told: Sequence[Told]) -> Outcome:
    """The outcome, from the platform's log and what the drivers told."""
    waits = sorted(wait for each in told for wait in each.waits)
    durations = [duration for each in told for duration in each.durations]
    saturated = shape.feed == "saturated" and shape.trouble is None
    return Outcome(
        shape=shape,
        arrivals=len(arrivals),
        crowds=crowds(shape.rules, arrivals),
        worst=worst(shape.rules, arrivals),
        refused=sum(not arrival.admitted for arrival in arrivals),
        use=use(shape.rules, arrivals, statistics.fmean(durations)) if saturated else None,
        mean_wait=statistics.fmean(waits),
        p99_wait=waits[int(len(waits) * 0.99)],
        redis_calls=sum(each.redis_calls for each in told) / sum(each.admitted for each in told),
        wall_clocks=[each.wall_clock for each in told],
    )


def use(rules: Sequence[Rule], arrivals: Sequence[Arrival], duration: float) -> float:
    """How much of what is possible was used, by the window that was used most.

    A place in a window comes back a window after its call's end: of a limit of n calls, the n-th call after each
    cannot come sooner than the window's length and a call's duration.
    """
    found = []
    for rule in rules:
        cycles = [
            after - before
            for times in logs(rule, arrivals).values()
            for before, after in zip(times, times[rule.calls :], strict=False)
        ]
        if cycles:
            found.append((rule.seconds + duration) / statistics.fmean(cycles))
    return max(found)


@contextmanager
def platform(rules: Sequence[Rule]) -> Iterator[str]:
    """A strict platform as a process, ready to answer; its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        argv = [str(listener.fileno()), msgspec.json.encode(rules).decode()]
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with process("strict", *argv, pass_fds=(listener.fileno(),)):
            httpx.get(f"{url}/health", timeout=PATIENCE_SECONDS, trust_env=False).raise_for_status()
            yield url


@contextmanager
def process(name: str, *arguments: str, pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    """One of these modules as a process; killed in the end if it still lives."""
    argv = [sys.executable, "-m", f"tests.governor.{name}", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen(argv, cwd=ROOT, env=os.environ, pass_fds=pass_fds, text=True, **pipes)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            pipe.close()
