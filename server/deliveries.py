"""The deliveries of the API: what was tried for a post, and what a person found out about one."""

from typing import Annotated, Literal

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.changes.published import PublishedPosts
from core.errors import NotFound
from core.ids import parse_id
from core.ledger.control import Attempt, Control
from core.posts.posts import Posts
from core.posts.views import DeliveryView, FullPostView, timestamp
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import read_struct
from server.published import ChangeView


class AttemptView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One try (`publish`, `resume`) or one `look` at the platform, and what followed from it.

    `armedAt` is when the point of no return was about to be passed. `answer` is the platform's last answer,
    without secrets and cut to size.
    """

    kind: str
    started_at: str
    armed_at: str | None
    ended_at: str | None
    outcome: str | None
    code: str | None
    message: str | None
    hint: str | None
    platform_code: str | None
    http_status: int | None
    answer: str | None
    next_state: str | None
    next_at: str | None


class TriedDelivery(DeliveryView, frozen=True, kw_only=True, rename="camel"):
    """A delivery with everything that was tried for it, and with what was done afterwards, the first of each first."""

    tries: list[AttemptView]
    changes: list[ChangeView]


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """All deliveries of a post."""

    items: list[TriedDelivery]
    total: int


class ResolveRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/delivery/{id}/resolve`: what a person found on the platform."""

    resolution: Annotated[
        Literal["published", "retry", "fail"],
        Meta(description="It is live; or it is not, and shall be tried again, or shall not."),
    ]
    external_id: Annotated[str, Meta(min_length=1, max_length=500, description="The platform's id for it.")] | None = (
        None
    )
    permalink: Annotated[str, Meta(max_length=2048, description="Where a person sees it.")] | None = None


class DeliveryController(Controller):
    """What became of posts, delivery by delivery; ours, the vendor has no such calls."""

    path = "/api/v1"
    tags = ("Deliveries",)

    @get(
        "/post/{id:str}/deliveries",
        operation_id="postGetDeliveries",
        summary="List what was tried for a post",
        opt=access("read", "accounts", id="post"),
    )
    async def tries(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        control: NamedDependency[Control],
        published: NamedDependency[PublishedPosts],
        id: FromPath[str],
    ) -> DeliveryPage:
        """Every delivery of a post, with every try, look and change, and what happens next and when."""
        shown = await posts.get(request.user.organization_id, id)
        attempts = await control.attempts(request.user.organization_id, shown.id)
        changes = await published.history(request.user.organization_id, shown.id)
        items = [
            TriedDelivery(
                **msgspec.structs.asdict(delivery),
                tries=[_view(attempt) for attempt in attempts if attempt.delivery_id == delivery.id],
                changes=[ChangeView.of(change) for change in changes if change.delivery_id == delivery.id],
            )
            for delivery in shown.deliveries
        ]
        return DeliveryPage(items=items, total=len(items))

    @post(
        "/delivery/{id:str}/resolve",
        status_code=200,
        operation_id="deliveryResolve",
        summary="Resolve a delivery",
        opt=access("destructive", "accounts", id="delivery"),
    )
    async def resolve(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        control: NamedDependency[Control],
        id: FromPath[str],
    ) -> FullPostView:
        """Say what became of a delivery that needs review; answers its post."""
        organization_id, delivery_id = request.user.organization_id, parse_id(id)
        found = await read_struct(request, ResolveRequest)
        if delivery_id is None:
            raise NotFound("There is no such delivery.")
        post_id = await control.resolve(
            organization_id,
            delivery_id,
            found.resolution,
            external_id=found.external_id,
            permalink=found.permalink,
        )
        return await posts.get(organization_id, str(post_id))


def _view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        kind=attempt.kind,
        started_at=timestamp(attempt.started_at),
        armed_at=timestamp(attempt.armed_at) if attempt.armed_at else None,
        ended_at=timestamp(attempt.ended_at) if attempt.ended_at else None,
        outcome=attempt.outcome,
        code=attempt.code,
        message=attempt.message,
        hint=attempt.hint,
        platform_code=attempt.platform_code,
        http_status=attempt.http_status,
        answer=attempt.answer,
        next_state=attempt.next_state,
        next_at=timestamp(attempt.next_at) if attempt.next_at else None,
    )
