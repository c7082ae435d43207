"""bundle.social's calls for what is live, each under the name that its platform has for a post."""

from typing import Annotated

import msgspec
from litestar import Request, delete
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta

from core.changes.published import PublishedPosts
from core.errors import Conflict, NotFound
from core.ledger.states import State as DeliveryState
from core.posts.posts import Posts
from core.registry import Registry
from core.tenants.bounds import Bounds
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.auth import access
from server.bodies import read_struct
from server.not_offered import NotOfferedCall, refusing
from server.social_accounts import own_team

_TAG = "Deliveries"
_EDITING = "What is live is changed by PATCH /api/v1/delivery/{id}/published here, each delivery by itself."


class LiveRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of the vendor's calls for what is live: which post."""

    team_id: Annotated[str, Meta(description="Whose post.")]
    post_id: Annotated[str, Meta(description="The post, by its id here.")]


class SuccessView(msgspec.Struct, frozen=True, kw_only=True):
    """It is done."""

    success: bool = True


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """How the vendor names a post of a platform, in addresses and in operations."""

    platform: str
    label: str
    noun: str

    @property
    def path(self) -> str:
        """The address behind `/api/v1`."""
        return f"/misc/{self.platform.lower().replace('_', '-')}/{self.noun}"

    def operation(self, verb: str) -> str:
        """What the vendor's package calls it."""
        words = self.platform.split("_")
        return f"misc{''.join(map(str.capitalize, words))}{verb}{self.noun.capitalize()}"


def named(registry: Registry) -> list[Named]:
    """The platforms on which a post has a name and can be taken off."""
    return [
        Named(platform=platform, label=adapter.label, noun=adapter.aftercare.noun)
        for platform, adapter in sorted(registry.items())
        if adapter.aftercare is not None and adapter.aftercare.noun and "delete" in adapter.aftercare.offers
    ]


def removals(registry: Registry) -> list[str]:
    """The operations that take what is live off its platform."""
    return [each.operation("Delete") for each in named(registry)]


def live_posts(registry: Registry) -> list[HTTPRouteHandler]:
    """Two calls for each platform that has a name for its posts: one takes them off, the other says why it does not."""
    found = named(registry)
    return [*map(_removing, found), *map(_editing, found)]


def _editing(each: Named) -> HTTPRouteHandler:
    operation = each.operation("Edit")
    what = f"changing a {each.noun} by its post"
    return refusing(
        NotOfferedCall(method="PATCH", path=each.path, operation=operation, what=what, tag=_TAG, why=_EDITING)
    )


def _removing(each: Named) -> HTTPRouteHandler:
    @delete(
        f"/api/v1{each.path}",
        status_code=200,
        tags=[_TAG],
        operation_id=each.operation("Delete"),
        opt=access("destructive", "accounts"),
        summary=f"Take a post off {each.label}",
        description=f"Delete what is live of a post on {each.label}, at each of its accounts. Twice does no harm.",
    )
    async def remove(
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        bounds: NamedDependency[Bounds],
        posts: NamedDependency[Posts],
        published: NamedDependency[PublishedPosts],
    ) -> SuccessView:
        caller, body = request.user, await read_struct(request, LiveRequest)
        team_id = await own_team(request, tenants, body.team_id)
        post = await posts.get(caller.organization_id, body.post_id)
        if post.team_id != team_id or not await bounds.reached(caller, "post", post.id):
            raise NotFound("There is no such post.")
        there = [delivery for delivery in post.deliveries if delivery.platform == each.platform]
        live = [delivery for delivery in there if delivery.state == DeliveryState.PUBLISHED]
        if not live:
            raise Conflict(f"Nothing of this post is known to be live on {each.label}.")
        for delivery in live:
            await published.delete(caller.organization_id, delivery.id, caller.key_id)
        return SuccessView()

    return remove
