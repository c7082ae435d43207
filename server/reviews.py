"""Reviews: posts whose content waits for somebody to approve it."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.errors import NotFound
from core.ids import parse_id
from core.posts.changing import Changing, Review, Verdict
from core.posts.views import ChangedPostView, FullPostView
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import read_struct


class ReviewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of both calls, which may be left out."""

    note: Annotated[str, Meta(min_length=1, max_length=2000, description="Why; kept with the post.")] | None = None


class ReviewController(Controller):
    """What becomes of a post with the status REVIEW; ours, the vendor has no such calls."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(
        "/{id:str}/approve",
        status_code=200,
        operation_id="postApprove",
        summary="Approve a post",
        opt=access("write", "accounts", id="post"),
    )
    async def approve(
        self, request: Request[Caller, None, State], changing: NamedDependency[Changing], id: FromPath[str]
    ) -> ChangedPostView:
        """Let a post that waits for approval go out at its date, or at once where that has passed.

        It is checked once more, as of now.
        """
        review = await _review(request, "approved")
        return await changing.approve(request.user.organization_id, _known(id), review, within=request.user.reach)

    @post(
        "/{id:str}/reject",
        status_code=200,
        operation_id="postReject",
        summary="Reject a post",
        opt=access("write", "accounts", id="post"),
    )
    async def reject(
        self, request: Request[Caller, None, State], changing: NamedDependency[Changing], id: FromPath[str]
    ) -> FullPostView:
        """Send a post that waits for approval back to its author, as a draft."""
        review = await _review(request, "rejected")
        return await changing.reject(request.user.organization_id, _known(id), review)


async def _review(request: Request[Caller, None, State], verdict: Verdict) -> Review:
    body = await read_struct(request, ReviewRequest, empty=ReviewRequest())
    return Review(verdict=verdict, key_id=request.user.key_id, note=body.note)


def _known(text: str) -> UUID:
    """The id that is spelled, or `NotFound`: a malformed id is an unknown one."""
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such post.")
    return id
