"""A child made by a fork: how it becomes a process of its own, with what its parent has imported."""

import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from setproctitle import setproctitle

POLL_SECONDS = 0.01


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is given: the command line that it shows, the whole of its environment, and its open files."""

    title: Sequence[str]
    env: Mapping[str, str]
    log: int
    pass_fds: Collection[int] = ()


class Forked:
    """The process behind a fork, with those of `subprocess.Popen`'s methods that a supervisor needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises `subprocess.TimeoutExpired` while it runs on."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def may_fork() -> bool:
    """Whether a fork of this process is whole: on Linux, while it has no thread but this one.

    A lock that another thread holds would stay locked in the child for ever; and macOS has libraries that do not
    survive it at all.
    """
    if sys.platform != "linux":
        return False
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False  # nobody can say


def fork(run: Callable[[], object], lot: Lot, *, tie: Callable[[], None]) -> Forked:
    """Start a child that calls `tie`, then `run`, and ends with the exit code that this gives.

    It is in a session of its own and has of our open files only those in its lot, so that no lock of ours outlives
    us in it. The caller's frames, and what they hold, stay untouched in it: it ends without going back to them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with _signals_held():
        pid = os.fork()
        if pid == 0:
            _live(run, lot, tie)
    return Forked(pid)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back, lest a handler of ours takes one in the child that is meant to end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(run: Callable[[], object], lot: Lot, tie: Callable[[], None]) -> None:
    code = 1
    try:
        os.setsid()
        # Before the environment changes, in whose memory a long title is written.
        setproctitle(" ".join(lot.title))
        _take(lot)
        # As a Python of its own would have it; whatever has come meanwhile takes effect with the tie.
        tie()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - nothing may get back into the frames of the parent
        traceback.print_exc()
    finally:
        try:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _take(lot: Lot) -> None:
    """Have the lot's files, folder and environment, and no other."""
    kept = {0, 1, 2, *lot.pass_fds}
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(lot.log, 1)
    os.dup2(lot.log, 2)
    for name in os.listdir("/proc/self/fd"):
        if (descriptor := int(name)) not in kept:
            _close(descriptor)
    os.chdir(Path("/"))
    os.environ.clear()
    os.environ.update(lot.env)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return  # the one by which the folder was read
