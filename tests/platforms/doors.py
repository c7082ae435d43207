"""Two platforms with other doors than ours: OAuth with a proof key, and an app password for a session."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from fingerpost import (
    Adapter,
    Block,
    Channel,
    Draft,
    Field,
    Form,
    NotAuthorized,
    OAuth,
    Profile,
    Published,
    Rejected,
    Sandbox,
    Seed,
    Session,
    Tokens,
    hookimpl,
)


class Words(Block, frozen=True, kw_only=True):
    text: str | None = None


class _Door(Adapter[Words]):
    certainty = "key"

    async def publish(self, draft: Draft[Words], session: Session) -> Published:
        raise Rejected("Nothing is published here.")

    async def profile(self, session: Session) -> Profile:
        name = (await session.http.get("/me")).json()["name"]
        return Profile(external_user=name, username=name, display_name=name)


class Proof(_Door):
    platform, label = "PROOF", "Proof"
    hosts = {"api": "http://127.0.0.1:4011"}
    block = Words
    connect = OAuth(
        authorize_url="{api}/authorize?kind=page",
        token_url="{api}/token",
        scopes=("write", "read"),
        basic_auth=False,
        authorize_params={"prompt": "consent"},
    )


class Password(_Door):
    platform, label = "PASSWORD", "Password"
    hosts = {"api": "http://127.0.0.1:4012"}
    block = Words
    one_channel = True
    connect = Form(
        help="Make an app password in the settings of Password.",
        fields=(
            Field(name="handle", label="Handle", help="Without the @."),
            Field(name="secret", label="App password", secret=True),
            Field(name="server", label="Server", optional=True, host="api"),
        ),
    )

    async def sign_in(self, fields: Mapping[str, str], session: Session) -> Tokens:
        async def call() -> dict[str, Any]:
            answer: dict[str, Any] = (await session.http.post("/session", json=dict(fields))).json()
            return answer

        return _tokens(await session.step("sign-in", call, safe_to_repeat=True))

    async def renew(self, refresh_token: str, session: Session) -> Tokens:
        async def call() -> dict[str, Any]:
            answer: dict[str, Any] = (await session.http.post("/refresh", json={"token": refresh_token})).json()
            return answer

        try:
            return _tokens(await session.step("renew", call, safe_to_repeat=True))
        except Rejected as error:
            raise NotAuthorized(error.message) from error

    async def channels(self, session: Session) -> Sequence[Channel]:
        return [Channel(id="1", name="One"), Channel(id="2", name="Two")]


def _tokens(answer: dict[str, Any]) -> Tokens:
    return Tokens(access_token=answer["access"], refresh_token=answer["refresh"], expires_in=120.0)


class Doorkeeper(Sandbox):
    """Both platforms: everybody may come in whose words fit."""

    platform = "PROOF"

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, str] = {}
        self.access: dict[str, str] = {}
        self.refresh: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self._numbers = count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/authorize", self._authorize), web.post("/token", self._token), web.get("/me", self._me),
            web.post("/session", self._session), web.post("/refresh", self._refresh),
        ]  # fmt: skip

    def live(self) -> object:
        return {}

    def seed(self) -> Seed:
        raise NotImplementedError

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        assert query["code_challenge_method"] == "S256"
        code = f"code-{next(self._numbers)}"
        self.codes[code] = query["code_challenge"]
        target = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return web.Response(status=302, headers={"Location": target})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if "Authorization" in request.headers or form.get("client_secret") != "hush":
            return web.json_response({"error": "invalid_client"}, status=401)
        if self.codes.pop(form.get("code", ""), None) != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self._issued("prover") | {"scope": "read,write", "token_type": "Bearer"})

    async def _session(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        body = await request.json()
        if body.get("secret") != "open sesame":
            return web.json_response({"error": "AuthenticationRequired"}, status=400)
        made = self._issued(body["handle"])
        return web.json_response({"access": made["access_token"], "refresh": made["refresh_token"]})

    async def _refresh(self, request: web.Request) -> web.Response:
        name = self.refresh.pop((await request.json())["token"], None)
        if name is None:
            return web.json_response({"error": "ExpiredToken"}, status=400)
        made = self._issued(name)
        return web.json_response({"access": made["access_token"], "refresh": made["refresh_token"]})

    def _issued(self, name: str) -> dict[str, Any]:
        number = next(self._numbers)
        self.access[f"a{number}"] = self.refresh[f"r{number}"] = name
        return {"access_token": f"a{number}", "refresh_token": f"r{number}", "expires_in": 3600}

    async def _me(self, request: web.Request) -> web.Response:
        name = self.access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.json_response({"name": name} if name else {}, status=200 if name else 401)


@hookimpl
def fingerpost_adapters() -> Iterable[Adapter[Any]]:
    return [Proof(), Password()]
