"""The token endpoint: codes and refresh tokens, each good once, for the app that they belong to."""

import base64
from urllib.parse import unquote_plus

from aiohttp import web

from adapters.pinterest.sandbox.consent import Consent
from adapters.pinterest.sandbox.refusals import Refusal, forbidden, invalid, unauthenticated
from adapters.pinterest.sandbox.things import Token
from adapters.pinterest.sandbox.world import ACCESS_SECONDS, REFRESH_SECONDS, World
from fingerpost import json_answer

FIELDS = frozenset({"grant_type", "code", "redirect_uri", "refresh_token", "scope", "continuous_refresh", "refresh_on"})


def grant_refused() -> Refusal:
    """The code or the refresh token is unknown, used up, expired, or another app's."""
    return Refusal(401, 283, "The authorization grant is invalid.")


class TokenDesk:
    """`POST /v5/oauth/token`. `lifetime` is that of access tokens, in seconds."""

    def __init__(self, world: World, consent: Consent, apps: dict[str, str], lifetime: float = ACCESS_SECONDS) -> None:
        self._world = world
        self._consent = consent
        self._apps = apps
        self.lifetime = lifetime

    def routes(self) -> list[web.RouteDef]:
        """The endpoint, and that by which tokens are revoked."""
        return [web.post("/v5/oauth/token", self.answer), web.post("/v5/oauth/token/revoke", self.revoke)]

    async def answer(self, request: web.Request) -> web.Response:
        """New tokens, or what is wrong."""
        try:
            app = self._app(request)
            if request.content_type != "application/x-www-form-urlencoded":
                raise invalid(f"{request.content_type!r} is not 'application/x-www-form-urlencoded'")
            form = {name: str(value) for name, value in (await request.post()).items()}
            return json_answer(200, self._granted(app, form), {"Cache-Control": "no-store"})
        except Refusal as refusal:
            return json_answer(refusal.status, refusal.body)

    async def revoke(self, request: web.Request) -> web.Response:
        """Refuses: only tokens of system users can be revoked by an app, and nobody here is one."""
        try:
            self._app(request)
            if not (await request.post()).get("token"):
                raise invalid("'token' is a required property")
            raise forbidden()
        except Refusal as refusal:
            return json_answer(refusal.status, refusal.body)

    def _app(self, request: web.Request) -> str:
        """The app whose credentials came as HTTP Basic (RFC 7617); no other way is taken."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            raise unauthenticated() from None
        name, secret = unquote_plus(name), unquote_plus(secret)
        if scheme.lower() != "basic" or name not in self._apps or self._apps[name] != secret:
            raise unauthenticated()
        return name

    def _granted(self, app: str, form: dict[str, str]) -> dict[str, object]:
        kind = form.get("grant_type")
        if kind not in ("authorization_code", "refresh_token"):
            raise invalid(f"{kind!r} is not one of ['authorization_code', 'refresh_token', 'client_credentials']")
        if unknown := sorted(form.keys() - FIELDS):
            raise invalid(f"{unknown[0]!r} was unexpected")
        needed = ("code", "redirect_uri") if kind == "authorization_code" else ("refresh_token",)
        for name in needed:
            if not form.get(name):
                raise invalid(f"{name!r} is a required property")
        before = self._by_code(app, form) if kind == "authorization_code" else self._by_refresh(app, form)
        user, scopes = before.user, before.scopes
        access = self._world.issue(user, app=app, scopes=scopes, lifetime=self.lifetime)
        refresh = self._world.issue_refresh(access)
        return {
            "access_token": access.value,
            "token_type": "bearer",
            "expires_in": int(self.lifetime),
            "scope": " ".join(sorted(scopes)),
            "response_type": kind,
            "refresh_token": refresh.value,
            "refresh_token_expires_in": REFRESH_SECONDS,
            "refresh_token_expires_at": int(refresh.expires),
        }

    def _by_code(self, app: str, form: dict[str, str]) -> Token:
        code = self._consent.codes.pop(form["code"], None)
        now = self._world.platform.now()
        if code is None or code.client_id != app or code.redirect_uri != form["redirect_uri"] or code.expires <= now:
            raise grant_refused()
        return Token(value="", user=code.user, app=app, scopes=code.scopes, expires=code.expires)

    def _by_refresh(self, app: str, form: dict[str, str]) -> Token:
        """A refresh token is replaced by the one that comes for it."""
        token = self._world.refresh.get(form["refresh_token"])
        if token is None or token.app != app or token.expires <= self._world.platform.now():
            raise grant_refused()
        wanted = frozenset(form.get("scope", "").replace(",", " ").split()) or token.scopes
        if not wanted <= token.scopes:
            raise grant_refused()
        del self._world.refresh[token.value]
        return Token(value="", user=token.user, app=app, scopes=wanted, expires=token.expires)
