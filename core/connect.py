"""How an account is connected, as an adapter declares it: by OAuth, or by a form."""

import base64
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a person types in to connect an account: `label` and `help` are for them, a `secret` is not shown.

    With `host` it is the address of the server that the account is on, in the place of that host of the adapter.
    """

    name: str
    label: str
    secret: bool = False
    help: str = ""
    optional: bool = False
    host: str = ""


def own_hosts(fields: tuple[Field, ...], given: Mapping[str, str]) -> dict[str, str]:
    """The base URLs that a person typed in, by the names of the adapter's hosts; `server.example` means https.

    Raises ValueError, in words for that person, for what is no address of a server.
    """
    hosts: dict[str, str] = {}
    for field in fields:
        text = given.get(field.name, "").strip().removesuffix("/")
        if not field.host or not text:
            continue
        parts = _address(text if "://" in text else f"https://{text}")
        if parts is None:
            raise ValueError(f"{field.label} has to be the address of a server, such as https://server.example.")
        hosts[field.host] = f"{parts.scheme}://{parts.netloc.lower()}"
    return hosts


def _address(text: str) -> SplitResult | None:
    """The parts of a server's address; None for what is none, or leads into it."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    more = parts.username is not None or parts.path or parts.query or parts.fragment or len(text.split()) > 1
    return parts if sound and not more else None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """An account is connected by what a person has from the platform: an app password, a bot token, a webhook's URL.

    The adapter's `sign_in` turns the fields into tokens. `help` says where on the platform the fields are found.
    """

    fields: tuple[Field, ...]
    help: str = ""


class OAuth(msgspec.Struct, frozen=True, kw_only=True):
    """An account is connected by OAuth 2 with an authorization code (RFC 6749 §4.1).

    A host of the adapter may stand in braces in the URLs: `{api}/oauth/token`. `scopes` are what publishing needs;
    an account that grants less is refused, and told what is missing. `pkce` (RFC 7636, S256) is off only where the
    platform does not take it. `basic_auth` sends the app's credentials as HTTP Basic, else as form fields (§2.3.1).
    `authorize_params` are added to the address of the platform's page, `token_params` to the exchange of a code.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    scope_separator: str = " "
    pkce: bool = True
    basic_auth: bool = True
    authorize_params: Mapping[str, str] = {}
    token_params: Mapping[str, str] = {}


class ServerOAuth(msgspec.Struct, frozen=True, kw_only=True):
    """An account is connected by OAuth at the server that it is on, where a platform has many.

    `form` asks for the server: one of its fields has the `host` called `api`. The adapter's `register` makes an app of
    ours there, once for each server and organization. Tokens are used as they come: a refresh token is not kept.
    """

    form: Form
    oauth: OAuth

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is asked before the platform's page is shown."""
        return self.form.fields


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a server gave an app that was registered there (RFC 7591 §3.2.1)."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Registration({self.client_id})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secret."""
        return [("client_id", self.client_id)]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform gave to use an account with; seconds from now on, None where it did not say.

    Without a `refresh_token` they cannot be refreshed. `way` is how the account was connected, one of the adapter's
    `ways` where it has several: sessions tell it from then on as `Account.way`.
    """

    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None
    refresh_expires_in: float | None = None
    scopes: tuple[str, ...] | None = None
    way: str = ""

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Tokens(expires_in={self.expires_in}, scopes={self.scopes})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secrets."""
        return [("expires_in", self.expires_in), ("scopes", self.scopes)]


def jwt_seconds(token: str) -> float | None:
    """For how many seconds a JSON Web Token is good from its issue (RFC 7519 §4.1); None where it does not say."""
    try:
        part = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"] - claims["iat"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
