"""A listener to webhooks: it takes everything at once, and counts what it took."""

import socket
import sys

import msgspec
import uvloop
from aiohttp import web


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages came in all, and how many of them were signed."""

    messages: int
    signed: int


class Listener:
    """`POST` anywhere, and `GET /heard`."""

    def __init__(self) -> None:
        self._messages = self._signed = 0

    def app(self) -> web.Application:
        """The application."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hear)
        app.router.add_get("/{path:.*}", self._heard)
        return app

    async def _hear(self, request: web.Request) -> web.Response:
        await request.read()
        self._messages += 1
        self._signed += "webhook-signature" in request.headers
        return web.Response(status=204)

    async def _heard(self, request: web.Request) -> web.Response:
        heard = Heard(messages=self._messages, signed=self._signed)
        return web.Response(body=msgspec.json.encode(heard))


def main() -> None:
    """Answer at the listening socket that `--fd` names."""
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    loop = uvloop.new_event_loop()
    web.run_app(Listener().app(), sock=listener, loop=loop, print=None, access_log=None, shutdown_timeout=1.0)


if __name__ == "__main__":
    main()
