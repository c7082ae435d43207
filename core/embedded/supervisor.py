"""Child processes that never outlive us: how they are started, watched and stopped."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from core.embedded.account import Account, cannot_become
from core.embedded.fork import Forked, Lot, fork
from core.errors import Misconfigured

Stream = int | IO[bytes] | None
PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05
DEADLY = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class Child:
    """A process that a Supervisor started. `pid` is also the id of its session and process group."""

    def __init__(self, name: str, process: subprocess.Popen[bytes] | Forked) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        self._process.send_signal(number)

    def wait(self, deadline: float) -> int | None:
        """The exit code, or None if it still runs when `time.monotonic()` reaches the deadline."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(max(deadline - time.monotonic(), 0.0))
        return None

    def kill(self) -> int:
        """End it and all of its process group, at once."""
        # Unreaped, its pid cannot have become somebody else's group.
        if self._process.poll() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # forked this moment, it has no group yet
                self.send(signal.SIGKILL)
        return self._process.wait()


class Supervisor:
    """Starts children in sessions of their own and ends them; on Linux the kernel does it if we are killed.

    Belongs to the main thread: the kernel ends a child when the thread that started it ends.
    """

    def __init__(self) -> None:
        self._running: list[Child] = []

    def spawn(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        user: Account | None = None,
        pass_fds: Collection[int] = (),
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | Path = "/",
    ) -> Child:
        """Start a process; `env` is the whole of its environment, `name` is what people call it.

        If we die without stopping it, it gets SIGINT (Linux). Raises OSError when the program cannot be
        started, and Misconfigured when we may not become `user`.
        """
        _demand_main_thread()
        try:
            process = subprocess.Popen(
                [str(word) for word in argv],
                env=dict(env),
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=[] if user else None,
                pass_fds=tuple(pass_fds),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_tie_to_parent(),
            )
        except OSError as error:
            # The exec itself answers neither of these: they come from becoming somebody else.
            if user is not None and error.errno in (errno.EPERM, errno.EINVAL):
                raise cannot_become(user) from error
            raise
        self._running.append(Child(name, process))
        return self._running[-1]

    def fork(self, name: str, run: Callable[[], object], lot: Lot) -> Child:
        """Start a process that runs `run` with all that we have imported; see `core.embedded.fork` for when it may.

        It ends with the exit code of `run`'s SystemExit, 0 when it returns, and 1 for any other error. If we die
        without stopping it, it gets SIGINT (Linux).
        """
        _demand_main_thread()
        self._running.append(Child(name, fork(run, lot, tie=_tie_to_parent())))
        return self._running[-1]

    @property
    def running(self) -> tuple[Child, ...]:
        """The children that have neither been stopped nor been reported as ended, oldest first."""
        return tuple(self._running)

    def wait_any(self, timeout_seconds: float | None = None) -> Child | None:
        """The next child that ended by itself, each told once; None when the time is up.

        A stopped child is not told. Signal handlers run meanwhile; give a timeout where they only set a flag.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            for child in self._running:
                if child.poll() is not None:
                    self._running.remove(child)
                    return child
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(POLL_SECONDS)

    def wait_ready(
        self, child: Child, ready: Callable[[], bool], *, log: Path | None = None, patience_seconds: float
    ) -> None:
        """Return as soon as `ready()` holds; Misconfigured, with the end of the log, if the child ends first."""
        deadline = time.monotonic() + patience_seconds
        while not ready():
            code = child.poll()
            if code is not None:
                raise Misconfigured(f"{child.name} did not start: it ended with code {code}.{_tail(log)}")
            if time.monotonic() >= deadline:
                raise Misconfigured(f"{child.name} was not ready within {patience_seconds:g} s.{_tail(log)}")
            time.sleep(POLL_SECONDS / 10)

    def wait_ended(self, child: Child, *, log: Path | None = None, patience_seconds: float) -> None:
        """Return when a child that has only something to do has done it; Misconfigured if it failed."""
        code = child.wait(time.monotonic() + patience_seconds)
        if code is None:
            raise Misconfigured(f"{child.name} did not end within {patience_seconds:g} s.{_tail(log)}")
        self._running.remove(child)
        if code != 0:
            raise Misconfigured(f"{child.name} failed with code {code}.{_tail(log)}")

    def stop(self, child: Child, number: signal.Signals, patience_seconds: float) -> int:
        """Stop one child and give its exit code: see `stop_all`."""
        return self.stop_all([child], number, patience_seconds)[0]

    def stop_all(self, children: Sequence[Child], number: signal.Signals, patience_seconds: float) -> list[int]:
        """Ask all to end by a signal, at once; kill the group of each that still runs when patience ends.

        Signals to ourselves are ignored meanwhile: an impatient second Ctrl-C must not leave a half behind.
        """
        with signals_ignored():
            for child in children:
                child.send(number)
            deadline = time.monotonic() + patience_seconds
            codes = []
            for child in children:
                code = child.wait(deadline)
                codes.append(child.kill() if code is None else code)
                if child in self._running:
                    self._running.remove(child)
            return codes


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore the signals that ask us to end, for as long as this lasts (in the main thread; elsewhere nothing)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Not SIG_IGN: Python complains of a signal that came just before it was set.
    before = {number: signal.signal(number, _ignore) for number in _deadly()}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None is a handler that was not set from Python: it cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The handler of a signal that is to have no effect."""


def heed_first_signal() -> None:
    """From now on the first SIGINT, SIGTERM, SIGHUP or SIGQUIT raises KeyboardInterrupt, and later ones do nothing.

    For a program that has to stop its children in order: who loses patience must not interrupt that.
    """

    heeded = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal heeded
        if not heeded:
            heeded = True
            raise KeyboardInterrupt

    for deadly in _deadly():
        signal.signal(deadly, interrupt)


def _deadly() -> list[signal.Signals]:
    """The signals that ask a process to end, as far as this platform has them."""
    return [number for number in signal.Signals if number.name in DEADLY]


def _demand_main_thread() -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children have to be started from the main thread.")


def _tie_to_parent() -> Callable[[], None]:
    """What a child does between fork and exec: ask for SIGINT at our death, and take signals as usual."""
    # Loaded before the fork, where it is safe. It runs after setuid, which would have undone it.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent, deadly = os.getpid(), _deadly()

    def tie() -> None:
        # A shell starts background jobs with SIGINT ignored, and a child would inherit that.
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # we died before the kernel knew of the tie

    return tie


def _tail(log: Path | None, lines: int = 12) -> str:
    """The last lines of a log, to go into an error message."""
    if log is None or not log.exists():
        return ""
    last = log.read_text(errors="replace").splitlines()[-lines:]
    return f" The end of {log}:\n" + "\n".join(f"  {line}" for line in last)
