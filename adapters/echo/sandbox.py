"""The server that Echo speaks to: it keeps what it hears, and hears nothing twice under one idempotency key."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from aiohttp import web

from fingerpost import Sandbox, Seed

LONGEST = 500
"""Characters of a message."""

TOKEN = "secret-of-"  # noqa: S105 - it opens nothing but this stand-in


class EchoSandbox(Sandbox):
    """`POST /messages` with `Idempotency-Key`, `GET /messages/{id}`, `GET /me`; a user's name is as good as a token."""

    platform, shelf = "ECHO", "messages"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._messages: dict[str, dict[str, Any]] = {}
        self._by_key: dict[tuple[str, str], str] = {}
        self._ids, self._users = count(1), count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        """The three operations."""
        return [
            web.post("/messages", self._hear),
            web.get("/messages/{id}", self._repeat),
            web.get("/me", self._me),
        ]

    def live(self) -> object:
        """Every message, the oldest first."""
        return {"messages": list(self._messages.values())}

    def seed(self) -> Seed:
        """One more user."""
        name = f"echo-{next(self._users)}"
        return Seed(access_token=f"{TOKEN}{name}", refresh_token=None, external_user=name, channel_id="", facts={})

    def account_of(self, request: web.Request) -> str | None:
        """The user's name."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ").removeprefix(TOKEN) or None

    async def _hear(self, request: web.Request) -> web.Response:
        user, body = self.account_of(request), await request.json()
        if user is None:
            return web.json_response({"message": "Who are you?"}, status=401)
        if len(body["text"]) > LONGEST:
            return web.json_response({"message": f"At most {LONGEST} characters are heard."}, status=400)
        key = (user, request.headers.get("Idempotency-Key", ""))
        heard = self._by_key.get(key) if key[1] else None
        if heard is None:
            heard = str(next(self._ids))
            self._messages[heard] = {"id": heard, "user": user, "text": body["text"]}
            self._by_key[key] = heard
        return web.json_response(self._messages[heard], status=201)

    async def _repeat(self, request: web.Request) -> web.Response:
        message = self._messages.get(request.match_info["id"])
        if message is None:
            return web.json_response({"message": "Nothing of the kind was heard."}, status=404)
        return web.json_response(message)

    async def _me(self, request: web.Request) -> web.Response:
        return web.json_response({"name": self.account_of(request)})
