"""The load: a process of its own that keeps a number of connections busy with one request, and says what came back."""

import asyncio
import math
import sys
import time
from itertools import count
from typing import Annotated

import aiohttp
import msgspec
import uvloop
from msgspec import Meta

PLACEHOLDER = "@NUMBER@"
"""Stands in a body for the number of the request, so that no two are alike."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: for `seconds` after `warm` seconds that do not count, or else `number` times and no longer.

    `keys` are API keys that take turns; every request has an idempotency key of its own.
    """

    url: str
    body: str
    keys: list[str]
    connections: Annotated[int, Meta(ge=1)]
    seconds: float | None = None
    warm: float = 0.0
    number: int | None = None
    run: str = ""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: how many 2xx a second, how long they took (ms), and how busy the load itself was (1 = a core).

    `answered` counts every request from the first on, those before the counting included.
    """

    answered: int
    successes: int
    failures: int
    per_second: float
    p50_ms: float
    p99_ms: float
    busy: float
    first_failure: str = ""


class Load:
    """One run of a task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._url = task.url
        self._before, _, self._after = task.body.partition(PLACEHOLDER)
        self._numbers = count()
        self._counting = task.warm == 0
        self._ended = False
        self._answered = 0
        self._durations: list[float] = []
        self._failures: list[str] = []

    async def run(self) -> Answers:
        """Send until the time is up or all is sent."""
        task = self._task
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=task.connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        ) as session:
            senders = [asyncio.create_task(self._send(session, index)) for index in range(task.connections)]
            if task.warm:
                await asyncio.wait(senders, timeout=task.warm)
            self._counting = True
            start, cpu = time.perf_counter(), time.process_time()
            await asyncio.wait(senders, timeout=task.seconds)
            # On a machine that is busy with other things it is one answer at the least.
            while not self._durations and not self._failures and not all(sender.done() for sender in senders):
                await asyncio.wait(senders, timeout=0.1)
            self._ended = True
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            await asyncio.gather(*senders)
        return self._answers(seconds, cpu)

    async def _send(self, session: aiohttp.ClientSession, index: int) -> None:
        task = self._task
        headers = {"Content-Type": "application/json", "x-api-key": task.keys[index % len(task.keys)]}
        while not self._ended:
            number = next(self._numbers)
            if task.number is not None and number >= task.number:
                return
            headers["Idempotency-Key"] = f"{task.run}-{number}"
            body = f"{self._before}{number}{self._after}".encode()
            start = time.perf_counter()
            async with session.post(self._url, data=body, headers=headers) as answer:
                text = await answer.read()
            self._answered += 1
            if self._counting and not self._ended:
                self._note(answer.status, text, time.perf_counter() - start)

    def _note(self, status: int, text: bytes, seconds: float) -> None:
        if 200 <= status < 300:
            self._durations.append(seconds)
        else:
            self._failures.append(f"{status} {text[:300].decode(errors='replace')}")

    def _answers(self, seconds: float, cpu: float) -> Answers:
        durations = sorted(self._durations) or [math.nan]
        return Answers(
            answered=self._answered,
            successes=len(self._durations),
            failures=len(self._failures),
            per_second=len(self._durations) / seconds,
            p50_ms=1000 * durations[len(durations) // 2],
            p99_ms=1000 * durations[len(durations) * 99 // 100],
            busy=cpu / seconds,
            first_failure=self._failures[0] if self._failures else "",
        )


def main() -> None:
    """Read a task from the command line, carry it out, and write the answers to standard output."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(Load(task).run())
    sys.stdout.buffer.write(msgspec.json.encode(answers))


if __name__ == "__main__":
    main()
