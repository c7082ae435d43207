"""Programs that hold embedded servers, for tests to start, watch and kill."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.embedded.state import Lock, command_of

REPOSITORY = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


class Holder:
    """One run of `holder.py`."""

    def __init__(self, state: Path, *options: str, **env: str) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("holder.py")), str(state), *options],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path]), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        """What it says when the servers are ready, or that they were refused."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait()} and said nothing"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def finish(self) -> int:
        """Have it stop in good order; its exit code."""
        self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode

    def kill(self) -> None:
        """No order at all."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, and fail by its name."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)


def nobody_holds(state: Path) -> bool:
    """Whether no process is left that inherited the lock of the servers."""
    if not (state / "servers.lock").exists():
        return True
    lock = Lock(state / "servers.lock")
    try:
        return lock.take()
    finally:
        lock.close()


def runs(pid: int) -> bool:
    """Whether there is such a process; one that has ended and is not yet reaped is none."""
    return command_of(pid) != ""


def descendants(pid: int) -> list[int]:
    """The processes that this one started, and those that they started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [(int(child), int(parent)) for child, parent in (line.split() for line in listed.splitlines())]
    found = [pid]
    for parent in found:
        found.extend(child for child, above in pairs if above == parent)
    return found[1:]
