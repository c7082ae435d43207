"""A real server on a real socket, with two organizations, and an account with boards for the first of them."""

import asyncio
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest
import uvicorn
from litestar import Litestar
from PIL import Image

from core.accounts.accounts import Accounts
from core.adapter import Profile
from core.database.pool import open_pool
from core.post import Channel
from core.registry import Registry
from core.settings import Settings
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.vault import Vault
from server.app import create_app
from server.serve import bound
from tests.conftest import Servers, new_database

START_SECONDS = 20.0


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """An organization with one team, and the secret of a key."""

    organization_id: UUID
    team_id: UUID
    key_id: UUID
    secret: str


class House(msgspec.Struct, frozen=True, kw_only=True):
    """The running server and who lives in it."""

    url: str
    database_url: str
    owner: Tenant
    stranger: Tenant
    account_id: UUID
    settings: Settings

    def client(self, secret: str | None = "", **options: Any) -> httpx.Client:
        """A client with the owner's key, another, or none."""
        key = self.owner.secret if secret == "" else secret
        headers = {"x-api-key": key} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **options)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(f"select count(*) from {table}").fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def running(app: Litestar, listener: socket.socket | None = None) -> Iterator[str]:
    """The application on a socket, one of its own unless it is given, in a thread; its URL."""
    listener = listener or bound("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="on", log_config=None, access_log=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server ended while it started"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        assert not thread.is_alive(), "the server does not stop"


async def settle(settings: Settings, account: Profile) -> tuple[Tenant, Tenant, UUID]:
    """Two organizations in the database, and an account for the first."""
    owner, stranger = await tenants_of(settings)
    channels = [Channel(id="4711", name="Recipes"), Channel(id="4712", name="Garden")]
    return owner, stranger, await connect(settings, owner, account, channels, "pina_secret")


async def tenants_of(settings: Settings) -> tuple[Tenant, Tenant]:
    """Two organizations in the database."""
    async with open_pool(settings.database_url, size=2, name="tests") as pool:
        tenants = Tenants(pool)
        owner, stranger = [await _tenant(tenants, ApiKeys(pool), name) for name in ("owner", "stranger")]
    return owner, stranger


async def connect(
    settings: Settings, tenant: Tenant, profile: Profile, channels: Sequence[Channel], token: str
) -> UUID:
    """An account of a tenant's team."""
    async with open_pool(settings.database_url, size=2, name="tests") as pool:
        return await Accounts(pool, Vault.parse(settings.master_keys)).connect(
            organization_id=tenant.organization_id,
            team_id=tenant.team_id,
            platform="PINTEREST",
            profile=profile,
            channels=channels,
            access_token=token,
        )


async def _tenant(tenants: Tenants, api_keys: ApiKeys, name: str) -> Tenant:
    organization_id = await tenants.create_organization(name)
    team = await tenants.create_team(organization_id, "team")
    key = await api_keys.create(organization_id, "key")
    return Tenant(organization_id=organization_id, team_id=team.id, key_id=key.id, secret=key.secret)


def settings_for(database_url: str, redis_url: str, state: Path) -> Settings:
    """Settings of a server of a test's own."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        master_keys=Vault.generate(),
        state=str(state),
        allow_urls="loopback",
        api_calls=0,
    )


COOK = Profile(external_user="123", username="cook", display_name="The Cook")


@contextmanager
def opened(database_url: str, redis_url: str, folder: Path) -> Iterator[House]:
    """A server over a migrated database that has nothing in it yet."""
    settings = settings_for(database_url, redis_url, folder)
    owner, stranger, account_id = asyncio.run(settle(settings, COOK))
    with running(create_app(settings, Registry.installed())) as url:
        yield House(
            url=url,
            database_url=database_url,
            owner=owner,
            stranger=stranger,
            account_id=account_id,
            settings=settings,
        )


@pytest.fixture(scope="session")
def shared_house(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for all tests that leave nothing behind, or do not care what others have left."""
    with (
        new_database(servers.database_url, template=template) as url,
        opened(url, servers.redis_url, tmp_path_factory.mktemp("house")) as house,
    ):
        yield house


@pytest.fixture(scope="module")
def module_house(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for the tests of a module, which may change whose teams there are."""
    with (
        new_database(servers.database_url, template=template) as url,
        opened(url, servers.redis_url, tmp_path_factory.mktemp("house")) as house,
    ):
        yield house


@pytest.fixture
def house(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[House]:
    """A server over a fresh database."""
    with opened(database_url, redis_url, tmp_path) as house:
        yield house


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    """A client with the owner's key."""
    with house.client() as client:
        yield client


def picture(colour: str = "red", size: tuple[int, int] = (600, 900), kind: str = "PNG") -> bytes:
    """A small image file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def pin_of(house: House, block: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The request of a Pin that is sound, but for what a test changes; `block` changes the block."""
    whole = {"boardId": "4711", "text": "A title", "mediaUrls": ["https://example.com/p.jpg"], **(block or {})}
    return {
        "teamId": str(house.owner.team_id),
        "title": "A Pin",
        "postDate": "2030-01-02T03:04:05.678Z",
        "status": "SCHEDULED",
        "socialAccountTypes": ["PINTEREST"],
        "data": {"PINTEREST": {name: value for name, value in whole.items() if value is not None}},
        **changes,
    }


@pytest.fixture
def pin(house: House) -> Callable[..., dict[str, Any]]:
    """`pin_of` this test's house."""
    return partial(pin_of, house)
