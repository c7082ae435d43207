"""A platform far away: it takes each message 200 ms after it came, and counts what it took."""

import asyncio
import socket
import sys
import time

import msgspec
import uvloop
from aiohttp import web

LATENCY_SECONDS = 0.2


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered since the last look: how many, how many of them under a key seen before, and until when.

    `last_at` is on this host's monotonic clock.
    """

    answered: int
    repeated: int
    last_at: float


class Faraway:
    """`POST /messages` as Echo speaks it, and `GET /tally`."""

    def __init__(self) -> None:
        self._answered = self._repeated = 0
        self._last_at = 0.0
        self._keys: set[str] = set()

    def app(self) -> web.Application:
        """The application."""
        app = web.Application()
        app.add_routes(
            [web.post("/messages", self._hear), web.get("/tally", self._tally), web.get("/health", self._tally)]
        )
        return app

    async def _hear(self, request: web.Request) -> web.Response:
        await request.read()
        key = request.headers["Idempotency-Key"]
        self._repeated += key in self._keys
        self._keys.add(key)
        await asyncio.sleep(LATENCY_SECONDS)
        self._answered += 1
        self._last_at = time.monotonic()
        return web.Response(
            body=b'{"id":"%d"}' % self._answered, status=201, headers={"Content-Type": "application/json"}
        )

    async def _tally(self, request: web.Request) -> web.Response:
        tally = Tally(answered=self._answered, repeated=self._repeated, last_at=self._last_at)
        return web.Response(body=msgspec.json.encode(tally))


def main() -> None:
    """Answer at the listening socket that `--fd` names."""
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    loop = uvloop.new_event_loop()
    web.run_app(Faraway().app(), sock=listener, loop=loop, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
