"""Draining: a worker takes what is ready as its hands come free, until nothing is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")

BATCH = 64
"""How many are taken at a time."""


class Drain(Generic[T]):
    """One queue's drain in one process; however often it is started, one runs.

    `take(limit)` fetches up to that many that are ready, `work` carries one out and handles its own errors.
    """

    def __init__(
        self,
        take: Callable[[int], Awaitable[Sequence[T]]],
        work: Callable[[T], Awaitable[None]],
        *,
        in_flight: int,
    ) -> None:
        self._take = take
        self._work = work
        self._in_flight = in_flight
        self._rung = asyncio.Event()
        self._running = False
        self._stopping = False
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Work until nothing is ready. Where a run is under way already, it is told to look again."""
        self._rung.set()
        if self._running or self._stopping:
            return
        self._running = True
        try:
            await self._drain()
        finally:
            self._running = False

    def stop(self) -> None:
        """Take nothing more; what is in hand is finished by `run`."""
        self._stopping = True
        self._rung.set()

    async def _drain(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        try:
            while self._rung.is_set() or tasks:
                self._rung.clear()
                await self._fill(tasks)
                if tasks:
                    await self._until_something_ends(tasks)
        finally:
            if tasks:
                await asyncio.wait(tasks)

    async def _fill(self, tasks: set[asyncio.Task[None]]) -> None:
        while not self._stopping and len(tasks) < self._in_flight:
            wanted = min(self._in_flight - len(tasks), BATCH)
            batch = await self._take(wanted)
            for item in batch:
                task = asyncio.create_task(self._guarded(item))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if len(batch) < wanted:
                return
            self._rung.set()

    async def _guarded(self, item: T) -> None:
        try:
            await self._work(item)
        except Exception:  # noqa: BLE001 - logged with its traceback
            # The lease brings the item back; the others in hand go on.
            self._log.exception("work_failed")

    async def _until_something_ends(self, tasks: set[asyncio.Task[None]]) -> None:
        rung = asyncio.create_task(self._rung.wait())
        await asyncio.wait({rung, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if not rung.done():
            rung.cancel()
            self._rung.set()
