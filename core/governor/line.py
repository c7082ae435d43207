"""A line to Redis: one connection that knows which server it leads to, and runs the governor's scripts there."""

import asyncio
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.clock import elapsed
from core.errors import FingerpostError
from core.governor.wire import Refused, Wire, words

AWAY = (RedisConnectionError, RedisTimeoutError, OSError)
"""What is raised where Redis cannot be reached."""

AWAY_WORDS = frozenset({"LOADING", "READONLY", "MASTERDOWN", "OOM"})
"""How it answers that cannot write: still loading, a replica by now, or full."""

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
        self._pool = ConnectionPool.from_url(
            url, max_connections=1, socket_timeout=None, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._connection: AbstractConnection | None = None
        self._wire: Wire | None = None
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
            wire = await self._connected()
            message = PACKER.encode((*self._epoch, *rest))[ARRAY_HEADER:]
            answer = await self._run(wire, "take", count, 1, keys + words(message))
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
        wire = await self._connected()
        ago = b"" if used_ago is None else b"%d" % round(used_ago * 1_000_000)
        rest = words(key.encode(), self._server.encode(), ago, b"%d" % anew, b"%d" % self._keeps)
        await self._run(wire, "reopen", 1, 4, rest)

    async def aclose(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._hang_up()

    async def _run(self, wire: Wire, script: str, keys: int, rest: int, packed: bytes) -> Any:
        try:
            try:
                return await wire.send(self._evaluation(script, keys, rest, packed))
            except Refused as refused:
                if refused.word != "NOSCRIPT":
                    raise
                await self._load(wire)
                return await wire.send(self._evaluation(script, keys, rest, packed))
        except BaseException as error:
            await self._broken(error)
            raise

    async def _broken(self, error: BaseException) -> None:
        """Hang up, unless the server has only refused something. Raises `Away` for what says that it is away."""
        away = error.word in AWAY_WORDS if isinstance(error, Refused) else isinstance(error, AWAY)
        if away:
            await self._hang_up()
            raise Away("Redis does not answer.") from error
        if not isinstance(error, Refused):
            # The answer to a call that was broken off must not be read as the answer to the next.
            await self._hang_up(rest_seconds=0.0)

    async def _connected(self) -> Wire:
        if self._wire is not None:
            return self._wire
        if elapsed() < self._away_until:
            raise Away("Redis does not answer.")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py
            assert self._connection._writer is not None
            wire = Wire(self._connection._writer.transport, TIMEOUT_SECONDS)
            about = _about(await wire.call(b"INFO"))
            await self._load(wire)
        except BaseException as error:
            await self._broken(error)
            await self._hang_up(rest_seconds=0.0)
            raise
        self._server = about["run_id"]
        # One that was a replica may lack what its master was told last.
        promoted = about.get("master_replid2", "").strip("0")
        self._keeps = about.get("aof_enabled") == "1" and not promoted
        self._wire = wire
        return wire

    async def _load(self, wire: Wire) -> None:
        for script in ("take", "reopen"):
            source = files("core.governor").joinpath(f"{script}.lua").read_bytes()
            self._scripts[script] = await wire.call(b"SCRIPT", b"LOAD", source)

    def _evaluation(self, script: str, keys: int, rest: int, packed: bytes) -> bytes:
        head = words(b"EVALSHA", self._scripts[script], b"%d" % keys)
        return b"*%d\r\n%b%b" % (3 + keys + rest, head, packed)

    async def _hang_up(self, rest_seconds: float = RETRY_SECONDS) -> None:
        self._away_until = elapsed() + rest_seconds
        wire, self._wire = self._wire, None
        connection, self._connection = self._connection, None
        if wire is not None:
            wire.close()
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)


def _read(epoch: str) -> _Epoch:
    _, since, used = epoch.split()
    return epoch, int(since), used == "1"


def _about(told: Any) -> dict[str, str]:
    """What a server tells of itself (`INFO`): its identity from its start to its end, and whether it keeps a log."""
    if isinstance(told, dict):
        return {str(name): str(value) for name, value in told.items()}
    text = told.decode() if isinstance(told, bytes) else str(told)
    return dict(line.strip().split(":", 1) for line in text.splitlines() if ":" in line)
