"""Draining: a worker takes what is ready as its hands come free, until nothing is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")

BATCH = 64
"""How many are taken at a time."""

MOMENT_SECONDS = 0.005
"""How long a place that has come free waits for others, so that one take fills several."""

_SHARE = 4
"""So many times what has ended may still be in hand, and more is taken at once."""


class Drain(Generic[T]):
    """One queue's drain in one process; however often it is started, one runs.

    `take(limit)` fetches up to that many that are ready, `work` carries one out and handles its own errors. Where the
    drain is rung, or nothing is left in hand, it looks for more at once. Places that come free beside others are
    filled together: when a fifth has ended of what was in hand, and a moment after the first at the latest.
    """

    def __init__(
        self,
        take: Callable[[int], Awaitable[Sequence[T]]],
        work: Callable[[T], Awaitable[None]],
        *,
        in_flight: int,
        moment_seconds: float = MOMENT_SECONDS,
    ) -> None:
        self._take = take
        self._work = work
        self._in_flight = in_flight
        self._moment_seconds = moment_seconds
        self._hands: set[asyncio.Task[None]] = set()
        self._freed = 0
        self._moment: asyncio.TimerHandle | None = None
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
        try:
            while self._rung.is_set() or self._hands:
                await self._rung.wait()
                self._look_forward()
                await self._fill()
        finally:
            if self._hands:
                await asyncio.wait(self._hands)
            self._look_forward()

    async def _fill(self) -> None:
        while not self._stopping and len(self._hands) < self._in_flight:
            wanted = min(self._in_flight - len(self._hands), BATCH)
            batch = await self._take(wanted)
            for item in batch:
                task = asyncio.create_task(self._guarded(item))
                self._hands.add(task)
                task.add_done_callback(self._ended)
            if len(batch) < wanted:
                return

    async def _guarded(self, item: T) -> None:
        try:
            await self._work(item)
        except Exception:  # noqa: BLE001 - logged with its traceback
            # The lease brings the item back; the others in hand go on.
            self._log.exception("work_failed")

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._hands.discard(task)
        self._freed += 1
        if _SHARE * self._freed >= len(self._hands):
            self._rung.set()
        elif self._moment is None:
            self._moment = asyncio.get_running_loop().call_later(self._moment_seconds, self._rung.set)

    def _look_forward(self) -> None:
        """What has come free or rung until now is seen to; what does so from here on counts anew."""
        self._rung.clear()
        self._freed = 0
        if self._moment is not None:
            self._moment.cancel()
            self._moment = None
