"""A strict platform: it counts each call as it arrives, refuses what is too much, and writes everything down."""

import asyncio
import random
import socket
import sys
import time
from collections import defaultdict, deque

import msgspec
import uvloop
from aiohttp import web

from tests.governor.checker import Arrival, Rule

LOST_SECONDS = 60.0


class Platform:
    """`POST /calls?user=…` takes a while; with `lose` it is counted and never answered. `GET /log` tells all."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._counted: dict[tuple[int, str], deque[float]] = defaultdict(deque)
        self._arrivals: list[Arrival] = []
        self._random = random.Random(4)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/calls", self._hear), web.get("/log", self._tell), web.get("/health", self._healthy)])
        return app

    async def _hear(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        user = request.query["user"]
        admitted = self._take(user, now)
        self._arrivals.append(Arrival(now, user, admitted))
        await asyncio.sleep(LOST_SECONDS if "lose" in request.query else self._random.uniform(0.1, 0.2))
        return web.Response(status=201 if admitted else 429)

    def _take(self, user: str, now: float) -> bool:
        logs = []
        for number, rule in enumerate(self._rules):
            log = self._counted[number, rule.owner(user)]
            while log and now - log[0] >= rule.seconds:
                log.popleft()
            logs.append((rule, log))
        if any(len(log) >= rule.calls for rule, log in logs):
            return False
        for _, log in logs:
            log.append(now)
        return True

    async def _tell(self, request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._arrivals))

    async def _healthy(self, request: web.Request) -> web.Response:
        return web.Response()


def main() -> None:
    """Answer at the listening socket that the first argument numbers, by the rules of the second."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    platform = Platform(msgspec.json.decode(sys.argv[2], type=list[Rule]))
    loop = uvloop.new_event_loop()
    web.run_app(platform.app(), sock=listener, loop=loop, print=None, access_log=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
