"""The wire: one command after the other over a connection to Redis or Valkey that is open already."""

import asyncio
from typing import Any

_LINE_END = b"\r\n"


class Refused(Exception):
    """The server answered a command with an error; `word` is the first of its words, such as `NOSCRIPT`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.word = message.partition(" ")[0]


class Wire(asyncio.Protocol):
    """Takes over a connection on which the server was greeted, and speaks RESP (2 and 3) on it.

    A stream with its reader, and a time limit for each answer by itself, cost more than a script of ours takes to run.
    An answer is waited for `seconds` at most. Spoken as in
    https://redis.io/docs/latest/develop/reference/protocol-spec/.
    """

    def __init__(self, transport: asyncio.WriteTransport, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[Any] | None = None
        self._read = b""
        self._lost: Exception | None = None
        self._transport = transport
        transport.set_protocol(self)

    async def call(self, *command: bytes) -> Any:
        """The answer to a command."""
        return await self.send(b"*%d\r\n%b" % (len(command), words(*command)))

    async def send(self, packed: bytes) -> Any:
        """The answer to a command that is packed already: bytes, an integer, None, or a list of them.

        Raises `Refused`, TimeoutError, and ConnectionError. After anything but an answer or `Refused` the wire is of no
        use any more.
        """
        if self._lost is not None:
            raise self._lost
        answer = self._answer = self._loop.create_future()
        self._deadline = self._loop.time() + self._seconds
        if self._watch is None:
            self._watch = self._loop.call_at(self._deadline, self._look)
        self._transport.write(packed)
        return await answer

    def close(self) -> None:
        """Hang up."""
        self._end(ConnectionResetError("The connection was closed."))
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some of an answer, or all of it."""
        self._read += data
        try:
            while self._read:
                answer, end = _reply(self._read, 0)
                pushed = self._read.startswith(b">")
                self._read = self._read[end:]
                if not pushed:
                    self._settle(answer)
        except _Incomplete:
            return
        except (ValueError, RecursionError) as error:
            self._end(ConnectionError(f"This is no answer of Redis: {error}."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side hung up."""
        self._end(exc if isinstance(exc, OSError) else ConnectionResetError("Redis closed the connection."))

    def _settle(self, answer: Any) -> None:
        waiting, self._answer = self._answer, None
        if waiting is None or waiting.done():
            return
        if isinstance(answer, Refused):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _look(self) -> None:
        """Whether the answer that is waited for is late. One timer watches over many of them."""
        self._watch = None
        if self._answer is None or self._answer.done():
            return
        if self._loop.time() >= self._deadline:
            self._end(TimeoutError("Redis did not answer in time."))
        else:
            self._watch = self._loop.call_at(self._deadline, self._look)

    def _end(self, reason: Exception) -> None:
        self._lost = self._lost or reason
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(reason)


def words(*each: bytes) -> bytes:
    """Words of a command, as the protocol wants them ("bulk strings")."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in each])


class _Incomplete(Exception):
    """More has to come."""


def _reply(read: bytes, start: int) -> tuple[Any, int]:
    """The answer, or what is pushed, that begins at `start`, and where it ends.

    Raises `_Incomplete`, and ValueError for what is none.
    """
    line_end = read.find(_LINE_END, start)
    if line_end < 0:
        raise _Incomplete
    kind, text = read[start : start + 1], read[start + 1 : line_end]
    end = line_end + 2
    if not kind:
        raise ValueError("it is empty")
    if kind in b"$=":
        length = int(text)
        if length < 0:
            return None, end
        if len(read) < end + length + 2:
            raise _Incomplete
        return read[end : end + length], end + length + 2
    if kind in b"*~>":
        items = []
        for _ in range(int(text)):
            item, end = _reply(read, end)
            items.append(item)
        return items, end
    if kind == b"-":
        return Refused(text.decode("utf-8", "replace")), end
    if kind == b":":
        return int(text), end
    if kind in b"+_":
        return text or None, end
    raise ValueError(f"it begins with {kind!r}")
