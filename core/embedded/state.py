"""The folder where the embedded servers keep what must survive, held by one supervisor at a time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from core.embedded.account import OWN_SERVERS
from core.errors import Misconfigured

ROOT_STATE = Path("/var/lib/fingerpost")
PATIENCE_SECONDS = 60.0
GRACE_SECONDS = 3.0 if sys.platform == "linux" else 0.0


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What was started last from a state: the folder of its sockets, and the pids of its servers."""

    sockets: str
    pids: tuple[int, ...] = ()


def default_state(environ: Mapping[str, str], *, uid: int) -> Path:
    """Where state lives unless told otherwise (XDG Base Directory Specification; for root /var/lib/fingerpost)."""
    if uid == 0:
        return ROOT_STATE
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():  # the specification has relative ones ignored
        return base / "fingerpost"
    home = Path(environ.get("HOME", ""))
    if not home.is_absolute():
        raise Misconfigured("There is no folder to keep state in: set HOME or XDG_STATE_HOME to one.")
    return home / ".local/state/fingerpost"


class Lock:
    """An advisory lock on a file (flock). It lasts until every process that has its descriptor has ended."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self) -> bool:
        """Take it if it is free."""
        import fcntl  # here, because the module does not exist everywhere

        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class State:
    """One state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def folder(self, name: str) -> Path:
        """A place inside."""
        return self.path / name

    @contextmanager
    def held(self) -> Iterator[Lock]:
        """Hold the state; gives the lock that every server has to inherit.

        Two locks, because a supervisor that was killed can be followed at once, but only when its servers
        have ended. Raises Misconfigured while another supervisor holds the state, naming its pid.
        """
        supervisor = self._open("supervisor.lock")
        try:
            if not supervisor.take():
                raise Misconfigured(
                    f"{self.path} is in use by the process {_read_pid(supervisor)}. "
                    "Stop that one first, or choose another state folder."
                )
            os.ftruncate(supervisor.descriptor, 0)
            os.pwrite(supervisor.descriptor, f"{os.getpid()}\n".encode(), 0)
            servers = self._open("servers.lock")
            try:
                self._await_servers(servers)
                yield servers
            finally:
                servers.close()
        finally:
            supervisor.close()

    def read_running(self) -> Running | None:
        """What was started last, if that is known."""
        try:
            return msgspec.json.decode(self.folder("running.json").read_bytes(), type=Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write_running(self, running: Running) -> None:
        """Remember what is about to run, for whoever comes after us."""
        beside = self.folder("running.json.new")
        beside.write_bytes(msgspec.json.encode(running))
        beside.replace(self.folder("running.json"))

    def find_sockets(self) -> Path | None:
        """The folder of the sockets of the servers that run from this state, whoever started them, if any do."""
        running = self.read_running()
        return Path(running.sockets) if running is not None and self._alive() else None

    def forget_running(self) -> None:
        """Nothing runs any more."""
        self.folder("running.json").unlink(missing_ok=True)

    def open_log(self, name: str) -> int:
        """A descriptor to append to a log of this name; one that has grown long becomes `name.old`."""
        path = self.folder(name)
        with suppress(FileNotFoundError):
            if path.stat().st_size > 1_000_000:
                path.replace(path.with_name(f"{name}.old"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _open(self, name: str) -> Lock:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Lock(self.folder(name))
        except OSError as error:
            raise Misconfigured(
                f"The state folder {self.path} cannot be used: {error}. "
                f"Choose one that belongs to the user who starts Fingerpost. Or: {OWN_SERVERS}"
            ) from error

    def _await_servers(self, lock: Lock) -> None:
        """Wait for the servers of a supervisor that was killed; end them if nothing else does."""
        begun = time.monotonic()
        interrupted = False
        while not lock.take():
            waited = time.monotonic() - begun
            if waited > PATIENCE_SECONDS:
                raise Misconfigured(
                    f"Servers of an earlier run still use {self.path}: {self._alive()}. End them first."
                )
            if waited >= GRACE_SECONDS and not interrupted:
                interrupted = True
                for pid in self._alive():
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGINT)
            time.sleep(0.02)

    def _alive(self) -> list[int]:
        """The pids of the servers started last that still run; the sockets they were given tell them."""
        last = self.read_running()
        if last is None:
            return []
        return [pid for pid in last.pids if last.sockets in command_of(pid)]


def command_of(pid: int) -> str:
    """The command line of a process, empty if there is none of that pid."""
    try:
        if Path("/proc/self").is_dir():
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        return listed.stdout.decode(errors="replace")
    except OSError:
        return ""


def _read_pid(lock: Lock) -> str:
    return os.pread(lock.descriptor, 32, 0).decode().strip() or "that is just starting"
