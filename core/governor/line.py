"""A line to Redis: one connection that knows which server it leads to, and runs the governor's scripts there."""

import asyncio
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.clock import elapsed
from core.errors import FingerpostError

AWAY = (RedisConnectionError, RedisTimeoutError, OSError, ReadOnlyError, MasterDownError, OutOfMemoryError)
"""What is raised where Redis cannot be reached, or cannot write: still loading, a replica by now, or full."""

TIMEOUT_SECONDS = 2.0
"""How long a connection or an answer of Redis is waited for."""

RETRY_SECONDS = 0.5
"""How long a server that was away is left alone before it is tried again."""


PACKER = msgspec.msgpack.Encoder()

ARRAY_HEADER = 1
"""The bytes that MessagePack puts before up to fifteen values; without them the values stand one behind the other."""

_Epoch = tuple[str, int, bool]
"""The word that says whose log it is; since when, in microseconds; and whether the windows were in use then."""


class Away(FingerpostError):
    """Redis does not answer."""

    code = "redis_away"


class Line:
    """One connection to Redis or Valkey, made when it is needed and made anew when it broke."""

    def __init__(self, url: str) -> None:
        # One time limit of ours holds for a whole call: that of the connection makes a task for every write.
        self._pool = ConnectionPool.from_url(
            url, max_connections=1, socket_timeout=None, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._connection: AbstractConnection | None = None
        self._server = ""
        self._keeps = False
        self._epoch: _Epoch = ("", 0, False)
        self._scripts: dict[str, bytes] = {}
        self._away_until = 0.0

    async def take(self, count: int, keys: bytes, rest: tuple[Any, ...]) -> bytes | None:
        """Run `take.lua` with so many `words` as keys, and `rest` of its arguments.

        Answers None where the server's log is not the one it began. Raises `Away`.
        """
        while True:
            connection = self._connection or await self._connected()
            message = PACKER.encode((*self._epoch, *rest))[ARRAY_HEADER:]
            answer = await self._run(connection, "take", count, 1, keys + words(message))
            if isinstance(answer, bytes):
                return answer
            epoch = answer[0].decode()
            if not epoch.startswith(f"{self._server} "):
                return None
            self._epoch = _read(epoch)

    async def reopen(self, key: str, *, used_ago: float | None, anew: bool) -> None:
        """Let a log begin anew, where it was lost or `anew` says so, as of its last use. Raises `Away`.

        A server that writes down what it is told before it answers has lost nothing by its own end: a log that is
        found there goes on. (Its host's end may cost what was not yet on the disk: `appendfsync`.)
        """
        connection = await self._connected()
        ago = b"" if used_ago is None else b"%d" % round(used_ago * 1_000_000)
        rest = words(key.encode(), self._server.encode(), ago, b"%d" % anew, b"%d" % self._keeps)
        await self._run(connection, "reopen", 1, 4, rest)

    async def aclose(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._hang_up()

    async def _run(self, connection: AbstractConnection, script: str, keys: int, rest: int, packed: bytes) -> Any:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                try:
                    return await self._evaluate(connection, script, keys, rest, packed)
                except NoScriptError:
                    await self._load(connection)
                    return await self._evaluate(connection, script, keys, rest, packed)
        except AWAY as error:
            await self._hang_up()
            raise Away("Redis does not answer.") from error
        except ResponseError:
            raise
        except BaseException:
            # The answer to a call that was broken off must not be read as the answer to the next.
            await self._hang_up(rest_seconds=0.0)
            raise

    async def _connected(self) -> AbstractConnection:
        if self._connection is not None:
            return self._connection
        if elapsed() < self._away_until:
            raise Away("Redis does not answer.")
        try:
            connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py
            self._connection = connection
            async with asyncio.timeout(TIMEOUT_SECONDS):
                about = _about(await self._call(connection, "INFO"))
                await self._load(connection)
        except AWAY as error:
            await self._hang_up()
            raise Away("Redis cannot be reached.") from error
        except BaseException:
            await self._hang_up(rest_seconds=0.0)
            raise
        self._server = about["run_id"]
        # One that was a replica may lack what its master was told last.
        promoted = about.get("master_replid2", "").strip("0")
        self._keeps = about.get("aof_enabled") == "1" and not promoted
        return connection

    async def _load(self, connection: AbstractConnection) -> None:
        for script in ("take", "reopen"):
            source = files("core.governor").joinpath(f"{script}.lua").read_text("utf-8")
            self._scripts[script] = await self._call(connection, "SCRIPT", "LOAD", source)

    async def _evaluate(self, connection: AbstractConnection, script: str, keys: int, rest: int, packed: bytes) -> Any:
        # The connection's own way of packing a command takes longer than Redis does to run it.
        head = words(b"EVALSHA", self._scripts[script], b"%d" % keys)
        await connection.send_packed_command([b"*%d\r\n%b%b" % (3 + keys + rest, head, packed)], check_health=False)
        return await connection.read_response()

    async def _call(self, connection: AbstractConnection, *words: Any) -> Any:
        await connection.send_command(*words)
        return await connection.read_response()

    async def _hang_up(self, rest_seconds: float = RETRY_SECONDS) -> None:
        self._away_until = elapsed() + rest_seconds
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)


def _read(epoch: str) -> _Epoch:
    _, since, used = epoch.split()
    return epoch, int(since), used == "1"


def words(*each: bytes) -> bytes:
    """Words of a command, as the protocol wants them (RESP, "bulk strings")."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in each])


def _about(told: Any) -> dict[str, str]:
    """What a server tells of itself (`INFO`): its identity from its start to its end, and whether it keeps a log."""
    if isinstance(told, dict):
        return {str(name): str(value) for name, value in told.items()}
    text = told.decode() if isinstance(told, bytes) else str(told)
    return dict(line.strip().split(":", 1) for line in text.splitlines() if ":" in line)
