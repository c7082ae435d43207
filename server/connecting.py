"""Connecting by the API: links that an end user follows to connect an account."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from msgspec import Meta

from core.accounts.links import LinkOptions, Links, redirect_finding
from core.errors import Conflict, InvalidPost
from core.findings import Report
from core.registry import Registry
from core.settings import Settings
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.auth import access
from server.bodies import read_struct
from server.social_account_views import Type
from server.social_accounts import own_team, refuse_unknown

CONNECT_SECONDS = 3600.0
"""How long a link to one platform is good."""

_UNUSED = {"unused": "Known, and of no effect here."}
_Unused = Annotated[Any, Meta(description="Known, and of no effect here.", extra=_UNUSED)]

_Server = (
    Annotated[str, Meta(max_length=2048, description="The server that the account is on, where there are many.")] | None
)


class ConnectRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/social-account/connect`."""

    type: Type
    team_id: str
    redirect_url: Annotated[
        str, Meta(max_length=2048, description="Where the browser goes afterwards, with how it went in the query.")
    ]
    server_url: _Server = None
    disable_auto_login: _Unused = None
    tiktok_force_login: _Unused = None
    force_browser_o_auth: Annotated[Any, Meta(extra=_UNUSED)] = msgspec.field(default=None, name="forceBrowserOAuth")
    instagram_connection_method: _Unused = None
    with_business_scope: _Unused = None


class PortalLinkRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/social-account/create-portal-link`. Pictures from elsewhere are not shown."""

    team_id: str
    social_account_types: Annotated[list[Type], Meta(min_length=1, max_length=100)]
    redirect_url: Annotated[str, Meta(max_length=2048, description="Where the page's way back leads.")] | None = None
    expires_in: Annotated[int, Meta(ge=5, le=2880, description="Minutes for which the link is good.")] = 120
    user_name: Annotated[str, Meta(max_length=100, description="Who is addressed on the page.")] | None = None
    go_back_button_text: Annotated[str, Meta(max_length=60)] | None = None
    hide_go_back_button: bool = False
    hide_user_name: bool = False
    hide_powered_by: bool = False
    max_social_accounts_connected: Annotated[int, Meta(ge=1, description="How many the team may have.")] | None = None
    language: _Unused = None
    logo_url: _Unused = None
    user_logo_url: _Unused = None
    hide_user_logo: _Unused = None
    hide_language_switcher: _Unused = None
    show_modal_on_connect_success: _Unused = None
    server_url: _Server = None
    disable_auto_login: _Unused = None
    tiktok_force_login: _Unused = None
    force_browser_o_auth: Annotated[Any, Meta(extra=_UNUSED)] = msgspec.field(default=None, name="forceBrowserOAuth")
    instagram_connection_method: _Unused = None
    with_business_scope: _Unused = None


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """Where an end user is sent."""

    url: str


class ConnectController(Controller):
    """The calls that make links."""

    path = "/api/v1/social-account"
    tags = ("Social accounts",)

    @post(
        "/connect",
        status_code=200,
        operation_id="socialAccountConnect",
        summary="Connect an account",
        opt=access("write", "team"),
    )
    async def connect(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        registry: NamedDependency[Registry],
        connect_links: NamedDependency[Links],
        settings: NamedDependency[Settings],
    ) -> LinkView:
        """A link that leads an end user to one platform, and back to `redirectUrl`; it connects one account.

        The query of `redirectUrl` tells how it went: `success=true` with `type` and `socialAccountId`, or
        `success=false` with `error` and `errorDescription`.
        """
        body = await read_struct(request, ConnectRequest)
        refuse_unknown([body.type], registry, ("type",))
        _refuse_redirect(body.redirect_url)
        team_id = await own_team(request, tenants, body.team_id)
        public = _public(settings)
        secret = await connect_links.create(
            request.user.organization_id,
            team_id,
            platforms=(body.type,),
            redirect_url=body.redirect_url,
            seconds=CONNECT_SECONDS,
            direct=True,
            options=LinkOptions(server=body.server_url or ""),
        )
        return LinkView(url=f"{public}/connect/{secret}")

    @post(
        "/create-portal-link",
        status_code=200,
        operation_id="socialAccountCreatePortalLink",
        summary="Create a link to the page for connecting accounts",
        opt=access("write", "team"),
    )
    async def portal_link(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        registry: NamedDependency[Registry],
        connect_links: NamedDependency[Links],
        settings: NamedDependency[Settings],
    ) -> LinkView:
        """A link to a page on which an end user connects accounts to a team, as many as you allow."""
        body = await read_struct(request, PortalLinkRequest)
        refuse_unknown(body.social_account_types, registry, ("socialAccountTypes",))
        _refuse_redirect(body.redirect_url)
        team_id = await own_team(request, tenants, body.team_id)
        public = _public(settings)
        secret = await connect_links.create(
            request.user.organization_id,
            team_id,
            platforms=tuple(dict.fromkeys(body.social_account_types)),
            redirect_url=body.redirect_url,
            seconds=body.expires_in * 60.0,
            direct=False,
            options=_options(body),
        )
        return LinkView(url=f"{public}/connect/{secret}")


def _options(body: PortalLinkRequest) -> LinkOptions:
    return LinkOptions(
        user=body.user_name or "",
        back=body.go_back_button_text or "",
        hide_back=body.hide_go_back_button,
        hide_user=body.hide_user_name,
        hide_powered_by=body.hide_powered_by,
        most=body.max_social_accounts_connected,
        server=body.server_url or "",
    )


def _public(settings: Settings) -> str:
    """Our own address for browsers. Raises `Conflict` where the operator has not set it."""
    if not settings.public:
        words = "This server does not know the address at which browsers reach it; its operator has to set it "
        raise Conflict(f"{words}(FINGERPOST_PUBLIC_URL).", code="public_url_missing")
    return settings.public


def _refuse_redirect(url: str | None) -> None:
    finding = redirect_finding(url) if url is not None else None
    if finding is not None:
        raise InvalidPost(Report((finding,)))
