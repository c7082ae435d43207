"""Reconnecting by the API: posts that have lost their account go out by another."""

from typing import Annotated

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from msgspec import Meta

from core.accounts.upkeep import Upkeep
from core.posts.reconnecting import MOST, Candidate, Reconnected, Reconnecting
from core.posts.views import timestamp
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.auth import access
from server.bodies import read_struct
from server.queries import read_query
from server.social_account_views import AccountRequest, Type
from server.social_accounts import meant, own_team


class CandidateQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/post/reconnect-social-account/candidates`."""

    team_id: str
    type: Type
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, description="How many are passed over.")] = 0
    limit: Annotated[int, Meta(ge=1, le=100, description="How many are answered.")] = 10


class ReconnectRequest(AccountRequest, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/post/reconnect-social-account`."""

    post_ids: (
        Annotated[list[str], Meta(min_length=1, max_length=MOST, description="Which posts; all that may, without.")]
        | None
    ) = None


class CandidateView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A post that may be reconnected."""

    id: str
    title: str
    post_date: str
    status: str
    created_at: str
    updated_at: str


class CandidatePage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of them; `total` counts all."""

    items: list[CandidateView]
    total: int


class ReconnectedView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one post."""

    post_id: str
    title: str | None
    success: bool
    status_before: str | None
    status_after: str | None
    message: str | None


class ReconnectedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all of them."""

    total: int
    succeeded: int
    failed: int
    results: list[ReconnectedView]


class ReconnectController(Controller):
    """`/api/v1/post/reconnect-social-account`, in bundle.social's shape."""

    path = "/api/v1/post/reconnect-social-account"
    tags = ("Posts",)

    @get(
        "/candidates",
        operation_id="postGetReconnectSocialAccountCandidates",
        summary="List posts that have lost their account",
        opt=access("read", "team"),
    )
    async def candidates(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        reconnecting: NamedDependency[Reconnecting],
    ) -> CandidatePage:
        """Posts that did not go out because their account was disconnected, or wait for one that needs a consent."""
        query = read_query(request, CandidateQuery)
        team_id = await own_team(request, tenants, query.team_id)
        found, total = await reconnecting.candidates(
            request.user.organization_id, team_id, query.type, limit=query.limit, offset=query.offset
        )
        return CandidatePage(items=[_candidate(candidate) for candidate in found], total=total)

    @post(
        status_code=200,
        operation_id="postReconnectSocialAccount",
        summary="Reconnect posts to an account",
        opt=access("write", "team"),
    )
    async def reconnect(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        upkeep: NamedDependency[Upkeep],
        reconnecting: NamedDependency[Reconnecting],
    ) -> ReconnectedPage:
        """Let such posts go out by the account that the team has on the platform now."""
        body = await read_struct(request, ReconnectRequest)
        account = await meant(request, tenants, upkeep, body)
        results = [_result(done) for done in await reconnecting.reconnect(account, body.post_ids)]
        succeeded = sum(result.success for result in results)
        return ReconnectedPage(
            total=len(results), succeeded=succeeded, failed=len(results) - succeeded, results=results
        )


def _candidate(candidate: Candidate) -> CandidateView:
    return CandidateView(
        id=str(candidate.id),
        title=candidate.title,
        post_date=timestamp(candidate.post_date),
        status=candidate.status,
        created_at=timestamp(candidate.created_at),
        updated_at=timestamp(candidate.updated_at),
    )


def _result(done: Reconnected) -> ReconnectedView:
    return ReconnectedView(
        post_id=done.post_id,
        title=done.title,
        success=done.message is None,
        status_before=done.before,
        status_after=done.after,
        message=done.message,
    )
