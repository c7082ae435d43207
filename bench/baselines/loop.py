"""The baseline of webhooks: httpx over aiohttp's transport in a loop, which signs nothing and writes nothing down."""

import asyncio
import sys
import time

import httpx
import msgspec
import uvloop
from httpx_aiohttp import AiohttpTransport


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: a body to the paths in turn, so many times and so many at a time, after some that do not count."""

    url: str
    paths: list[str]
    body: str
    number: int
    warm: int
    in_flight: int


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took, and how much processor time (seconds)."""

    seconds: float
    cpu_seconds: float


async def send(task: Task) -> Done:
    """Send all of it."""
    content = task.body.encode()
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    async with httpx.AsyncClient(transport=AiohttpTransport(), base_url=task.url, trust_env=False) as client:

        async def some(numbers: "list[int]") -> None:
            while numbers:
                path = task.paths[numbers.pop() % len(task.paths)]
                (await client.post(path, content=content, headers=headers)).raise_for_status()

        async def all_of(number: int) -> None:
            left = list(range(number))
            await asyncio.gather(*(some(left) for _ in range(task.in_flight)))

        await all_of(task.warm)
        start, cpu = time.perf_counter(), time.process_time()
        await all_of(task.number)
        return Done(seconds=time.perf_counter() - start, cpu_seconds=time.process_time() - cpu)


def main() -> None:
    """Read a task from the command line, carry it out, and write how it went to standard output."""
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(send(msgspec.json.decode(sys.argv[1], type=Task)))))


if __name__ == "__main__":
    main()
