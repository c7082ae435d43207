"""The posts of the API: taken in, read and listed."""

from urllib.parse import unquote

from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from core.posts.filters import read_filters
from core.posts.posts import Posts
from core.posts.views import FullPostView, NewPostView, Page
from core.tenants.tenants import Caller
from server.bodies import read_json

_BY_KEY = b"/reference-key/"


class PostController(Controller):
    """`/api/v1/post`, in bundle.social's shape."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(status_code=200, operation_id="postCreate", summary="Create a post")
    async def create(self, request: Request[Caller, None, State], posts: NamedDependency[Posts]) -> NewPostView:
        """Check a post and take it in; it goes out at its date, or at once where that has passed."""
        return await posts.create(request.user.organization_id, await read_json(request))

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
