"""Everything on this machine: servers from wheels, the API, a worker, a scheduler and the sandboxes."""

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from core.database.migrate import migrate
from core.embedded.servers import EmbeddedServers
from core.embedded.supervisor import Supervisor
from core.errors import Misconfigured
from core.startup import settling
from server.cli.parts import Part, Parts

if TYPE_CHECKING:
    from server.cli.newcomer import Newcomer
    from server.cli.plan import Plan

READY_SECONDS = 60.0
"""How long our own processes may take until they are ready."""

PATIENCE_SECONDS = 15.0
"""How long they may take to finish what is in hand."""

RESTART_SECONDS = 1.0
"""The pause before a process that ended by itself is started again."""


class Machine:
    """All processes of Fingerpost on this machine, for as long as the `with` block lasts.

    Servers that DATABASE_URL and REDIS_URL name are used; where they are missing, real ones are started from
    wheels in `state`. `port` 0 takes any free one. `say` is told of progress. Enter it in the main thread; while that
    is the only one, it starts in half the time.

    In the block everything answers, and `newcomer` has what a first request needs.
    """

    newcomer: "Newcomer"
    plan: "Plan"

    def __init__(
        self, state: Path, *, host: str, port: int, say: Callable[[str], None], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._state = state
        self._host = host
        self._port = port
        self._say = say
        self._environ = environ
        self._supervisor = Supervisor()
        self._stack = ExitStack()
        self._parts = Parts(self._supervisor, self.logs)

    def __enter__(self) -> Self:
        try:
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
    def logs(self) -> Path:
        """Where the processes write their logs."""
        return self._state / "logs"

    def watch(self, stopping: Callable[[], bool]) -> None:
        """Start again whatever ends by itself, until `stopping()` holds."""
        while not stopping():
            ended = self._supervisor.wait_any(0.2)
            if ended is None:
                continue
            self._say(f"{ended.name} ended by itself; starting it again (its log is in {self.logs})")
            time.sleep(RESTART_SECONDS)
            if self._servers is not None and self._servers.owns(ended):
                self._servers.revive(ended)
            else:
                self._parts.begin_again(ended.name)

    def _start(self) -> None:
        self._servers = self._open_servers()
        self._say("bringing the schema up to date")
        migrate(self.plan.environment["DATABASE_URL"])
        for name, reason in self.plan.registry.broken.items():
            self._say(f"the plug-in {name} is broken: {reason}")
        self._say("starting the API, a scheduler, a worker and the sandboxes")
        telling = self._parts.begin({"serve": self._api, **self.plan.parts}, self.plan.environment)
        deadline = time.monotonic() + READY_SECONDS
        for platform, url in self.plan.sandboxes.items():
            self._await(f"the {platform} sandbox", partial(_answers, f"{url}/_sandbox/faults"), deadline)
        self.newcomer = self._meet(self.plan)
        self._await("the API", partial(_answers, f"{self._api_url}/health"), deadline)
        for name, told in telling.items():
            self._await(name, told, deadline)

    def _open_servers(self) -> EmbeddedServers | None:
        if self._environ.get("DATABASE_URL") and self._environ.get("REDIS_URL"):
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._prepare()
            return None
        self._say("starting PostgreSQL and Valkey")
        servers = EmbeddedServers(self._state, supervisor=self._supervisor, meanwhile=self._prepare)
        self._stack.enter_context(servers)
        self.plan.environment.update(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)
        return servers

    def _prepare(self) -> None:
        """Make ready what can be while the servers start; the API takes longest."""
        with settling():
            # Not sooner, as it brings most of what our processes have in common.
            from server.cli import newcomer, plan

        api, self._api_url = self._listen(self._port)
        self._api = Part(arguments=["serve", "--fd", str(api)], sockets=[api])
        self._parts.warm("serve", self._api)
        with settling():
            self.plan = plan.made(
                self._state, self._port, api_url=self._api_url, listen=self._listen, environ=self._environ
            )
        self._meet = partial(newcomer.met, self._state, self._api_url)

    def _listen(self, port: int, *, fallback: bool = False) -> tuple[int, str]:
        """A listening socket that children inherit, so that a restart loses no connection; and its URL."""
        listener = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, port))
        except OSError as error:
            if not fallback:
                raise Misconfigured(f"Port {port} is taken ({error.strerror}); choose another with --port.") from None
            listener.bind((self._host, 0))
        listener.listen(1024)
        return listener.fileno(), f"http://{self._host}:{listener.getsockname()[1]}"

    def _await(self, what: str, ready: Callable[[], bool], deadline: float) -> None:
        while not ready():
            if ended := self._supervisor.wait_any(0.02):
                raise Misconfigured(f"{ended.name} did not start: {_last_line(self.logs / f'{ended.name}.log')}")
            if time.monotonic() > deadline:
                raise Misconfigured(f"{what} was not ready in time; look into {self.logs}.")

    def _stop(self) -> None:
        self._supervisor.stop_all(self._parts.running, signal.SIGTERM, PATIENCE_SECONDS)
        self._parts.close()
        self._stack.close()


def _answers(url: str) -> bool:
    """Whether a server answers with success; it is waited for a little."""
    place = urlsplit(url)
    # Not httpx, which reads certificates before it calls anybody.
    connection = HTTPConnection(place.netloc, timeout=2.0)
    try:
        connection.request("GET", place.path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "it wrote nothing"
