"""The load: a process of its own that keeps a number of connections busy with one request, and says what came back."""

import asyncio
import math
import sys
import time
from functools import partial
from itertools import count
from typing import Annotated, cast
from urllib.parse import SplitResult, urlsplit

import httptools
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
    """One run of a task.

    It writes requests to its connections as they are: an HTTP client's work would take as much of the machine as some
    of the servers that are measured.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._before, _, self._after = task.body.partition(PLACEHOLDER)
        self._numbers = count()
        self._counting = task.warm == 0
        self._ended = False
        self._answered = 0
        self._durations: list[float] = []
        self._failures: list[str] = []

    async def run(self) -> Answers:
        """Send until the time is up or all is sent."""
        task, loop = self._task, asyncio.get_running_loop()
        place = urlsplit(task.url)
        connections: list[_Connection] = []
        for index in range(task.connections):
            made = partial(_Connection, self, place, task.keys[index % len(task.keys)])
            connections.append((await loop.create_connection(made, place.hostname or "", place.port or 80))[1])
        for connection in connections:
            connection.send()
        senders = [connection.idle for connection in connections]
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
        for connection in connections:
            connection.close()
        return self._answers(seconds, cpu)

    def next(self) -> tuple[str, bytes] | None:
        """The idempotency key and the body of the next request; None where there is none."""
        number = next(self._numbers)
        if self._ended or (self._task.number is not None and number >= self._task.number):
            return None
        return f"{self._task.run}-{number}", f"{self._before}{number}{self._after}".encode()

    def note(self, status: int, text: bytes, seconds: float) -> None:
        """An answer came."""
        self._answered += 1
        if not self._counting or self._ended:
            return
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


class _Connection(asyncio.Protocol):
    """A connection that sends the next request when the last is answered, and is `idle` when there is none."""

    def __init__(self, load: Load, place: SplitResult, key: str) -> None:
        self._load = load
        always = {"Host": place.netloc, "Content-Type": "application/json", "x-api-key": key}
        lines = (f"{name}: {value}\r\n" for name, value in always.items())
        self._head = f"POST {place.path} HTTP/1.1\r\n{''.join(lines)}"
        self.idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start = 0.0
        self._text = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.idle.done():
            self.idle.set_exception(exc or ConnectionResetError("The server hung up."))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._text = b""

    def on_body(self, body: bytes) -> None:
        self._text += body

    def on_message_complete(self) -> None:
        self._load.note(self._parser.get_status_code(), self._text, time.perf_counter() - self._start)
        self.send()

    def send(self) -> None:
        """Send the next request, if there is one."""
        if (following := self._load.next()) is None:
            self.idle.set_result(None)
            return
        key, body = following
        head = f"{self._head}Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._start = time.perf_counter()
        self._transport.write(head.encode() + body)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def main() -> None:
    """Read a task from the command line, carry it out, and write the answers to standard output."""
    task = msgspec.json.decode(sys.argv[1], type=Task)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answers = runner.run(Load(task).run())
    sys.stdout.buffer.write(msgspec.json.encode(answers))


if __name__ == "__main__":
    main()
