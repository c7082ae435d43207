"""Connecting: from a link to the platform's page and back, or through a form, to an account of the team."""

from collections.abc import Mapping, Sequence

import httpx
import msgspec
import structlog

from core.accounts.accounts import Accounts, Joined
from core.accounts.apps import Apps
from core.accounts.introduction import introduce, stranger_session
from core.accounts.links import Link, Links, SignIn, SignInFailed
from core.accounts.server_apps import ServerApps
from core.adapter import Profile
from core.connect import Form, OAuth, ServerOAuth, Tokens, own_hosts
from core.database.notices import Notices
from core.drafting import AnyAdapter
from core.errors import FingerpostError, NotAuthorized, PublishError, Rejected
from core.governor.allowance import Passage
from core.governor.passages import Passages, counted
from core.http import open_client
from core.oauth.app import DEFAULT_APP, App
from core.oauth.authorization import authorization_url
from core.oauth.tokens import TokenEndpoint
from core.post import Channel
from core.settings import Settings

LONGEST_FIELD = 8192
"""Characters of a field that are read."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An account is connected: `joined` says which, and `profile` whose it is."""

    link: Link
    platform: str
    joined: Joined
    profile: Profile


class Connector:
    """Leads end users through the connecting of accounts. `transport` belongs to the caller."""

    def __init__(
        self,
        *,
        links: Links,
        accounts: Accounts,
        apps: Apps,
        server_apps: ServerApps,
        registry: Mapping[str, AnyAdapter],
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
        notices: Notices,
        passages: Passages | None = None,
    ) -> None:
        self._links = links
        self._accounts = accounts
        self._apps = apps
        self._server_apps = server_apps
        self._registry = registry
        self._settings = settings
        self._transport = transport
        self._notices = notices
        self._passages = passages
        self._client = open_client(transport, timeout=settings.request_seconds)
        self._log = structlog.get_logger(__name__)

    def callback(self, platform: str) -> str:
        """Where a platform leads browsers back to: each has its own, and none can answer for another (RFC 9700)."""
        return f"{self._settings.public}/connect/callback/{platform.lower()}"

    def adapter(self, link: Link, platform: str) -> AnyAdapter:
        """The adapter of a platform that the link is for. Raises `SignInFailed`."""
        adapter = self._registry.get(platform)
        if adapter is None or platform not in link.platforms or adapter.connect is None:
            raise SignInFailed("This link is not for that platform.", code="link_unknown", link=link, platform=platform)
        return adapter

    async def begin(self, link: Link, platform: str, browser: str) -> str:
        """Begin a sign-in: the address of the platform's page, or the state that its form has to bring along.

        Raises `SignInFailed` where the server has no app there, or the team has as many accounts as it may.
        """
        adapter = self.adapter(link, platform)
        await self._refuse_too_many(link, platform)
        if not isinstance(adapter.connect, OAuth):
            state, _ = await self._links.begin(link, platform, DEFAULT_APP, browser)
            return state
        app = await self._apps.of(link.organization_id, adapter)
        if app is None:
            words = f"This server is not registered at {adapter.label} yet; its operator has to do that."
            raise SignInFailed(words, code="app_missing", link=link, platform=platform)
        state, verifier = await self._links.begin(link, platform, app.name, browser)
        hosts = self._settings.hosts_of(adapter)
        callback = self.callback(platform)
        more = self._settings.scopes_of(adapter)
        return authorization_url(
            adapter.connect, app, hosts, redirect_uri=callback, state=state, verifier=verifier, more=more
        )

    async def lead(self, link: Link, platform: str, browser: str, fields: Mapping[str, str]) -> str:
        """The address of the page of the server that a person has named in the fields. Raises `SignInFailed`."""
        adapter = self.adapter(link, platform)
        way = adapter.connect
        assert isinstance(way, ServerOAuth)
        await self._refuse_too_many(link, platform)
        own = _own_hosts(adapter, way.form, _given(adapter, way.form, fields, link), link)
        passage = self._passages.visit(adapter, app=DEFAULT_APP) if self._passages is not None else None
        try:
            app = await self._server_apps.of(link.organization_id, adapter, way, own, passage)
        except PublishError as error:
            raise self._failed(adapter, link, error) from error
        state, verifier = await self._links.begin(link, platform, app.name, browser)
        hosts, callback = self._settings.hosts_of(adapter, own), self._server_apps.callback(platform, app)
        return authorization_url(way.oauth, app, hosts, redirect_uri=callback, state=state, verifier=verifier)

    async def submit(self, platform: str, browser: str, state: str, fields: Mapping[str, str]) -> str:
        """The fields of a form that asks for a server have come: the address of its page. Raises `SignInFailed`."""
        adapter = self._registry.get(platform)
        if adapter is None or not isinstance(adapter.connect, ServerOAuth):
            raise SignInFailed("There is no such platform.", code="sign_in_unknown", platform=platform)
        sign_in = await self._links.consume(platform, state, browser)
        return await self.lead(sign_in.link, platform, browser, fields)

    async def finish_at(self, platform: str, name: str, browser: str, query: Mapping[str, str]) -> Done:
        """The browser is back from the server at which the app of that name is registered. Raises `SignInFailed`."""
        adapter = self._registry.get(platform)
        if adapter is None or not isinstance(adapter.connect, ServerOAuth):
            raise SignInFailed("There is no such platform.", code="sign_in_unknown", platform=platform)
        sign_in = await self._links.consume(platform, query.get("state", ""), browser)
        link, app = sign_in.link, await self._server_apps.named(adapter, name)
        if app is None or name != sign_in.app:
            # Another server answers than the one that was asked: its code must not get there (RFC 9700 §4.4).
            words = "The answer came from another server than the one that was asked."
            raise SignInFailed(words, code="sign_in_unknown", link=link, platform=platform)
        if "error" in query or not query.get("code"):
            raise _denied(adapter, link, query)
        endpoint = self._server_apps.endpoint(adapter, adapter.connect, app)
        sign_in = msgspec.structs.replace(sign_in, app=DEFAULT_APP)
        callback = self._server_apps.callback(platform, app)
        try:
            tokens = await self._asked(adapter, adapter.connect.oauth, endpoint, sign_in, query["code"], callback)
            tokens = msgspec.structs.replace(tokens, refresh_token=None)
            return await self._join(adapter, sign_in, tokens, app.hosts)
        except PublishError as error:
            raise self._failed(adapter, link, error) from error

    async def finish(self, platform: str, browser: str, query: Mapping[str, str]) -> Done:
        """The browser is back from the platform's page (RFC 6749 §4.1.2). Raises `SignInFailed`."""
        adapter = self._registry.get(platform)
        if adapter is None or not isinstance(adapter.connect, OAuth):
            raise SignInFailed("There is no such platform.", code="sign_in_unknown", platform=platform)
        sign_in = await self._links.consume(platform, query.get("state", ""), browser)
        if "error" in query or not query.get("code"):
            raise _denied(adapter, sign_in.link, query)
        app = await self._apps.named(adapter, sign_in.app)
        if app is None:
            words = f"This server is not registered at {adapter.label} any more."
            raise SignInFailed(words, code="app_missing", link=sign_in.link, platform=platform)
        try:
            tokens = await self._exchanged(adapter, adapter.connect, app, sign_in, query["code"])
            return await self._join(adapter, sign_in, tokens)
        except PublishError as error:
            raise self._failed(adapter, sign_in.link, error) from error

    async def finish_form(self, platform: str, browser: str, state: str, fields: Mapping[str, str]) -> Done:
        """The fields of a form have come. Raises `SignInFailed`."""
        adapter = self._registry.get(platform)
        if adapter is None or not isinstance(adapter.connect, Form):
            raise SignInFailed("There is no such platform.", code="sign_in_unknown", platform=platform)
        sign_in = await self._links.consume(platform, state, browser)
        given = _given(adapter, adapter.connect, fields, sign_in.link)
        own = _own_hosts(adapter, adapter.connect, given, sign_in.link)
        hosts = self._settings.hosts_of(adapter, own)
        passage = self._passage(adapter, sign_in)
        session = stranger_session(adapter, "", hosts=hosts, transport=self._transport, passage=passage)
        try:
            return await self._join(adapter, sign_in, await adapter.sign_in(given, session), own)
        except PublishError as error:
            raise self._failed(adapter, sign_in.link, error) from error

    async def _exchanged(self, adapter: AnyAdapter, oauth: OAuth, app: App, sign_in: SignIn, code: str) -> Tokens:
        endpoint = TokenEndpoint(oauth, app, self._settings.hosts_of(adapter), self._client, adapter.classify_token)
        return await self._asked(adapter, oauth, endpoint, sign_in, code, self.callback(adapter.platform))

    async def _asked(
        self, adapter: AnyAdapter, oauth: OAuth, endpoint: TokenEndpoint, sign_in: SignIn, code: str, callback: str
    ) -> Tokens:
        """The tokens for a code, with all the scopes that are needed."""
        async with counted(self._passage(adapter, sign_in), "POST", endpoint.path):
            tokens = await endpoint.exchange(code, redirect_uri=callback, verifier=sign_in.verifier)
        missing = [scope for scope in oauth.scopes if tokens.scopes is not None and scope not in tokens.scopes]
        if missing:
            words = f"{adapter.label} did not give all the permissions that publishing needs. Missing: "
            raise SignInFailed(
                f"{words}{', '.join(missing)}.", code="scope_missing", link=sign_in.link, platform=adapter.platform
            )
        return tokens

    async def _join(
        self, adapter: AnyAdapter, sign_in: SignIn, tokens: Tokens, own: Mapping[str, str] | None = None
    ) -> Done:
        link, platform = sign_in.link, adapter.platform
        hosts = self._settings.hosts_of(adapter, own)
        profile, channels = await self._introduced(adapter, tokens, hosts, self._passage(adapter, sign_in))
        joined = await self._accounts.join(
            link.organization_id, link.team_id, platform, profile, channels, tokens, sign_in.app, own
        )
        await self._links.spend(link)
        self._notices.tell("deliveries")
        self._notices.tell("webhooks")
        self._log.info("account_connected", platform=platform, account=str(joined.id), already=joined.already)
        return Done(link=link, platform=platform, joined=joined, profile=profile)

    def _passage(self, adapter: AnyAdapter, sign_in: SignIn) -> Passage | None:
        """The way of an account of which only the app is known."""
        return self._passages.visit(adapter, app=sign_in.app) if self._passages is not None else None

    async def _introduced(
        self, adapter: AnyAdapter, tokens: Tokens, hosts: Mapping[str, str], passage: Passage | None
    ) -> tuple[Profile, Sequence[Channel]]:
        try:
            token, transport = tokens.access_token, self._transport
            return await introduce(adapter, token, hosts=hosts, transport=transport, passage=passage, way=tokens.way)
        except (FingerpostError, httpx.HTTPError):
            raise
        except Exception as error:
            raise Rejected(f"The platform's answer could not be read ({type(error).__name__}).") from error

    async def _refuse_too_many(self, link: Link, platform: str) -> None:
        if link.options.most is None:
            return
        held = await self._accounts.count(link.organization_id, link.team_id)
        if held >= link.options.most:
            words = f"{held} accounts are connected already, and no more may be."
            raise SignInFailed(words, code="too_many_accounts", link=link, platform=platform)

    def _failed(self, adapter: AnyAdapter, link: Link, error: PublishError) -> SignInFailed:
        self._log.warning("connect_failed", platform=adapter.platform, code=error.code, status=error.http_status)
        if isinstance(error, NotAuthorized | Rejected):
            words = f"{adapter.label} did not accept the sign-in: {error.message}"
            return SignInFailed(words, code="platform_refused", link=link, platform=adapter.platform)
        words = f"{adapter.label} does not answer at present."
        return SignInFailed(words, code="platform_unavailable", link=link, platform=adapter.platform)


def _denied(adapter: AnyAdapter, link: Link, query: Mapping[str, str]) -> SignInFailed:
    """What a platform answers in the place of a code (RFC 6749 §4.1.2.1); its words are anybody's, and not shown."""
    if query.get("error", "access_denied") == "access_denied":
        words = f"You did not give access at {adapter.label}. You can try again whenever you like."
        return SignInFailed(words, code="access_denied", link=link, platform=adapter.platform)
    words = f"{adapter.label} did not carry out the sign-in."
    return SignInFailed(words, code="platform_refused", link=link, platform=adapter.platform)


def _own_hosts(adapter: AnyAdapter, form: Form, given: Mapping[str, str], link: Link) -> dict[str, str]:
    """The server that the account is on, where the form asks for it."""
    try:
        return own_hosts(form.fields, given)
    except ValueError as error:
        raise SignInFailed(str(error), code="field_missing", link=link, platform=adapter.platform) from error


def _given(adapter: AnyAdapter, form: Form, fields: Mapping[str, str], link: Link) -> dict[str, str]:
    """The fields that the form has, each fit to be used."""
    given: dict[str, str] = {}
    for field in form.fields:
        value = fields.get(field.name, "").strip()
        if not value and not field.optional:
            raise SignInFailed(f"{field.label} is missing.", code="field_missing", link=link, platform=adapter.platform)
        if len(value) > LONGEST_FIELD or not value.isprintable():
            words = f"{field.label} is too long, or holds what nobody can type."
            raise SignInFailed(words, code="field_missing", link=link, platform=adapter.platform)
        if value or len(form.fields) > 1:
            given[field.name] = value
    return given
