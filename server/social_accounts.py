"""The social accounts of the API: listed, looked after, shared and disconnected."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from core.accounts.accounts import Accounts
from core.accounts.upkeep import Listed, Upkeep
from core.errors import InvalidPost, NotFound
from core.findings import Finding, Report, nearest
from core.ids import parse_id
from core.posts.views import timestamp
from core.registry import Registry
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.auth import access
from server.bodies import read_struct
from server.queries import read_query
from server.social_account_views import (
    AccountPage,
    AccountQuery,
    AccountRequest,
    ByTypeQuery,
    ChannelRequest,
    CopyRequest,
    LookView,
    SocialAccountView,
)


class SocialAccountController(Controller):
    """`/api/v1/social-account`, in bundle.social's shape."""

    path = "/api/v1/social-account"
    tags = ("Social accounts",)

    @get(operation_id="socialAccountGetList", summary="List social accounts", opt=access("read", "accounts"))
    async def page(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> AccountPage:
        """The connected accounts of a team, with how each fares."""
        query = read_query(request, AccountQuery)
        team_id = await own_team(request, tenants, query.team_id)
        held = await upkeep.of_team(request.user.organization_id, team_id, query.type, request.user.reach)
        return AccountPage(items=[SocialAccountView.of(account) for account in held], total=len(held))

    @get(
        "/by-type",
        operation_id="socialAccountGetByType",
        summary="Get a social account by team and type",
        opt=access("read", "accounts"),
    )
    async def by_type(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> SocialAccountView:
        """The team's account on a platform; the one connected first, where it has several."""
        query = read_query(request, ByTypeQuery)
        team_id = await own_team(request, tenants, query.team_id)
        caller = request.user
        return SocialAccountView.of(await upkeep.first(caller.organization_id, team_id, query.type, caller.reach))

    @delete(
        "/disconnect",
        status_code=200,
        operation_id="socialAccountDisconnect",
        summary="Disconnect an account",
        opt=access("destructive", "accounts"),
    )
    async def disconnect(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        upkeep: NamedDependency[Upkeep],
        accounts: NamedDependency[Accounts],
    ) -> SocialAccountView:
        """Forget an account and its tokens. What waits for it fails; what is live stays live."""
        account = await meant(request, tenants, upkeep, await read_struct(request, AccountRequest))
        await accounts.remove(account.organization_id, account.id)
        return SocialAccountView.of(account)

    @post(
        "/connection-check",
        status_code=200,
        operation_id="socialAccountConnectionCheck",
        summary="Check whether an account is still connected",
        opt=access("write", "accounts"),
    )
    async def check(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> LookView:
        """Ask the platform whether it still lets us in."""
        account = await meant(request, tenants, upkeep, await read_struct(request, AccountRequest))
        return LookView.of(await upkeep.check(account), _now(), kind="check")

    @post(
        "/profile-refresh",
        status_code=200,
        operation_id="socialAccountProfileRefresh",
        summary="Refresh the profile of an account",
        opt=access("write", "accounts"),
    )
    async def refresh_profile(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> LookView:
        """Take over what the platform tells of the account now: its name, its picture."""
        account = await meant(request, tenants, upkeep, await read_struct(request, AccountRequest))
        return LookView.of(await upkeep.refresh_profile(account), _now(), kind="refresh")

    @post(
        "/refresh-channels",
        status_code=200,
        operation_id="socialAccountRefreshChannels",
        summary="Refresh the channels of an account",
        opt=access("write", "accounts"),
    )
    async def refresh_channels(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> SocialAccountView:
        """Take over the channels that the account has now."""
        account = await meant(request, tenants, upkeep, await read_struct(request, AccountRequest))
        return SocialAccountView.of((await upkeep.refresh_channels(account)).account)

    @post(
        "/set-channel",
        status_code=200,
        operation_id="socialAccountSetChannel",
        summary="Choose a channel",
        opt=access("write", "accounts"),
    )
    async def set_channel(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> SocialAccountView:
        """Choose the channel that an account publishes to, on platforms where it is one."""
        body = await read_struct(request, ChannelRequest)
        account = await meant(request, tenants, upkeep, body)
        return SocialAccountView.of(await upkeep.choose_channel(account, body.channel_id))

    @post(
        "/unset-channel",
        status_code=200,
        operation_id="socialAccountUnsetChannel",
        summary="Choose no channel",
        opt=access("write", "accounts"),
    )
    async def unset_channel(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], upkeep: NamedDependency[Upkeep]
    ) -> SocialAccountView:
        """Take the choice of a channel back."""
        account = await meant(request, tenants, upkeep, await read_struct(request, AccountRequest))
        return SocialAccountView.of(await upkeep.choose_channel(account, None))

    @post(
        "/copy",
        status_code=200,
        operation_id="socialAccountCopy",
        summary="Share accounts with another team",
        opt=access("write", "team"),
    )
    async def copy(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        upkeep: NamedDependency[Upkeep],
        registry: NamedDependency[Registry],
    ) -> list[SocialAccountView]:
        """Let another team of the organization use a team's accounts; both share what the end user allowed."""
        body = await read_struct(request, CopyRequest)
        refuse_unknown(body.social_account_types, registry, ("socialAccountTypes",))
        held = await upkeep.copy(
            request.user.organization_id,
            await own_team(request, tenants, body.from_team_id),
            await own_team(request, tenants, body.to_team_id),
            body.social_account_types,
            reset_channel=body.reset_channel,
        )
        return [SocialAccountView.of(account) for account in held]


async def own_team(request: Request[Caller, Any, Any], tenants: Tenants, text: str) -> UUID:
    """The team that is named, if it is the caller's own. Raises `NotFound`."""
    id = parse_id(text)
    if id is None or await tenants.team(request.user.organization_id, id, request.user.reach) is None:
        raise NotFound("There is no such team.")
    return id


async def meant(request: Request[Caller, Any, Any], tenants: Tenants, upkeep: Upkeep, body: AccountRequest) -> Listed:
    """The account that a request means. Raises `NotFound`, and `Conflict` where it could be several."""
    team_id = await own_team(request, tenants, body.team_id)
    account_id = parse_id(body.social_account_id) if body.social_account_id is not None else None
    if body.social_account_id is not None and account_id is None:
        raise NotFound("There is no such connected account.")
    caller = request.user
    return await upkeep.only(caller.organization_id, team_id, body.type, account_id, caller.reach)


def refuse_unknown(platforms: Iterable[str], registry: Registry, path: tuple[str, ...]) -> None:
    """Raise `InvalidPost` for platforms that are not served here, or to which no account can be connected."""
    findings = []
    for place, name in enumerate(platforms):
        adapter = registry.get(name)
        if adapter is None or adapter.connect is None:
            words = f"'{name[:60]}' is not served here{nearest(name, registry) or '.'}"
            at = (*path, place) if path == ("socialAccountTypes",) else path
            findings.append(Finding(code="unknown_platform", path=at, message=words))
    if findings:
        raise InvalidPost(Report(tuple(findings)))


def _now() -> str:
    return timestamp(datetime.now(UTC))
