"""A real PostgreSQL and a real Redis for every test that asks: embedded ones, or those the environment names."""

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
import redis
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from core.database.migrate import migrate
from core.database.pool import open_pool
from core.embedded.servers import EmbeddedServers
from tests.judge import judge, judged

__all__ = ["judge", "judged"]

# How long an example takes says something of the machine, not of the program.
hypothesis.settings.register_profile(
    "fingerpost", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("fingerpost")

SLOW = (
    *("server/cli/test_up.py", "chaos/test_model.py", "server/test_examples.py", "chaos/test_outages.py"),
    *("server/cli/test_own_servers.py", "workers/test_processes.py", "chaos/test_long_outage.py", "test_secrets.py"),
    *("chaos/test_freezes.py", "docs/test_first_adapter.py", "workers/test_tokens.py", "server/cli/test_plugins.py"),
)
"""The files that take longest, which begin first: where several processes test, none is left with one of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files in front."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(SLOW))


OWN_DATABASE = "FINGERPOST_TEST_DATABASE_URL"
OWN_REDIS = "FINGERPOST_TEST_REDIS_URL"
REDIS_NUMBER = 15


class Servers(NamedTuple):
    database_url: str
    redis_url: str


def roomy_memory() -> Path | None:
    """A folder in memory, where hundreds of small databases are made far sooner than on a disk; if there is room."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < 4 << 30:
        return None
    return memory


@contextmanager
def new_database(server_url: str, *, template: str = "template1") -> Iterator[str]:
    """A database on the server, copied from another one; dropped in the end, whoever may still use it."""
    name = f"test_{uuid.uuid4().hex}"
    copy = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(copy.format(Identifier(name), Identifier(template)))
    try:
        parts = urlsplit(server_url)
        yield f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}"
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Both servers, for the whole session; what stands in them at the start is nobody's business."""
    database, redis_ = os.environ.get(OWN_DATABASE), os.environ.get(OWN_REDIS)
    if database and redis_:
        yield Servers(database, redis_)
        return
    # The end of a time limit is an end like any other: clean up.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="fingerpost-tests-", dir=roomy_memory()) as state,
        EmbeddedServers(Path(state), durable=False) as embedded,
    ):
        yield Servers(database or embedded.database_url, redis_ or embedded.redis_url)


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    """The name of a migrated database that is copied for each test."""
    with new_database(servers.database_url) as url:
        migrate(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database_url(servers: Servers, template: str) -> Iterator[str]:
    """A fresh, migrated database of the test's own."""
    with new_database(servers.database_url, template=template) as url:
        yield url


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """A fresh database of the test's own with nothing in it."""
    with new_database(servers.database_url) as url:
        yield url


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """An empty Redis database. It is the same one for every test: nothing may outlive its test."""
    url = f"{servers.redis_url}{'&' if '?' in servers.redis_url else '?'}db={REDIS_NUMBER}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    """Connections to the test's own database."""
    async with open_pool(database_url, size=8, name="tests") as opened:
        yield opened
