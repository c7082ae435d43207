"""Processes as /proc shows them: who descends from whom, and who is left when something has ended."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 180.0


class Process(NamedTuple):
    """A process; its pid alone might be given again, its pid and the time of its start never are."""

    pid: int
    started: int

    @property
    def command(self) -> str:
        """Its command line; empty when it has ended."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""

    @property
    def alive(self) -> bool:
        """Whether it runs; one that has ended and waits for its parent's notice does not."""
        facts = _facts(self.pid)
        return facts is not None and facts.process == self and facts.state not in "ZX"


class _Facts(NamedTuple):
    process: Process
    parent: int
    state: str


def _facts(pid: int) -> _Facts | None:
    """The line of proc_pid_stat(5): what follows the name, which may itself hold brackets and spaces."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Facts(Process(pid, int(fields[19])), int(fields[1]), fields[0])


def _all() -> Iterator[_Facts]:
    for name in os.listdir("/proc"):
        if name.isdigit() and (facts := _facts(int(name))) is not None:
            yield facts


def descendants(pid: int) -> set[Process]:
    """What a process started, and what those started."""
    everyone = list(_all())
    found: set[Process] = set()
    parents = {pid}
    while parents:
        children = {facts.process for facts in everyone if facts.parent in parents} - found
        found |= children
        parents = {child.pid for child in children}
    return found


def children(pid: int) -> set[Process]:
    """What a process started itself."""
    return {facts.process for facts in _all() if facts.parent == pid}


def in_use(folder: Path) -> set[Process]:
    """The processes, other than this one, that name a folder in their command line or their environment.

    Those that have a file of it open count as well.
    """
    wanted = os.fsencode(folder)
    found = set()
    for facts in _all():
        here = Path(f"/proc/{facts.process.pid}")
        named = any(wanted in text for text in _texts(here))
        if named and facts.process.pid != os.getpid() and facts.process.alive:
            found.add(facts.process)
    return found


def _texts(process: Path) -> Iterator[bytes]:
    for part in ("cmdline", "environ"):
        with suppress(OSError):
            yield (process / part).read_bytes()
    with suppress(OSError):
        yield from map(os.fsencode, open_files(int(process.name)))


def open_files(pid: int) -> list[str]:
    """The paths of the files that a process has open. Raises OSError where there is no such process."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(os.readlink(link))
    return found


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, and fail by its name."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)
