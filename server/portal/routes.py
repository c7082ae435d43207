"""The portal: the addresses that end users' browsers visit, from the link to the platform and back."""

import hashlib
from collections.abc import Awaitable
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

import structlog
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from core.accounts.connecting import Connector, Done
from core.accounts.links import Link, Links, SignInFailed, answered
from core.accounts.upkeep import Upkeep
from core.connect import Form, OAuth, ServerOAuth
from core.ids import parse_id
from core.registry import Registry
from core.settings import Settings
from server.auth import OPEN
from server.portal.browser import GUARDED, Visitor, led, shown
from server.portal.pages import Back, Frame, Held, Platform, form, outcome, portal

STATUSES = {
    "link_unknown": 404,
    "link_used": 410,
    "link_expired": 410,
    "sign_in_unknown": 400,
    "sign_in_used": 410,
    "sign_in_expired": 410,
    "other_browser": 403,
    "access_denied": 403,
    "scope_missing": 403,
    "too_many_accounts": 409,
    "field_missing": 400,
    "app_missing": 503,
    "platform_refused": 502,
    "platform_unavailable": 503,
}
"""The status of the page in which each failure ends."""

TITLES = {
    "link_unknown": "This link does not work",
    "link_used": "This link was used before",
    "link_expired": "This link has expired",
    "sign_in_unknown": "This sign-in is not known",
    "sign_in_used": "This sign-in was finished before",
    "sign_in_expired": "This sign-in took too long",
    "other_browser": "This is another browser",
    "access_denied": "Nothing was connected",
    "scope_missing": "A permission is missing",
    "too_many_accounts": "There is no room for another account",
    "app_missing": "This platform is not set up yet",
    "platform_refused": "The platform said no",
    "platform_unavailable": "The platform does not answer",
}

_HOPELESS = {"link_unknown", "link_used", "link_expired", "sign_in_unknown", "too_many_accounts", "app_missing"}


class Portal:
    """Draws the pages for a browser and its link."""

    def __init__(self, links: Links, connector: Connector, upkeep: Upkeep, registry: Registry, public: str) -> None:
        self.links = links
        self.connector = connector
        self.public = public
        self._upkeep = upkeep
        self._registry = registry

    async def start(self, link: Link, secret: str, news: UUID | None) -> Response[bytes]:
        """The page of a link, with a word on the account that was just connected."""
        held = await self._upkeep.of_team(link.organization_id, link.team_id)
        rows = []
        for name in link.platforms:
            adapter = self._registry.get(name)
            if adapter is None or adapter.connect is None:
                continue
            here = [account for account in held if account.platform == name]
            rows.append(
                Platform(
                    label=adapter.label,
                    url=self.address(secret, name),
                    accounts=tuple(
                        Held(name=account.display_name or account.username, troubled=account.state == "needs_reauth")
                        for account in here
                    ),
                )
            )
        new = next((account for account in held if account.id == news), None)
        told = f"{new.display_name or new.username} is connected." if new else None
        user = "" if link.options.hide_user else link.options.user
        answer = {"success": "true"} if new else {}
        page = portal(
            self.frame(link), team=link.team, user=user, platforms=rows, news=told, back=self.back(link, answer)
        )
        return shown(page)

    def form(
        self, link: Link, platform: str, state: str, values: dict[str, str] | None, fault: str | None
    ) -> Response[bytes]:
        """The form of a platform, with what was typed in before."""
        adapter = self.connector.adapter(link, platform)
        way = adapter.connect
        declared = way.form if isinstance(way, ServerOAuth) else way
        assert isinstance(declared, Form)
        if values is None:
            values = _server_of(link, declared)
        page = form(
            self.frame(link),
            label=adapter.label,
            declared=declared,
            state=state,
            values=values,
            fault=fault,
            back=self.back(link, {}),
        )
        targets = [link.redirect_url] if link.redirect_url else []
        anywhere = isinstance(way, ServerOAuth)
        return shown(page, status=400 if fault else 200, targets=targets, anywhere=anywhere)

    def done(self, done: Done, secret: str) -> Response[Any]:
        """Where an account that is connected leads: back to the page, or to the client."""
        link, name = done.link, done.profile.display_name or done.profile.username
        if not link.direct and secret:
            return led(f"{self.public}/connect/{secret}?account={done.joined.id}")
        answer = {"success": "true", "type": done.platform, "socialAccountId": str(done.joined.id)}
        if done.joined.already:
            words = f"{name} was connected already. Its access has been renewed, and nothing else has changed."
            answer["alreadyConnected"] = "true"
            title = "Already connected"
        else:
            if link.redirect_url:
                return led(answered(link.redirect_url, answer))
            title, words = "Connected", f"{name} is connected."
        back = Back.to(answered(link.redirect_url, answer), "Continue") if link.redirect_url else None
        return shown(outcome(self.frame(link), title=title, words=words, good=True, back=back))

    async def told(self, request: Request[Any, Any, Any], work: Awaitable[Response[Any]]) -> Response[Any]:
        """The answer of `work`, or the page in which its failure ends."""
        try:
            return await work
        except SignInFailed as error:
            return await self.failed(error, Visitor.of(request))

    async def failed(self, error: SignInFailed, visitor: Visitor) -> Response[bytes]:
        """The page in which a failure ends; the client hears of it by the way back."""
        link, again = error.link, None
        answer = {"success": "false", "error": error.code, "errorDescription": error.message}
        if error.platform:
            answer["type"] = error.platform
        if link is not None and error.code not in _HOPELESS and await self._is_of(visitor.link, link):
            again = self.address(visitor.link, error.platform) if link.direct else self.address(visitor.link)
        page = outcome(
            self.frame(link),
            title=TITLES.get(error.code, "Nothing was connected"),
            words=error.message,
            good=False,
            again=again,
            back=self.back(link, answer) if link else None,
        )
        return shown(page, status=STATUSES.get(error.code, 400))

    def frame(self, link: Link | None = None) -> Frame:
        """What stands around a page."""
        hidden = link is not None and link.options.hide_powered_by
        return Frame(style=f"{self.public}/connect/style.css?{_style()[1]}", powered_by=not hidden)

    def address(self, secret: str, platform: str = "") -> str:
        """Where a link, or one of its platforms, is found."""
        return f"{self.public}/connect/{secret}{f'/{platform.lower()}' if platform else ''}"

    def back(self, link: Link, answer: dict[str, str]) -> Back | None:
        """The way back to the client."""
        if link.redirect_url is None or (link.options.hide_back and not answer):
            return None
        return Back.to(answered(link.redirect_url, answer), link.options.back)

    async def _is_of(self, secret: str, link: Link) -> bool:
        """Whether a browser's link still leads to where the failed sign-in came from."""
        try:
            return bool(secret) and (await self.links.open(secret)).id == link.id
        except SignInFailed:
            return False


def page_of(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The page for what nobody foresaw: a browser is never answered with JSON."""
    house: Portal = request.app.state.portal
    status = error.status_code if isinstance(error, HTTPException) else 503
    if status >= 500:
        structlog.get_logger().error("portal failed", exc_info=error)
    words = "Something went wrong on our side. Try again in a moment." if status >= 500 else "This address is wrong."
    page = outcome(house.frame(), title="That did not work", words=words, good=False)
    return shown(page, status=status)


class PortalController(Controller):
    """`/connect`: for browsers, so it is no part of the API's description."""

    path = "/connect"
    opt = {OPEN: True}
    include_in_schema = False
    exception_handlers = {Exception: page_of}

    @get("/style.css")
    async def style(self) -> Response[bytes]:
        """The style sheet of every page; its address changes with it."""
        headers = {**GUARDED, "cache-control": "public, max-age=31536000, immutable"}
        return Response(_style()[0], media_type="text/css; charset=utf-8", headers=headers)

    @get("/{secret:str}")
    async def start(
        self, request: Request[Any, Any, State], portal: NamedDependency[Portal], secret: FromPath[str]
    ) -> Response[Any]:
        """The page of a link; a direct one leads on to its platform."""
        return await portal.told(request, _started(portal, request, secret))

    @get("/{secret:str}/{platform:str}")
    async def begin(
        self,
        request: Request[Any, Any, State],
        portal: NamedDependency[Portal],
        secret: FromPath[str],
        platform: FromPath[str],
    ) -> Response[Any]:
        """On to the platform's page, or to its form."""
        return await portal.told(request, _begun(portal, request, secret, platform.upper()))

    @post("/{secret:str}/{platform:str}")
    async def submit(
        self,
        request: Request[Any, Any, State],
        portal: NamedDependency[Portal],
        secret: FromPath[str],
        platform: FromPath[str],
    ) -> Response[Any]:
        """The fields of a form have come."""
        return await portal.told(request, _submitted(portal, request, secret, platform.upper()))

    @get("/callback/{platform:str}")
    async def callback(
        self, request: Request[Any, Any, State], portal: NamedDependency[Portal], platform: FromPath[str]
    ) -> Response[Any]:
        """The platform has led the browser back."""
        return await portal.told(request, _called_back(portal, request, platform.upper()))

    @get("/callback/{platform:str}/{app:str}")
    async def callback_of_server(
        self,
        request: Request[Any, Any, State],
        portal: NamedDependency[Portal],
        platform: FromPath[str],
        app: FromPath[str],
    ) -> Response[Any]:
        """A server of a platform that has many has led the browser back."""
        return await portal.told(request, _called_back(portal, request, platform.upper(), app))


async def _started(portal: Portal, request: Request[Any, Any, Any], secret: str) -> Response[Any]:
    link = await portal.links.open(secret)
    if link.direct:
        (platform,) = link.platforms
        if not isinstance(portal.connector.adapter(link, platform).connect, OAuth):
            # A form is sent to where it is shown.
            return led(f"{portal.public}/connect/{secret}/{platform.lower()}")
        return await _begun(portal, request, secret, platform)
    return await portal.start(link, secret, parse_id(request.query_params.get("account", "")))


async def _begun(portal: Portal, request: Request[Any, Any, Any], secret: str, platform: str) -> Response[Any]:
    link, visitor = await portal.links.open(secret), Visitor.of(request)
    way, fault = portal.connector.adapter(link, platform).connect, None
    answer: Response[Any] | None = None
    if isinstance(way, ServerOAuth) and link.options.server:
        # The client has said which server it is: nobody needs to be asked.
        try:
            server = _server_of(link, way.form)
            answer = led(await portal.connector.lead(link, platform, visitor.secret, server))
        except SignInFailed as error:
            if error.code not in ("field_missing", "platform_refused"):
                raise
            fault = error.message
    if answer is None:
        target = await portal.connector.begin(link, platform, visitor.secret)
        answer = led(target) if isinstance(way, OAuth) else portal.form(link, platform, target, None, fault)
    answer.cookies.extend(visitor.cookies(portal.public, secret))
    return answer


async def _submitted(portal: Portal, request: Request[Any, Any, Any], secret: str, platform: str) -> Response[Any]:
    link, visitor = await portal.links.open(secret), Visitor.of(request)
    way = portal.connector.adapter(link, platform).connect
    sent = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    state = sent.pop("state", "")
    try:
        if isinstance(way, ServerOAuth):
            return led(await portal.connector.submit(platform, visitor.secret, state, sent))
        done = await portal.connector.finish_form(platform, visitor.secret, state, sent)
    except SignInFailed as error:
        if error.code not in ("field_missing", "platform_refused"):
            raise
        state = await portal.connector.begin(link, platform, visitor.secret)
        return portal.form(link, platform, state, sent, error.message)
    return portal.done(done, "" if link.direct else secret)


async def _called_back(portal: Portal, request: Request[Any, Any, Any], platform: str, app: str = "") -> Response[Any]:
    visitor, query = Visitor.of(request), dict(request.query_params)
    if app:
        done = await portal.connector.finish_at(platform, app, visitor.secret, query)
    else:
        done = await portal.connector.finish(platform, visitor.secret, query)
    return portal.done(done, visitor.link)


def _server_of(link: Link, declared: Form) -> dict[str, str]:
    """The fields that ask for a server, with what the link says of it."""
    return {field.name: link.options.server for field in declared.fields if field.host}


@cache
def _style() -> tuple[bytes, str]:
    """The style sheet, and its mark."""
    text = files("server.portal").joinpath("style.css").read_bytes()
    return text, hashlib.sha256(text).hexdigest()[:12]


def open_portal(state: State, settings: Settings) -> Portal:
    """The portal over the rooms of an application."""
    return Portal(state.connect_links, state.connector, state.upkeep, state.registry, settings.public)
