"""The place of a measurement: durable servers of its own, a team with accounts, and processes around them."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import psycopg
from psycopg import sql

from core.accounts.accounts import Accounts
from core.adapter import Profile
from core.database.migrate import migrate
from core.database.pool import open_pool
from core.embedded.servers import EmbeddedServers
from core.embedded.supervisor import Child, Supervisor
from core.post import Channel
from core.registry import Registry
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.vault import Vault

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 60.0
KEYS = 8
"""How many API keys take turns."""

BOARD = Channel(id="549755885175", name="Bench")


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Whose posts are measured: a team with one account on each platform, and the keys of its organization."""

    organization_id: str
    team_id: str
    keys: list[str]


class Place:
    """Servers, a migrated database and a tenant; every process started here ends with its own `with` block."""

    def __init__(self, folder: Path, servers: EmbeddedServers, supervisor: Supervisor) -> None:
        self.folder = folder
        self.database_url = servers.database_url
        self.redis_url = servers.redis_url
        self._supervisor = supervisor
        self._master_keys = Vault.generate()
        self.vault = Vault.parse(self._master_keys)
        outside = {name: value for name, value in os.environ.items() if not name.startswith("FINGERPOST_")}
        self._environment = outside | {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "FINGERPOST_MASTER_KEYS": self._master_keys,
            # Callers are counted, and none is held up.
            "FINGERPOST_API_CALLS": "10000000",
            "FINGERPOST_STATE": str(folder / "files"),
            **nowhere(),
        }

    def tenant(self, *platforms: str, database_url: str = "") -> Tenant:
        """A new tenant with an account on each platform. The accounts are rows; no platform is asked."""
        return asyncio.run(self._tenant(platforms, database_url or self.database_url))

    def database(self, name: str, *, schema: bool = True) -> str:
        """Another database on the server, with our schema in it or empty; its URL."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        if schema:
            migrate(self.url_of(name))
        return self.url_of(name)

    def url_of(self, database: str) -> str:
        """Where a database of that name is."""
        return urlsplit(self.database_url)._replace(path=f"/{database}").geturl()

    @contextmanager
    def process(
        self,
        name: str,
        *arguments: str,
        listener: socket.socket | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[Child]:
        """A Python module as a process, once it answers at `listener` or has said that it is ready.

        It is given the listening socket by `--fd`, or else a pipe by `--ready-fd`. Stopped by SIGTERM.
        """
        reader, writer = os.pipe()
        own = ["--ready-fd", str(writer)] if listener is None else ["--fd", str(listener.fileno())]
        given = (writer,) if listener is None else (listener.fileno(),)
        child = self._spawn(name, [*arguments, *own], given, settings or {})
        os.close(writer)
        try:
            with os.fdopen(reader) as pipe:
                if listener is not None:
                    self._supervisor.wait_ready(
                        child, lambda: _answers(listener), log=self._log(name), patience_seconds=PATIENCE_SECONDS
                    )
                elif pipe.readline() != "ready\n":
                    raise RuntimeError(f"{name} did not start.")
            yield child
        except Exception as error:
            error.add_note(f"The end of what {name} has logged:\n{self._tail(name)}")
            raise
        finally:
            self._supervisor.stop(child, signal.SIGTERM, PATIENCE_SECONDS)

    def settle(self, database_url: str = "") -> None:
        """Let PostgreSQL take stock of the tables, as its autovacuum does about once a minute.

        What it believes of a table that was empty a moment ago makes poor plans, and tells nothing of later.
        """
        with psycopg.connect(database_url or self.database_url, autocommit=True) as connection:
            connection.execute("vacuum analyze")

    def answer(self, name: str, *arguments: str) -> bytes:
        """What a Python module that has only something to do has written when it is done."""
        output = self.folder / f"{name}.out"
        with output.open("wb") as sink:
            child = self._spawn(name, arguments, (), {}, stdout=sink.fileno())
            self._supervisor.wait_ended(child, log=self._log(name), patience_seconds=10 * PATIENCE_SECONDS)
        return output.read_bytes()

    def _spawn(
        self,
        name: str,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        settings: Mapping[str, str],
        stdout: int | None = None,
    ) -> Child:
        argv = [sys.executable, "-m", *arguments]
        with self._log(name).open("ab") as log:
            return self._supervisor.spawn(
                name,
                argv,
                env={**self._environment, **settings},
                pass_fds=descriptors,
                stdout=log.fileno() if stdout is None else stdout,
                stderr=log.fileno(),
                cwd=ROOT,
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-12:])

    async def _tenant(self, platforms: Sequence[str], database_url: str) -> Tenant:
        async with open_pool(database_url, size=1, name="bench") as pool:
            tenants, accounts = Tenants(pool), Accounts(pool, self.vault)
            api_keys = ApiKeys(pool)
            organization_id = await tenants.create_organization("Bench")
            team = await tenants.create_team(organization_id, "Bench")
            for platform in platforms:
                await accounts.connect(
                    organization_id=organization_id,
                    team_id=team.id,
                    platform=platform,
                    profile=Profile(external_user=f"bench-{team.id}", username="bench", display_name="Bench"),
                    channels=[BOARD],
                    access_token="bench",
                )
            keys = [(await api_keys.create(organization_id, f"bench {n}")).secret for n in range(KEYS)]
            return Tenant(organization_id=str(organization_id), team_id=str(team.id), keys=keys)


@contextmanager
def open_place() -> Iterator[Place]:
    """A place in a temporary folder; servers, processes and files are gone when the block ends."""
    supervisor = Supervisor()
    with (
        tempfile.TemporaryDirectory(prefix="fingerpost-bench-") as folder,
        EmbeddedServers(Path(folder) / "state", durable=True, supervisor=supervisor) as servers,
    ):
        migrate(servers.database_url)
        yield Place(Path(folder), servers, supervisor)


def nowhere() -> dict[str, str]:
    """Settings that lead every platform to a port of this machine where nobody listens: nothing leaves by accident."""
    adapters = Registry.installed().values()
    return {
        f"FINGERPOST_{adapter.platform}_{name.upper()}_URL": "http://127.0.0.1:9"
        for adapter in adapters
        for name in adapter.hosts
    }


def url_of(listener: socket.socket) -> str:
    """The base URL at a listening socket."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _answers(listener: socket.socket) -> bool:
    try:
        httpx.get(f"{url_of(listener)}/health", timeout=PATIENCE_SECONDS, trust_env=False)
    except httpx.TransportError:
        return False
    return True
