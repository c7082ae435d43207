"""The posts of the API: taken in, read and listed."""

from urllib.parse import unquote
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from core.errors import NotFound
from core.ids import parse_id
from core.ledger.control import Control
from core.posts.changing import Changing
from core.posts.filters import read_filters
from core.posts.posts import Posts
from core.posts.views import ChangedPostView, FullPostView, NewPostView, Page
from core.tenants.callers import Caller
from server.access import header
from server.auth import access
from server.bodies import decode, read_bytes, read_json
from server.door import MEANWHILE, counted
from server.entity_tags import names, tag_of
from server.straight import Straight

_BY_KEY = b"/reference-key/"


class PostController(Controller):
    """`/api/v1/post`, in bundle.social's shape."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(
        status_code=200,
        operation_id="postCreate",
        summary="Create a post",
        opt=access("write", "accounts") | {MEANWHILE: True},
        middleware=[Straight("posts")],
    )
    async def create(self, request: Request[Caller, None, State], posts: NamedDependency[Posts]) -> NewPostView:
        """Check a post and take it in; it goes out at its date, or at once where that has passed.

        The header `Idempotency-Key` makes it safe to send again: the same request under one key makes one post.
        """
        key, raw = header(request.scope, b"idempotency-key"), await read_bytes(request)
        return await posts.create(
            request.user.organization_id,
            decode(raw),
            raw=raw,
            within=request.user.reach,
            idempotency_key=None if key is None else key.decode("latin-1"),
            admitted=counted(request),
        )

    @get(operation_id="postGetList", summary="List posts", opt=access("read", "accounts"))
    async def page(self, request: Request[Caller, None, State], posts: NamedDependency[Posts]) -> Page:
        """One page of a team's posts. A cursor, `next` and `after`, stays where it is whatever is put in before it."""
        filters = read_filters(request.query_params.multi_items())
        return await posts.page(request.user.organization_id, filters, within=request.user.reach)

    @get("/{id:str}", operation_id="postGet", summary="Get a post", opt=access("read", "accounts", id="post"))
    async def read(
        self, request: Request[Caller, None, State], posts: NamedDependency[Posts], id: FromPath[str]
    ) -> FullPostView:
        """The post with this id. Its `ETag` may be sent back: as `If-None-Match`, or as `If-Match` of a change."""
        return await posts.get(request.user.organization_id, id)

    @get(
        "/reference-key/{reference_key:path}",
        operation_id="postGetByReferenceKey",
        summary="Get a post by its reference key",
        opt=access("read", "accounts"),
    )
    async def by_reference_key(
        self, request: Request[Caller, None, State], posts: NamedDependency[Posts], reference_key: FromPath[str]
    ) -> FullPostView:
        """The newest post with this reference key. Slashes in the key may be sent as they are."""
        raw: bytes = request.scope["raw_path"]
        # The router folds slashes, which a key may well hold; and a slash at the end may be the key's or not.
        key = unquote(raw.partition(_BY_KEY)[2].decode("latin-1")) or reference_key.removeprefix("/")
        keys = (key, key.removesuffix("/"))
        return await posts.by_reference_key(request.user.organization_id, *keys, within=request.user.reach)

    @patch("/{id:str}", operation_id="postUpdate", summary="Change a post", opt=access("write", "accounts", id="post"))
    async def update(
        self, request: Request[Caller, None, State], changing: NamedDependency[Changing], id: FromPath[str]
    ) -> ChangedPostView:
        """Change any field of a post of which nothing is on its way yet; the whole is checked like a create.

        A field that is null is taken out. Of `data`, a block that is given takes the place of that platform's, and null
        takes it out. Where it is too late, nothing is changed, and the answer (409) says why. With `If-Match` the post
        is changed only if it is still as it was read, and the answer is 412 otherwise.
        """
        wanted = request.headers.get("if-match")
        return await changing.change(
            request.user.organization_id,
            _known(id),
            await read_json(request),
            within=request.user.reach,
            expected=(lambda view: names(wanted, tag_of(view))) if wanted is not None else None,
        )

    @post(
        "/{id:str}/retry",
        status_code=200,
        operation_id="postRetry",
        summary="Retry a post",
        opt=access("write", "accounts", id="post"),
    )
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

    @delete(
        "/{id:str}",
        status_code=200,
        operation_id="postDelete",
        summary="Delete a post",
        opt=access("destructive", "accounts", id="post"),
    )
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
