"""Apps and consent at the stand-in: registration by whoever asks, a page with two buttons, and the token endpoint."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import web

from adapters.mastodon.sandbox.things import Person
from fingerpost import json_answer

CODE_SECONDS = 600.0
KNOWN_SCOPES = frozenset(
    {"read", "write", "profile"}
    | {f"read:{thing}" for thing in ("accounts", "statuses", "notifications")}
    | {f"write:{thing}" for thing in ("accounts", "media", "statuses")}
)

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Give access</title></head>
<body style="font-family: sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem">
<p>The sandbox's stand-in for a Mastodon server. Nothing here is on one.</p>
<h1>Authorization required by {app}</h1>
<ul>{scopes}</ul>
<form method="post">{hidden}
<button name="decision" value="allow">Authorize</button> <button name="decision" value="deny">Deny</button></form>
</body>
</html>
"""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An app that was registered."""

    client_id: str
    client_secret: str
    name: str
    redirect_uri: str
    scopes: frozenset[str]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was given to an app; `expires` in unix seconds."""

    application: Application
    scopes: tuple[str, ...]
    challenge: str
    expires: float


class Consent:
    """`/api/v1/apps` and `/oauth/`. `welcome` makes a person who gives consent; `clock` gives unix seconds."""

    def __init__(self, welcome: Callable[[], Person], clock: Callable[[], float]) -> None:
        self.applications: dict[str, Application] = {}
        self.registered = 0
        self.granted: tuple[str, ...] | None = None
        """Where set, these scopes are granted, whatever is asked for."""
        self._welcome = welcome
        self._clock = clock
        self._codes: dict[str, Code] = {}

    def routes(self) -> list[web.RouteDef]:
        """Registration, the page and its buttons, and the token endpoint."""
        return [
            web.post("/api/v1/apps", self._register),
            web.get("/oauth/authorize", self._show, allow_head=False),
            web.post("/oauth/authorize", self._decide),
            web.post("/oauth/token", self._token),
        ]

    async def _register(self, request: web.Request) -> web.Response:
        told = await _fields(request)
        name, redirect_uri = told.get("client_name", ""), told.get("redirect_uris", "")
        scopes = frozenset(told.get("scopes", "read").split())
        if not name or not urlsplit(redirect_uri).netloc or not scopes <= KNOWN_SCOPES:
            return json_answer(422, {"error": "Gültigkeitsprüfung ist fehlgeschlagen"})
        self.registered += 1
        made = Application(
            client_id=secrets.token_urlsafe(24),
            client_secret=secrets.token_urlsafe(24),
            name=name,
            redirect_uri=redirect_uri,
            scopes=scopes,
        )
        self.applications[made.client_id] = made
        shown = {"id": str(self.registered), "name": name, "website": None, "redirect_uri": redirect_uri}
        return json_answer(200, {**shown, "client_id": made.client_id, "client_secret": made.client_secret})

    async def _show(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        application = self._asking(query)
        if isinstance(application, str):
            return _mistaken(application)
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in query.items()
        )
        scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query["scope"].split())
        text = PAGE.format(app=escape(application.name), scopes=scopes, hidden=hidden)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _decide(self, request: web.Request) -> web.Response:
        form = await _fields(request)
        application = self._asking(form)
        if isinstance(application, str):
            return _mistaken(application)
        answer = {"error": "access_denied", "error_description": "Die Person hat die Anfrage abgelehnt"}
        if form.get("decision") == "allow":
            code = secrets.token_urlsafe(24)
            scopes = self.granted if self.granted is not None else tuple(form["scope"].split())
            ends, challenge = self._clock() + CODE_SECONDS, form.get("code_challenge", "")
            self._codes[code] = Code(application=application, scopes=scopes, challenge=challenge, expires=ends)
            answer = {"code": code}
        if "state" in form:
            answer["state"] = form["state"]
        return web.Response(status=302, headers={"Location": f"{application.redirect_uri}?{urlencode(answer)}"})

    def _asking(self, query: Mapping[str, str]) -> Application | str:
        """The app that asks, or what is wrong with its address: it is told to the person (RFC 6749 §4.1.2.1)."""
        application = self.applications.get(query.get("client_id", ""))
        if application is None:
            return "Client authentication failed due to unknown client."
        if query.get("redirect_uri") != application.redirect_uri:
            return "The redirect URI included is not valid."
        if query.get("response_type") != "code":
            return "The authorization server does not support this response type."
        scopes = query.get("scope", "read").split()
        if not set(scopes) <= application.scopes:
            return "The requested scope is invalid, unknown, or malformed."
        if query.get("code_challenge_method", "S256") != "S256":
            return "The code challenge method has to be S256."
        return application

    async def _token(self, request: web.Request) -> web.Response:
        form = await _fields(request)
        application = self.applications.get(form.get("client_id", ""))
        if application is None or form.get("client_secret") != application.client_secret:
            return json_answer(401, {"error": "invalid_client", "error_description": "Client authentication failed."})
        if form.get("grant_type") == "client_credentials":
            return _granted(secrets.token_urlsafe(24), ("read",))
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or not self._fits(code, application, form):
            return json_answer(400, {"error": "invalid_grant", "error_description": "The grant is invalid."})
        return _granted(self._welcome().token, code.scopes)

    def _fits(self, code: Code, application: Application, form: Mapping[str, str]) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proven = not code.challenge or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge
        same = code.application == application and form.get("redirect_uri") == application.redirect_uri
        return form.get("grant_type") == "authorization_code" and proven and same and code.expires > self._clock()


async def _fields(request: web.Request) -> dict[str, str]:
    """The fields of a form or of a JSON object, as the API takes both."""
    told = await request.json() if request.content_type == "application/json" else await request.post()
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _granted(token: str, scopes: tuple[str, ...]) -> web.Response:
    return json_answer(200, {"access_token": token, "token_type": "Bearer", "scope": " ".join(scopes), "created_at": 1})


def _mistaken(words: str) -> web.Response:
    text = f"<!doctype html><title>No</title><p>{escape(words)}"
    return web.Response(status=400, text=text, content_type="text/html")
