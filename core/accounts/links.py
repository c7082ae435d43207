"""Links by which end users connect accounts, and the sign-ins that they begin there."""

import hashlib
import re
import secrets
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import FingerpostError, NotFound
from core.findings import Finding
from core.ids import new_id
from core.vault import Vault

SIGN_IN_SECONDS = 900.0
"""How long a person may stay on the platform's page."""

_LONGEST_URL = 2048


class LinkOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the page of a link looks: `user` and `back` are texts on it, `most` how many accounts the team may have.

    `server` is the address of the accounts' server, where a platform has many and its form asks for it.
    """

    user: Annotated[str, Meta(max_length=100)] = ""
    back: Annotated[str, Meta(max_length=60)] = ""
    hide_back: bool = False
    hide_user: bool = False
    hide_powered_by: bool = False
    most: int | None = None
    server: Annotated[str, Meta(max_length=2048)] = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link: whose team accounts are connected to, on which platforms, and where the browser goes afterwards.

    A `direct` one leads to its only platform at once, and is spent by the account that it connects.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID
    team: str
    platforms: tuple[str, ...]
    redirect_url: str | None
    options: LinkOptions
    direct: bool
    expired: bool
    used: bool


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that came back as it should; `verifier` is its proof key (RFC 7636)."""

    link: Link
    app: str
    verifier: str

    def __repr__(self) -> str:
        """Without the proof key."""
        return f"SignIn({self.link.id})"


class SignInFailed(FingerpostError):
    """An account was not connected; `link` is where the person came from, as far as it is known."""

    code = "sign_in_failed"

    def __init__(self, message: str, *, code: str, link: Link | None = None, platform: str = "") -> None:
        super().__init__(message, code=code)
        self.link = link
        self.platform = platform


class Links:
    """The links and sign-ins of one database. Their secrets are kept as hashes; nobody can read them there."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._sql = queries("core.accounts", "links.sql")

    async def create(
        self,
        organization_id: UUID,
        team_id: UUID,
        *,
        platforms: tuple[str, ...],
        redirect_url: str | None,
        seconds: float,
        direct: bool,
        options: LinkOptions | None = None,
    ) -> str:
        """A new link's secret. Raises `NotFound` for a stranger's team."""
        secret = secrets.token_urlsafe(32)
        values = {
            "id": new_id(),
            "organization_id": organization_id,
            "team_id": team_id,
            "hash": hashed(secret),
            "platforms": list(platforms),
            "redirect_url": redirect_url,
            "options": Jsonb(msgspec.to_builtins(options or LinkOptions())),
            "direct": direct,
            "seconds": seconds,
        }
        if await self._row("create", values) is None:
            raise NotFound("There is no such team.")
        return secret

    async def open(self, secret: str) -> Link:
        """The link of a secret. Raises `SignInFailed` where it is unknown, spent or over."""
        row = await self._row("open", {"hash": hashed(secret)})
        if row is None:
            raise SignInFailed("This link is not known here.", code="link_unknown")
        link = msgspec.convert(row, Link)
        if link.used:
            raise SignInFailed("This link has done its work: it connected an account.", code="link_used", link=link)
        if link.expired:
            raise SignInFailed("This link is over.", code="link_expired", link=link)
        return link

    async def begin(self, link: Link, platform: str, app: str, browser: str) -> tuple[str, str]:
        """Begin a sign-in in a browser: its state, and its proof key. Raises `SignInFailed` where the link is over."""
        id, state, verifier = new_id(), secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        values = {
            "id": id,
            "link_id": link.id,
            "platform": platform,
            "app": app,
            "state": hashed(state),
            "browser": hashed(browser),
            "verifier": self._vault.seal(verifier, table="sign_ins", row=str(id), column="verifier"),
            "seconds": SIGN_IN_SECONDS,
        }
        if await self._row("begin", values) is None:
            raise SignInFailed("This link is over.", code="link_expired", link=link)
        return state, verifier

    async def consume(self, platform: str, state: str, browser: str) -> SignIn:
        """Take a sign-in that came back, this once. Raises `SignInFailed` and says why it is not taken."""
        values = {"state": hashed(state), "browser": hashed(browser), "platform": platform}
        row = await self._row("consume", values)
        if row is None:
            raise await self._unfit(platform, values)
        place = {"table": "sign_ins", "row": str(row["id"]), "column": "verifier"}
        return SignIn(
            link=await self._of_id(row["link_id"]), app=row["app"], verifier=self._vault.open(row["verifier"], **place)
        )

    async def spend(self, link: Link) -> None:
        """The link has connected an account; a direct one is good for no other."""
        async with single(self._pool) as connection:
            await connection.execute(self._sql["spend"], {"id": link.id})

    async def expire(self) -> None:
        """Forget what ended long ago."""
        async with single(self._pool) as connection:
            await connection.execute(self._sql["expire"])

    async def _unfit(self, platform: str, values: dict[str, Any]) -> SignInFailed:
        row = await self._row("explain", values)
        if row is None:
            words = "This sign-in is not known here, or belongs to another platform."
            return SignInFailed(words, code="sign_in_unknown", platform=platform)
        if not row["same_browser"]:
            # Nothing is told of a link to a browser that did not begin there.
            words = "This sign-in was begun in another browser, and can only be finished there."
            return SignInFailed(words, code="other_browser", platform=platform)
        link = await self._of_id(row["link_id"])
        if row["used"]:
            words = "This sign-in was finished before; it is good only once."
            return SignInFailed(words, code="sign_in_used", link=link, platform=platform)
        return SignInFailed("This sign-in took too long.", code="sign_in_expired", link=link, platform=platform)

    async def _of_id(self, id: UUID) -> Link:
        row = await self._row("of_id", {"id": id})
        if row is None:
            raise SignInFailed("This link is not known here any more.", code="link_unknown")
        return msgspec.convert(row, Link)

    async def _row(self, query: str, values: dict[str, Any]) -> dict[str, Any] | None:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchone()


def hashed(secret: str) -> bytes:
    """A secret as it is kept: its 256 random bits leave nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def redirect_finding(url: str) -> Finding | None:
    """What is wrong with an address to which a browser is sent: only plain http and https will do (RFC 9700 §4.11)."""
    parts = None
    if len(url) <= _LONGEST_URL and not re.search(r"[\x00-\x20\x7f\\]", url):
        try:
            parts = urlsplit(url)
            port_is_sound = parts.port is None or parts.port > 0
        except ValueError:
            parts = None
        else:
            parts = parts if port_is_sound else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        words = "Must be a whole http or https address of at most 2048 characters, such as https://app.example/done."
    elif parts.username is not None or parts.password is not None or "@" in parts.netloc:
        words = "Must not hold a user name or password."
    else:
        return None
    return Finding(code="bad_format", path=("redirectUrl",), message=words)


def answered(url: str, answer: dict[str, str]) -> str:
    """The address with an answer added to its query; names that stand there already are replaced."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in answer]
    return parts._replace(query=urlencode([*kept, *answer.items()])).geturl()
