"""The processes that open strangers' files: a few, used again and again, ended when they take too much or too long."""

import asyncio
import contextlib
import os
import select
import subprocess
import sys
import weakref
from pathlib import Path

import msgspec
import structlog

from core.clock import Deadline
from core.errors import FingerpostError, InvalidUpload, NotFound, Unready
from core.media.facts import Probe
from core.media.recipe import Fitted, Recipe
from core.media.tasks import READY, Answer, Found, Made, Mending, Probing, Refusal, Task

MEMORY_BYTES = 2 * 1024**3
"""The address space that one process may have; what it really holds is mostly far less."""

SECONDS = 30.0
"""How long one file may take."""

START_SECONDS = 60.0
"""How long a process may take to come up, on however busy a machine."""

MOST_TASKS = 500
"""After so many files a process makes way for a new one: what leaks, leaks no further."""

_WORDS = {
    "media_too_costly": "The file takes more memory or time than any sound one does; export it again, or smaller.",
    "media_unreadable": "The file cannot be read; export it again.",
}


class MediaProcesses:
    """Up to `count` processes at work at a time; they start when first needed.

    They are given no setting and no secret, and of a file only its path.
    """

    def __init__(self, count: int = 2, *, memory: int = MEMORY_BYTES, seconds: float = SECONDS) -> None:
        self._turns = asyncio.Semaphore(count)
        self._memory = memory
        self._seconds = seconds
        self._idle: list[_Process] = []
        weakref.finalize(self, _end_all, self._idle)

    async def probe(self, path: Path) -> Probe:
        """What the file is. Raises InvalidUpload, whose code says why it cannot be taken."""
        answer = await self._ask(Probing(path=str(path), seconds=self._seconds))
        assert isinstance(answer, Found)
        return answer.probe

    async def mend(self, source: Path, target: Path, recipe: Recipe) -> Fitted:
        """A new file at `target` by a recipe. Raises InvalidUpload where that cannot be done."""
        asked = Mending(source=str(source), target=str(target), recipe=recipe, seconds=self._seconds)
        answer = await self._ask(asked)
        assert isinstance(answer, Made)
        return answer.fitted

    async def aclose(self) -> None:
        """End the processes; whoever asks again starts new ones."""
        await asyncio.to_thread(_end_all, self._idle)

    async def _ask(self, task: Task) -> Found | Made:
        async with self._turns:
            process = self._idle.pop() if self._idle else None
            working = asyncio.create_task(asyncio.to_thread(self._answered, process, task))
            # A thread cannot be broken off: whoever is, leaves its turn to others only when the process is free.
            try:
                _, answer = await asyncio.shield(working)
            except asyncio.CancelledError:
                await asyncio.wait([working])
                raise
            finally:
                if working.exception() is None and (process := working.result()[0]) is not None:
                    self._idle.append(process)
        if isinstance(answer, Refusal):
            raise _refused(answer)
        return answer

    def _answered(self, process: "_Process | None", task: Task) -> "tuple[_Process | None, Answer]":
        """The answer, and the process if it can be used again."""
        # One that ended while nobody asked it anything says nothing of the file.
        if process is not None and not process.is_there:
            process.end()
            process = None
        process = process or _Process(self._memory)
        answer = process.answer(task)
        if answer is None or process.tasks >= MOST_TASKS:
            process.end()
            return None, answer or Refusal(code="media_too_costly", message="", reason="no answer")
        return process, answer


class _Process:
    """One process; blocking, for a thread."""

    def __init__(self, memory: int) -> None:
        self.tasks = 0
        surroundings = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "core.media.child", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=surroundings,
            start_new_session=True,
        )
        # One that does not come up says nothing of any file.
        if self._line(Deadline.after(START_SECONDS)) != READY:
            self.end()
            raise Unready("Files cannot be looked at: the process for that does not start.", code="media_process_away")

    @property
    def is_there(self) -> bool:
        """Whether it runs."""
        return self._popen.poll() is None

    def answer(self, task: Task) -> Answer | None:
        """The answer, or None where the process ended or was too slow."""
        assert self._popen.stdin is not None
        self.tasks += 1
        try:
            self._popen.stdin.write(msgspec.json.encode(task) + b"\n")
            line = self._line(Deadline.after(task.seconds))
        except OSError:
            return None
        return msgspec.json.decode(line, type=Answer) if line else None

    def _line(self, deadline: Deadline) -> bytes:
        assert self._popen.stdout is not None
        descriptor = self._popen.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        line = bytearray()
        while not line.endswith(b"\n"):
            if not poll.poll(max(0.0, deadline.remaining) * 1000):
                return b""
            piece = os.read(descriptor, 65_536)
            if not piece:
                return b""
            line += piece
        return bytes(line)

    def end(self) -> None:
        """End it, whatever it is at."""
        self._popen.kill()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._popen.wait()


def _end_all(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()


def _refused(refusal: Refusal) -> FingerpostError:
    if refusal.code == "not_found":
        return NotFound("The file is no longer stored.")
    if refusal.reason:
        structlog.get_logger(__name__).warning("media_refused", code=refusal.code, reason=refusal.reason)
    return InvalidUpload(refusal.message or _WORDS[refusal.code], code=refusal.code)
