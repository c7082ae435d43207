"""The consent page of Pinterest's OAuth: strict about what an app asks for, and two buttons."""

import secrets
from html import escape
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.things import User
from fingerpost import Sandbox

CODE_SECONDS = 600.0
"""How long a code may be exchanged."""

KNOWN_SCOPES = frozenset(
    f"{thing}:{right}"
    for thing, rights in {
        "boards": ("read", "write", "read_secret", "write_secret"),
        "pins": ("read", "write", "read_secret", "write_secret"),
        "user_accounts": ("read", "write"),
        "ads": ("read", "write"),
        "catalogs": ("read", "write"),
    }.items()
    for right in rights
)

NEW = "new"

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Give access</title></head>
<body style="font-family: sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem">
<p>The sandbox's stand-in for Pinterest. Nothing here is on Pinterest.</p>
<h1>Give app {app} access to your account?</h1>
<p>It asks for:</p>
<ul>{scopes}</ul>
<form method="post">
<p><label>Account <select name="user">{users}</select></label></p>
{hidden}
<p><button name="decision" value="allow">Give access</button> <button name="decision" value="deny">Cancel</button></p>
</form>
</body>
</html>
"""


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was given to an app for a user; `expires` in unix seconds."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    user: User
    expires: float


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What an app asks for, once it is found sound."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None


class Members(msgspec.Struct):
    """Who may give consent: `add` makes one more, ready to publish."""

    sandbox: Sandbox
    users: dict[str, User]

    def named(self, number: str) -> User | None:
        """The user of this id, or a new one."""
        if number == NEW:
            return self.users[self.sandbox.seed().external_user]
        return self.users.get(number)


class Consent:
    """`/oauth/`. `apps` are the secrets of the known apps by id; `redirects` the addresses that they registered.

    Without `redirects` every http or https address is as good as registered.
    """

    def __init__(self, members: Members, apps: dict[str, str], redirects: frozenset[str] | None) -> None:
        self._members = members
        self._apps = apps
        self._redirects = redirects
        self.codes: dict[str, Code] = {}
        self.grants: frozenset[str] | None = None
        """Where set, no more than these scopes are granted, whatever is asked for."""

    def routes(self) -> list[web.RouteDef]:
        """The page and its buttons."""
        return [web.get("/oauth/", self.show), web.post("/oauth/", self.decide)]

    async def show(self, request: web.Request) -> web.Response:
        """The page, or what is wrong with the address: such a mistake is never sent to the app (RFC 6749 §4.1.2.1)."""
        ask = self._read(dict(request.query))
        if isinstance(ask, str):
            return _mistaken(ask)
        users = [(NEW, "a new member"), *((user.id, user.username) for user in self._members.users.values())]
        text = PAGE.format(
            app=escape(ask.client_id),
            scopes="".join(f"<li>{escape(scope)}</li>" for scope in ask.scopes),
            users="".join(f'<option value="{id}">{escape(name)}</option>' for id, name in users),
            hidden="".join(
                f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
                for name, value in request.query.items()
            ),
        )
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def decide(self, request: web.Request) -> web.Response:
        """Back to the app, with a code or without."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        ask = self._read(form)
        user = self._members.named(form.get("user", ""))
        if isinstance(ask, str):
            return _mistaken(ask)
        if form.get("decision") != "allow":
            return _back(ask, error="access_denied", error_description="The user denied access.")
        if user is None:
            return _mistaken("There is no such member.")
        code = secrets.token_hex(20)
        granted = frozenset(ask.scopes) & (self.grants if self.grants is not None else frozenset(ask.scopes))
        self.codes[code] = Code(
            client_id=ask.client_id,
            redirect_uri=ask.redirect_uri,
            scopes=granted,
            user=user,
            expires=self._members.sandbox.now() + CODE_SECONDS,
        )
        return _back(ask, code=code)

    def _read(self, query: dict[str, str]) -> Ask | str:
        if query.get("response_type") != "code":
            return "response_type must be code."
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        if client_id not in self._apps:
            return "There is no app with this client_id."
        parts = urlsplit(redirect_uri)
        registered = self._redirects is None or redirect_uri in self._redirects
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment or not registered:
            return "The redirect_uri is not one that the app has registered."
        scopes = tuple(query.get("scope", "").replace(",", " ").split())
        unknown = [scope for scope in scopes if scope not in KNOWN_SCOPES]
        if not scopes or unknown:
            return f"There is no scope {', '.join(unknown) or '(none was asked for)'}."
        return Ask(client_id=client_id, redirect_uri=redirect_uri, scopes=scopes, state=query.get("state"))


def _mistaken(words: str) -> web.Response:
    return web.Response(
        status=400, text=f"<!doctype html><title>No</title><p>{escape(words)}", content_type="text/html"
    )


def _back(ask: Ask, **answer: str) -> web.Response:
    told = answer | ({"state": ask.state} if ask.state is not None else {})
    mark = "&" if "?" in ask.redirect_uri else "?"
    return web.Response(status=302, headers={"Location": f"{ask.redirect_uri}{mark}{urlencode(told)}"})
