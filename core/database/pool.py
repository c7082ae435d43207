"""Connections to PostgreSQL: how they are opened, what each of them is set to, and when one is still good."""

import select
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from core.errors import Misconfigured

DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 10,
    # A host that vanished without a word is noticed after half a minute (libpq, TCP only).
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
SETTINGS: LiteralString = """
SELECT set_config('TimeZone', 'UTC', false),
       set_config('statement_timeout', '60s', false),
       set_config('idle_in_transaction_session_timeout', '60s', false)
"""


@asynccontextmanager
async def open_pool(
    url: str, *, size: int, name: str, patience_seconds: float = 30.0, autocommit: bool = False
) -> AsyncIterator[AsyncConnectionPool]:
    """A pool of up to `size` connections, for as long as the `async with` block lasts.

    `name` is what PostgreSQL shows as `application_name`. Connections are in UTC, not in autocommit unless it is asked
    for, and their JSON goes through msgspec. A connection that PostgreSQL has closed meanwhile is replaced at checkout.
    Raises Misconfigured if there is no connection within the patience; later checkouts raise PoolTimeout then.
    """
    pool: AsyncConnectionPool = AsyncConnectionPool(
        conninfo(url, name=name),
        min_size=1,
        max_size=size,
        open=False,
        name=name,
        kwargs={"autocommit": autocommit},
        timeout=patience_seconds,
        configure=_configure,
        check=_check,
    )
    # There is no public switch for the order. The package takes from the left and puts back on the right.
    assert type(pool._pool) is deque
    pool._pool = _Stack()
    try:
        await pool.open(wait=True, timeout=patience_seconds)
    except PoolTimeout:
        raise unreachable(url, await _reason(url, name)) from None
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def single(pool: AsyncConnectionPool) -> AsyncIterator[AsyncConnection]:
    """A connection from the pool on which each statement is a transaction of its own.

    For a lone statement this spares two round trips, and to switch it on and off takes none.
    """
    async with pool.connection() as connection:
        if connection.autocommit:
            yield connection
            return
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            # One that was broken off in the middle is not idle; the pool puts it away.
            if connection.info.transaction_status is TransactionStatus.IDLE:
                await connection.set_autocommit(False)


def conninfo(url: str, *, name: str) -> str:
    """The URL with our settings added where it leaves them open; Misconfigured if it is none."""
    given = _parsed(url)
    added = {key: value for key, value in DEFAULTS.items() if key not in given}
    return make_conninfo(url, **added, application_name=name)


def unreachable(url: str, reason: object) -> Misconfigured:
    """The error for a database that does not let us in; the password is not in it."""
    given = _parsed(url)
    place = f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
    first = next(iter(str(reason).strip().splitlines()), "no reason given")
    return Misconfigured(
        f"PostgreSQL at {place} cannot be reached: {first}. Check that it runs and that DATABASE_URL is right."
    )


def _parsed(url: str) -> dict[str, str | int | None]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # libpq's own words would repeat the password.
        raise Misconfigured(
            "DATABASE_URL is no address of a database: it looks like postgresql://user:password@host:5432/database."
        ) from None


class _Stack(deque[AsyncConnection]):
    """Connections at rest, of which the last to come back is the first to be given out again.

    It has plans at hand, and what they read; in turn, each of them would have to come by these by itself.
    """

    def append(self, connection: AsyncConnection) -> None:
        """Put one back."""
        self.appendleft(connection)


async def _configure(connection: AsyncConnection) -> None:
    set_json_dumps(msgspec.json.encode, connection)
    set_json_loads(msgspec.json.decode, connection)
    await connection.execute(SETTINGS)
    await connection.commit()


async def _check(connection: AsyncConnection) -> None:
    """Raise if PostgreSQL has gone away, without asking it at every checkout.

    An idle connection has nothing to tell. If there is something to read, it is a farewell (or its end): only
    then it is worth a round trip to be sure.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def _reason(url: str, name: str) -> object:
    """Why no connection comes about: the pool keeps trying and does not tell."""
    try:
        async with await AsyncConnection.connect(conninfo(url, name=name)):
            return "it was too slow to answer"
    except psycopg.Error as error:
        return error
