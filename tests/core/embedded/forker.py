"""A program that forks children, for tests: one thing at a time, of which it says what came of it."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.embedded.fork import Lot, may_fork
from core.embedded.state import State
from core.embedded.supervisor import Child, Supervisor

PATIENCE_SECONDS = 30.0


class Forker:
    """A supervisor, and the log of the children that it forks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "child.log"
        self.supervisor = Supervisor()

    def fork(self, run: Callable[[], object], *pass_fds: int, **env: str) -> Child:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        lot = Lot(title=["fingerpost", "a child"], env=env, log=log, pass_fds=pass_fds)
        try:
            return self.supervisor.fork("child", run, lot)
        finally:
            os.close(log)

    def ended(self, child: Child) -> int | None:
        return child.wait(time.monotonic() + PATIENCE_SECONDS)


def code(forker: Forker, run: Callable[[], object]) -> object:
    return forker.ended(forker.fork(run))


def returns(forker: Forker) -> object:
    return code(forker, lambda: None)


def leaves(forker: Forker) -> object:
    return code(forker, lambda: sys.exit(3))


def leaves_with_words(forker: Forker) -> object:
    return code(forker, lambda: sys.exit("words"))


def fails(forker: Forker) -> object:
    def fail() -> None:
        raise ValueError("planted")

    return code(forker, fail), forker.log.read_text()


def surroundings(forker: Forker) -> object:
    """What a child finds, where its parent has a lock, a listening socket that it hands on and one that it keeps."""
    os.environ["OURS"] = "alone"
    with State(forker.folder / "state").held(), socket.create_server(("127.0.0.1", 0)) as kept, kept.dup() as handed:

        def look() -> None:
            names = os.listdir("/proc/self/fd")
            targets = {
                name: os.readlink(f"/proc/self/fd/{name}") for name in names if os.path.exists(f"/proc/self/fd/{name}")
            }
            found = {
                "env": dict(os.environ),
                "cwd": os.getcwd(),
                "leads": os.getsid(0) == os.getpid(),
                "title": Path("/proc/self/cmdline").read_bytes().decode().strip("\0"),
                "files": {name: target for name, target in targets.items() if not target.startswith("/proc/")},
                "threads": threading.active_count(),
            }
            print(json.dumps(found))

        assert forker.ended(forker.fork(look, handed.fileno(), GIVEN="this")) == 0
        return json.loads(forker.log.read_text()), handed.fileno()


def signalled(forker: Forker) -> object:
    """How a child ends that is told to, where its parent has a handler of its own for that."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    child = forker.fork(lambda: time.sleep(PATIENCE_SECONDS))
    child.send(signal.SIGTERM)
    return forker.ended(child)


def killed(forker: Forker) -> object:
    """How one ends that heeds nothing; its patience is over before it has begun."""

    def heed_nothing() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(PATIENCE_SECONDS)

    return forker.supervisor.stop(forker.fork(heed_nothing), signal.SIGWINCH, 0.0)


def told_once(forker: Forker) -> object:
    child = forker.fork(lambda: sys.exit(5))
    found = forker.supervisor.wait_any(PATIENCE_SECONDS)
    return found is child, child.poll(), forker.supervisor.wait_any(0) is None


def threads(forker: Forker) -> object:
    """Whether it may fork: alone, and beside another thread."""
    alone, over = may_fork(), threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    beside = may_fork()
    over.set()
    other.join()
    return alone, beside


def orphaned(forker: Forker) -> object:
    """Says the pid of a child that sleeps, and waits to be killed."""

    def sleep() -> None:
        try:
            print("sleeping", flush=True)
            time.sleep(PATIENCE_SECONDS)
        except KeyboardInterrupt:
            print("interrupted")

    print(json.dumps(forker.fork(sleep).pid), flush=True)
    time.sleep(PATIENCE_SECONDS)
    return None


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Forker(Path(sys.argv[2])))))
