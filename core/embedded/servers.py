"""PostgreSQL and Valkey on this machine, for whoever has none: two URLs, and nothing left behind."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from core.embedded.account import server_account
from core.embedded.binaries import find_programs
from core.embedded.postgres import Postgres, database_url
from core.embedded.site import Site
from core.embedded.sockets import socket_folder
from core.embedded.state import Running, State
from core.embedded.supervisor import Child, Supervisor, signals_ignored
from core.embedded.valkey import Valkey, redis_url
from core.errors import Misconfigured

STOP_SECONDS = 60.0
REVIVE_SECONDS = 60.0
RETRY_SECONDS = 0.2


class EmbeddedServers:
    """Both servers, for as long as the `with` block lasts; their data stays in the state folder.

    Enter it in the main thread. `durable=False` is for tests: faster, and a power cut may lose everything.
    `meanwhile` is done while they start. Raises Misconfigured on entry where the servers cannot run here, or not on
    this state.
    """

    database_url: str
    redis_url: str
    _site: Site

    def __init__(
        self,
        state: Path,
        *,
        durable: bool = True,
        supervisor: Supervisor | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self._state = State(state)
        self._durable = durable
        self._meanwhile = meanwhile
        self._supervisor = supervisor or Supervisor()
        self._stack = ExitStack()
        self._servers: dict[str, Postgres | Valkey] = {}
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        try:
            self._site = self._open_site()
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """The pids of the servers."""
        return tuple(child.pid for child in self._children)

    def owns(self, child: Child) -> bool:
        """Whether a child that `Supervisor.wait_any` told of is one of the servers."""
        return child in self._children

    def revive(self, child: Child) -> None:
        """Start a server that ended by itself again, at the same URL, and wait until it is ready.

        PostgreSQL refuses while a query of the dead one still runs, and is asked again for a minute.
        """
        server = self._servers[child.name]
        deadline = time.monotonic() + REVIVE_SECONDS
        while True:
            self._children.remove(child)
            child = self._launch(server)
            try:
                server.wait_ready(child)
            except Misconfigured:
                self._supervisor.stop(child, signal.SIGINT, STOP_SECONDS)
                if time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return

    def _open_site(self) -> Site:
        account = server_account()
        lock = self._stack.enter_context(self._state.held())
        folder = socket_folder(self._state, account, Postgres.name, Valkey.name)
        return Site(
            state=self._state,
            lock=lock,
            sockets=self._stack.enter_context(folder),
            programs=find_programs(account),
            account=account,
            supervisor=self._supervisor,
        )

    def _start(self) -> None:
        postgres, valkey = Postgres(self._site, durable=self._durable), Valkey(self._site)
        self._servers = {server.name: server for server in (valkey, postgres)}
        started = []
        for server in self._servers.values():
            server.prepare()
            started.append((server, self._launch(server)))
        self._meanwhile()
        for server, child in started:
            server.wait_ready(child)
        self.database_url, self.redis_url = _urls(self._site.sockets)

    def _launch(self, server: Postgres | Valkey) -> Child:
        child = server.start()
        self._children.append(child)
        self._state.write_running(Running(sockets=str(self._site.sockets), pids=self.pids))
        return child

    def _stop(self) -> None:
        with signals_ignored():
            self._supervisor.stop_all(self._children, signal.SIGINT, STOP_SECONDS)
            self._children.clear()
            self._stack.close()


def find_running(state: Path) -> tuple[str, str] | None:
    """The URLs of the database and of Redis that another process keeps running from this state, if one does."""
    sockets = State(state).find_sockets()
    return None if sockets is None else _urls(sockets)


def _urls(sockets: Path) -> tuple[str, str]:
    return database_url(sockets), redis_url(sockets)
