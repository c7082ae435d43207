"""The embedded PostgreSQL: made once, started on a private Unix socket, ready when it says so."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from core.embedded.account import OWN_SERVERS, give
from core.embedded.site import Site
from core.embedded.state import command_of
from core.embedded.supervisor import Child
from core.errors import Misconfigured

DATABASE = "fingerpost"
PORT = "5432"
INITDB = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
)
SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "max_connections": "60",
    "shared_buffers": "64MB",
    "io_method": "sync",
    # A container's /dev/shm is often too small for the default.
    "dynamic_shared_memory_type": "mmap",
    "log_checkpoints": "off",
    "logging_collector": "off",
}
FOR_TESTS = {"fsync": "off", "full_page_writes": "off"}
READY_SECONDS = 300.0
"""Recovery after a crash may take minutes; it ends by itself."""
INITDB_SECONDS = 120.0


class Postgres:
    """One PostgreSQL cluster on a site."""

    name = "postgres"

    def __init__(self, site: Site, *, durable: bool) -> None:
        self._site = site
        self._durable = durable
        self._data = site.state.folder("postgres")
        self._making = site.state.folder("postgres.making")
        self._log = site.log(self.name)

    def prepare(self) -> None:
        """Make the cluster if there is none; Misconfigured if the one that is there cannot be used."""
        shutil.rmtree(self._making, ignore_errors=True)
        if self._data.exists():
            self._check_usable()
            self._remove_stale_pid_file()
        else:
            self._make()

    def start(self) -> Child:
        """Start the server; it is not ready yet."""
        settings = SETTINGS | {"unix_socket_directories": str(self._site.sockets / self.name)}
        if not self._durable:
            settings |= FOR_TESTS
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self._site.spawn(self.name, self._site.programs.postgres, self._data, ["-D", "{folder}", *options])

    def wait_ready(self, child: Child) -> None:
        """Wait until it takes connections, and see to it that our database exists."""
        self._site.supervisor.wait_ready(
            child, lambda: self._is_ready(child.pid), log=self._log, patience_seconds=READY_SECONDS
        )
        with psycopg.connect(database_url(self._site.sockets, "postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _make(self) -> None:
        """Initialise beside the final place and move it there when it is on disk: whole or not at all."""
        self._making.mkdir(mode=0o700)
        give(self._making, self._site.account)
        self._initdb(*INITDB)
        if self._durable:
            self._initdb("--sync-only")
        self._making.rename(self._data)
        _sync_folder(self._site.state.path)

    def _initdb(self, *options: str) -> None:
        supervisor = self._site.supervisor
        child = self._site.spawn("initdb", self._site.programs.initdb, self._making, ["-D", "{folder}", *options])
        try:
            supervisor.wait_ended(child, log=self._site.log("initdb"), patience_seconds=INITDB_SECONDS)
        except BaseException:
            supervisor.stop(child, signal.SIGINT, patience_seconds=5)
            raise

    def _is_ready(self, pid: int) -> bool:
        """Whether the server of this pid has written that it is ready (PostgreSQL's `postmaster.pid`, line 8)."""
        lines = _read_lines(self._data / "postmaster.pid")
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _check_usable(self) -> None:
        made_by = (_read_lines(self._data / "PG_VERSION") or ["?"])[0]
        ours = _major(self._site.programs.postgres)
        if made_by != ours:
            raise Misconfigured(
                f"The database in {self._data} was made by PostgreSQL {made_by}, and this installation brings "
                f"PostgreSQL {ours}, which cannot open it. Dump it with the installation that made it and load the "
                f"dump into an empty state folder. Or: {OWN_SERVERS}"
            )
        owner, wanted = self._data.stat().st_uid, self._site.account.uid if self._site.account else os.geteuid()
        if owner != wanted:
            raise Misconfigured(
                f"The database in {self._data} belongs to the user with the id {owner}, not {wanted}. Start "
                f"Fingerpost as the user who made it, or choose another state folder. Or: {OWN_SERVERS}"
            )

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a server that was killed.

        PostgreSQL refuses to start while any process has the pid in it, as happens in a container, where the
        same few pids come again. We hold the lock that each of its processes inherits, so none of them is left;
        only a server that somebody started by hand has to be left alone.
        """
        path = self._data / "postmaster.pid"
        lines = _read_lines(path)
        if lines and not (lines[0].isdigit() and _works_in(int(lines[0]), self._data)):
            path.unlink()


def database_url(sockets: Path, database: str = DATABASE) -> str:
    """How to reach a database of the server whose socket is below this folder, as libpq's connection URI."""
    folder = quote(str(sockets / Postgres.name), safe="/")
    return f"postgresql://postgres@/{database}?host={folder}&port={PORT}"


def _major(program: Path) -> str:
    """The major version of a `postgres` program, such as "18"."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise Misconfigured(f"{program} does not run on this machine: {shown.stderr.strip()} {OWN_SERVERS}")
    return shown.stdout.split()[-1].partition(".")[0]


def _works_in(pid: int, data: Path) -> bool:
    """Whether the process is a PostgreSQL on this data: they all change into its folder."""
    if not Path("/proc/self").is_dir():
        return "postgres" in command_of(pid)
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except OSError:  # gone, or another user's, who could not have opened the data
        return False


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except FileNotFoundError:
        return []


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
