"""A gate between a worker and the sandbox, which lets a test stop the worker at an exact point of its request."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

Point = Literal["connecting", "amid", "whole"]
"""While the connection is being made; with a part of the request written; with all of it written."""

PART = 512 * 1024
"""Bytes of a request of which a part is taken, at the point `amid`."""

SYN_SENT = "02"
CONNECTIONS = Path("/proc/net/tcp")
"""Where Linux tells of connections: proc(5)."""


class Gate:
    """Lets connections to the sandbox through, but for the first: that one is held at `point` until `open`."""

    def __init__(self, listener: socket.socket, sandbox_url: str, point: Point) -> None:
        self._listener = listener
        self._sandbox = urlsplit(sandbox_url)
        self._point = point
        self._reached = asyncio.Event()
        self._opened = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where the worker has to send its calls."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def reached(self) -> None:
        """Wait until a request is at the point."""
        if self._point != "connecting":
            await self._reached.wait()
        while self._point == "connecting" and not self._is_called():  # noqa: ASYNC110 - the kernel raises no event
            await asyncio.sleep(0.005)

    async def open(self) -> None:
        """Let what is held go on; the kernel completes a connection that was begun, whether its process runs or not."""
        if self._point == "connecting" and not self._opened.is_set():
            await self.serve()
        self._opened.set()

    async def serve(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._pass, sock=self._listener)

    async def aclose(self) -> None:
        """Break everything off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_called(self) -> bool:
        """Whether somebody is connecting and was not answered: the queue of those to be accepted is full."""
        port = f":{self._listener.getsockname()[1]:04X}"
        rows = [line.split() for line in CONNECTIONS.read_text().splitlines()[1:]]
        return any(row[2].endswith(port) and row[3] == SYN_SENT for row in rows)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection(self._sandbox.hostname, self._sandbox.port)
        try:
            back.write(await self._held(reader))
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            back.close()
            writer.close()

    async def _held(self, reader: asyncio.StreamReader) -> bytes:
        if self._point == "connecting" or self._reached.is_set():
            return b""
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: *(\d+)", head)
        assert found is not None, head
        body = await reader.readexactly(PART if self._point == "amid" else int(found[1]))
        self._reached.set()
        await self._opened.wait()
        return head + body


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def gate(sandbox_url: str, point: Point) -> AsyncIterator[Gate]:
    """A gate before the sandbox, for as long as the block lasts."""
    with socket.socket() as listener, socket.socket() as plug:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0 if point == "connecting" else 100)
        made = Gate(listener, sandbox_url, point)
        if point == "connecting":
            # With one connection waiting to be accepted Linux leaves the next one unanswered (listen(2), tcp(7)).
            plug.connect(listener.getsockname())
        else:
            await made.serve()
        try:
            yield made
        finally:
            await made.aclose()
