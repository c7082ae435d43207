"""A platform far away: it takes each message 200 ms after it came, or longer, and counts what it took."""

import asyncio
import socket
import sys
import time
from uuid import uuid4

import msgspec
import uvloop
from aiohttp import web

LATENCY_SECONDS = 0.2


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered: how many, how many of them under a key seen before, and until when.

    `most` is how many it ever had in hand at once; `last_at` is on this host's monotonic clock.
    """

    answered: int
    repeated: int
    most: int
    last_at: float


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class Faraway:
    """`POST /messages` as Echo speaks it, `GET /tally`, and `GET /arrivals`: when each text came (unix seconds)."""

    def __init__(self, latency_seconds: float) -> None:
        self._latency_seconds = latency_seconds
        # The ids of two platforms must not be alike: an account has each of them once.
        self._name = uuid4().hex
        self._answered = self._repeated = self._in_hand = self._most = 0
        self._last_at = 0.0
        self._keys: set[str] = set()
        self._arrivals: dict[str, float] = {}

    def app(self) -> web.Application:
        """The application."""
        app = web.Application()
        looks = {"/tally": self._tally, "/health": self._tally, "/arrivals": self._told}
        app.add_routes([web.post("/messages", self._hear), *(web.get(path, look) for path, look in looks.items())])
        return app

    async def _hear(self, request: web.Request) -> web.Response:
        self._arrivals.setdefault(msgspec.json.decode(await request.read(), type=_Message).text, time.time())
        key = request.headers["Idempotency-Key"]
        self._repeated += key in self._keys
        self._keys.add(key)
        self._in_hand += 1
        self._most = max(self._most, self._in_hand)
        await asyncio.sleep(self._latency_seconds)
        self._in_hand -= 1
        self._answered += 1
        self._last_at = time.monotonic()
        return web.Response(
            body=msgspec.json.encode({"id": f"{self._name}-{self._answered}"}),
            status=201,
            headers={"Content-Type": "application/json"},
        )

    async def _tally(self, request: web.Request) -> web.Response:
        tally = Tally(answered=self._answered, repeated=self._repeated, most=self._most, last_at=self._last_at)
        return web.Response(body=msgspec.json.encode(tally))

    async def _told(self, request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._arrivals))


def main() -> None:
    """Answer at the listening socket that `--fd` names, after `--seconds`."""
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    seconds = float(sys.argv[sys.argv.index("--seconds") + 1]) if "--seconds" in sys.argv else LATENCY_SECONDS
    loop = uvloop.new_event_loop()
    web.run_app(Faraway(seconds).app(), sock=listener, loop=loop, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
