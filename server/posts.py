"""The posts of the API: taken in, read and listed."""

from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.dates import parse_date
from core.errors import InvalidPost, NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.ledger.control import Control
from core.posts.filters import read_filters
from core.posts.posts import Posts
from core.posts.views import FullPostView, NewPostView, Page
from core.tenants.tenants import Caller
from server.bodies import read_json, read_struct


class PostChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `PATCH /api/v1/post/{id}`; for other changes a post is deleted and created anew."""

    post_date: Annotated[str, Meta(description="ISO 8601 with an offset; now or in the past means at once.")]


_BY_KEY = b"/reference-key/"


class PostController(Controller):
    """`/api/v1/post`, in bundle.social's shape."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(status_code=200, operation_id="postCreate", summary="Create a post")
    async def create(self, request: Request[Caller, None, State], posts: NamedDependency[Posts]) -> NewPostView:
        """Check a post and take it in; it goes out at its date, or at once where that has passed.

        The header `Idempotency-Key` makes it safe to send again: the same request under one key makes one post.
        """
        return await posts.create(
            request.user.organization_id,
            await read_json(request),
            idempotency_key=request.headers.get("idempotency-key"),
        )

    @get(operation_id="postGetList", summary="List posts")
    async def page(self, request: Request[Caller, None, State], posts: NamedDependency[Posts]) -> Page:
        """One page of a team's posts."""
        filters = read_filters(request.query_params.multi_items())
        return await posts.page(request.user.organization_id, filters)

    @get("/{id:str}", operation_id="postGet", summary="Get a post")
    async def read(
        self, request: Request[Caller, None, State], posts: NamedDependency[Posts], id: FromPath[str]
    ) -> FullPostView:
        """The post with this id."""
        return await posts.get(request.user.organization_id, id)

    @get(
        "/reference-key/{reference_key:path}",
        operation_id="postGetByReferenceKey",
        summary="Get a post by its reference key",
    )
    async def by_reference_key(
        self, request: Request[Caller, None, State], posts: NamedDependency[Posts], reference_key: FromPath[str]
    ) -> FullPostView:
        """The newest post with this reference key. Slashes in the key may be sent as they are."""
        raw: bytes = request.scope["raw_path"]
        # The router folds slashes, which a key may well hold; and a slash at the end may be the key's or not.
        key = unquote(raw.partition(_BY_KEY)[2].decode("latin-1")) or reference_key.removeprefix("/")
        return await posts.by_reference_key(request.user.organization_id, key, key.removesuffix("/"))

    @patch("/{id:str}", operation_id="postUpdate", summary="Move a post to another date")
    async def update(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        control: NamedDependency[Control],
        id: FromPath[str],
    ) -> FullPostView:
        """Let a post that waits go out at another date."""
        organization_id = request.user.organization_id
        change = await read_struct(request, PostChange)
        post_date = parse_date(change.post_date, ("postDate",))
        if isinstance(post_date, Finding):
            raise InvalidPost(Report((post_date,)))
        await control.reschedule(organization_id, _known(id), post_date, change.post_date)
        return await posts.get(organization_id, id)

    @post("/{id:str}/retry", status_code=200, operation_id="postRetry", summary="Retry a post")
    async def retry(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        control: NamedDependency[Control],
        id: FromPath[str],
    ) -> FullPostView:
        """Try once more what has failed of a post."""
        await control.retry(request.user.organization_id, _known(id))
        return await posts.get(request.user.organization_id, id)

    @delete("/{id:str}", status_code=200, operation_id="postDelete", summary="Delete a post")
    async def remove(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        control: NamedDependency[Control],
        id: FromPath[str],
    ) -> FullPostView:
        """Call off what has not gone out, and put the post away. What is live on a platform stays live."""
        await control.delete(request.user.organization_id, _known(id))
        return await posts.get(request.user.organization_id, id)


def _known(text: str) -> UUID:
    """The id that is spelled, or `NotFound`: a malformed id is an unknown one."""
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such post.")
    return id
