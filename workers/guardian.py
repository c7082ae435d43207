"""A guardian beside a worker: a small process that ends one which has stood still longer than its leases last."""

import asyncio
import os
import select
import signal
from contextlib import suppress
from typing import Self

import structlog

from core.clock import elapsed

BEAT_SECONDS = 1.0
"""How often a worker shows that its event loop turns."""

GRACE_SECONDS = 10.0
"""How long after its last lease has ended a worker that shows no sign of life is killed."""


class Guardian:
    """The worker's end of the pipe to its guardian.

    What a frozen worker had in hand is taken by others when its lease ends. Should it thaw, it must not send: the
    transport looks at the lease before every write, and by then the guardian has killed it.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    @classmethod
    def fork(cls, lease_seconds: float) -> Self:
        """Start the guardian of this process; call it before any thread runs."""
        reader, writer = os.pipe()
        worker = os.getpid()
        if os.fork() == 0:
            os.close(writer)
            # Whoever ends us decides about the worker; the guardian goes when that has gone.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            try:
                _guard(worker, reader, lease_seconds + GRACE_SECONDS)
            except Exception:
                structlog.get_logger(__name__).exception("guardian_failed")
                raise
            finally:
                # Not through what the worker would do at its end.
                os._exit(0)
        os.close(reader)
        os.set_blocking(writer, False)
        return cls(writer)

    async def keep(self, stop: asyncio.Event) -> None:
        """Show signs of life until `stop` is set; then the guardian goes."""
        try:
            while not stop.is_set():
                # One that stands still itself has enough to read when it goes on.
                with suppress(BlockingIOError):
                    os.write(self._pipe, b".")
                with suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_SECONDS):
                        await stop.wait()
        except BrokenPipeError:
            structlog.get_logger(__name__).warning("guardian_gone", hint="Start the worker anew to have it guarded.")
        finally:
            os.close(self._pipe)


def _guard(worker: int, pipe: int, patience: float) -> None:
    """Read signs of life until there will be none; kill a worker that shows none for so many seconds."""
    # Nothing counts before the first: a worker may take its time to start.
    if not os.read(pipe, 4096):
        return
    last = elapsed()
    while os.getppid() == worker:
        remaining = last + patience - elapsed()
        if select.select([pipe], [], [], max(min(remaining, BEAT_SECONDS), 0.0))[0]:
            if not os.read(pipe, 4096):
                return
            last = elapsed()
        elif remaining <= 0:
            silence = round(elapsed() - last, 1)
            structlog.get_logger(__name__).error("worker_stood_still", pid=worker, seconds=silence)
            os.kill(worker, signal.SIGKILL)
            return
