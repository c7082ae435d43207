"""Everything on this machine: servers from wheels, the API, a worker, a scheduler and the sandboxes."""

import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from core.database.migrate import migrate
from core.embedded.servers import EmbeddedServers
from core.embedded.state import State
from core.embedded.supervisor import Child, Supervisor
from core.errors import Misconfigured
from core.registry import Registry
from core.vault import Vault

READY_SECONDS = 60.0
"""How long our own processes may take until they are ready."""

PATIENCE_SECONDS = 15.0
"""How long they may take to finish what is in hand."""

RESTART_SECONDS = 1.0
"""The pause before a process that ended by itself is started again."""


SANDBOXES = "sandboxes"
"""The name of the process that plays the platforms."""


class Machine:
    """All processes of Fingerpost on this machine, for as long as the `with` block lasts.

    Servers that DATABASE_URL and REDIS_URL name are used; where they are missing, real ones are started from
    wheels in `state`. `port` 0 takes any free one. `say` is told of progress. Enter it in the main thread.
    """

    def __init__(
        self, state: Path, *, host: str, port: int, say: Callable[[str], None], environ: Mapping[str, str] = os.environ
    ) -> None:
        self._state = state
        self._host = host
        self._port = port
        self._say = say
        self._supervisor = Supervisor()
        self._stack = ExitStack()
        self._commands: dict[str, tuple[list[str], tuple[int, ...]]] = {}
        self.environment: dict[str, str] = dict(environ)
        self.api_url = ""
        self.sandboxes: dict[str, str] = {}

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
        """Start again whatever ends by itself, until `stopping()` holds.

        Sandboxes that start again know their first user, whose account has been connected.
        """
        arguments, descriptors = self._commands[SANDBOXES]
        self._commands[SANDBOXES] = ([*arguments, "--users", "1"], descriptors)
        while not stopping():
            ended = self._supervisor.wait_any(0.2)
            if ended is None:
                continue
            self._say(f"{ended.name} ended by itself; starting it again (its log is in {self.logs})")
            time.sleep(RESTART_SECONDS)
            if self._servers is not None and self._servers.owns(ended):
                self._servers.revive(ended)
            else:
                self._spawn(ended.name)

    def _start(self) -> None:
        self._servers = self._open_servers()
        self._settle_environment()
        self._say("bringing the schema up to date")
        migrate(self.environment["DATABASE_URL"])
        registry = Registry.installed()
        for name, reason in registry.broken.items():
            self._say(f"the plug-in {name} is broken: {reason}")
        api, self.api_url = self._listen(self._port)
        self._commands["serve"] = (["serve", "--fd", str(api)], (api,))
        self.environment.setdefault("FINGERPOST_PUBLIC_URL", self.api_url)
        # A first post is made of examples: a platform that gives none has no part in it.
        sandboxes = {name: kind for name, kind in registry.sandboxes().items() if registry[name].example("", "")}
        places: list[int] = []
        for number, platform in enumerate(sorted(sandboxes), start=1):
            place, url = self._listen(self._port and self._port + number, fallback=True)
            self.sandboxes[platform] = url
            places.append(place)
            for host in registry[platform].hosts:
                self.environment.setdefault(f"FINGERPOST_{platform}_{host.upper()}_URL", url)
            if (app := sandboxes[platform].app) is not None:
                self.environment.setdefault(f"FINGERPOST_{platform}_CLIENT_ID", app[0])
                self.environment.setdefault(f"FINGERPOST_{platform}_CLIENT_SECRET", app[1])
        handed = [word for place in places for word in ("--fd", str(place))]
        self._commands[SANDBOXES] = (["sandbox", *self.sandboxes, *handed], tuple(places))
        self._commands["schedule"] = (["schedule"], ())
        self._commands["work"] = (["work"], ())
        self._say("starting the API, a scheduler, a worker and the sandboxes")
        for name in self._commands:
            self._spawn(name)
        self._wait_ready()

    def _open_servers(self) -> EmbeddedServers | None:
        if self.environment.get("DATABASE_URL") and self.environment.get("REDIS_URL"):
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            return None
        self._say("starting PostgreSQL and Valkey")
        servers = self._stack.enter_context(EmbeddedServers(self._state, supervisor=self._supervisor))
        self.environment |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        return servers

    def _settle_environment(self) -> None:
        given = self.environment
        given["FINGERPOST_STATE"] = str(self._state)
        # A newcomer's own machine may receive webhooks and serve pictures.
        given.setdefault("FINGERPOST_ALLOW_URLS", "loopback")
        if not given.get("FINGERPOST_MASTER_KEYS") and not given.get("FINGERPOST_MASTER_KEYS_FILE"):
            given["FINGERPOST_MASTER_KEYS"] = kept_secret(self._state / "master.keys", Vault.generate)
        self.logs.mkdir(mode=0o700, exist_ok=True)

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

    def _spawn(self, name: str, ready: int | None = None) -> Child:
        arguments, descriptors = self._commands[name]
        log = State(self.logs).open_log(f"{name}.log")
        argv = [sys.executable, "-m", "server.cli", *arguments]
        try:
            return self._supervisor.spawn(
                name, argv, env=self.environment, pass_fds=descriptors, stdout=log, stderr=log
            )
        finally:
            os.close(log)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for name, url in {"the API": f"{self.api_url}/health", **self._sandbox_checks()}.items():
            while not _answers(url):
                if ended := self._supervisor.wait_any(0.02):
                    raise Misconfigured(f"{ended.name} did not start: {_last_line(self.logs / f'{ended.name}.log')}")
                if time.monotonic() > deadline:
                    raise Misconfigured(f"{name} was not ready in time; look into {self.logs}.")

    def _sandbox_checks(self) -> Mapping[str, str]:
        return {f"the {platform} sandbox": f"{url}/_sandbox/faults" for platform, url in self.sandboxes.items()}

    def _stop(self) -> None:
        ours = [child for child in self._supervisor.running if child.name in self._commands]
        self._supervisor.stop_all(ours, signal.SIGTERM, PATIENCE_SECONDS)
        self._stack.close()


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in a file that only we may read; made the first time."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(make())
        draft.replace(path)
    return path.read_text().strip()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:500] if lines else "it wrote nothing"
