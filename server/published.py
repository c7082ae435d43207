"""What is live of a delivery, over the API: read, changed, taken off its platform, saved to another channel."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.abilities import Live
from core.changes.change import Change, Done
from core.changes.published import PublishedPosts
from core.errors import NotFound
from core.ids import parse_id
from core.ledger.moves import Failure
from core.posts.views import timestamp
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import read_json, read_struct
from server.channels import sound

PlatformId = Annotated[str, Meta(min_length=1, max_length=500)]


class SaveRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/delivery/{id}/published/save`: where the copy goes."""

    channel_id: Annotated[PlatformId, Meta(description="One of the account's channels.")]
    section_id: Annotated[PlatformId, Meta(description="A section of it.")] | None = None


class LiveView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is live at this moment; `fields` are those of the block, as far as the platform tells them."""

    external_id: str
    permalink: str | None
    fields: dict[str, Any]

    @classmethod
    def of(cls, live: Live) -> "LiveView":
        """The view of what is live."""
        return cls(external_id=live.external_id, permalink=live.permalink, fields=live.fields)


class DoneView(LiveView, frozen=True, kw_only=True, rename="camel"):
    """What was changed, or the copy that was made. `looked` says that it was seen to be so and not answered."""

    change_id: UUID | None
    looked: bool


class RemovedView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was taken off its platform; `wasThere` is false where it had gone before."""

    change_id: UUID | None
    removed: bool = True
    was_there: bool


class ChangeView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A change that was asked for: `change`, `delete` or `save`, by whose key, and what became of it.

    `outcome` is `done`, `refused` (nothing was changed) or `unclear` (nobody knows); null while it is under way.
    `looked` says that the outcome was seen, and is not what the platform answered.
    """

    id: UUID
    kind: str
    api_key_id: UUID | None
    request: dict[str, Any]
    started_at: str
    armed_at: str | None
    ended_at: str | None
    outcome: str | None
    looked: bool
    result: dict[str, Any] | None
    error: Failure | None

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        """The view of a change."""
        return cls(
            id=change.id,
            kind=change.kind,
            api_key_id=change.api_key_id,
            request=change.request,
            started_at=timestamp(change.started_at),
            armed_at=timestamp(change.armed_at) if change.armed_at else None,
            ended_at=timestamp(change.ended_at) if change.ended_at else None,
            outcome=change.outcome,
            looked=change.looked,
            result=change.result,
            error=change.error,
        )


class PublishedController(Controller):
    """What can be done with it is the platform's to say, in `GET /api/v1/platforms`. Ours, not the vendor's."""

    path = "/api/v1/delivery/{id:str}/published"
    tags = ("Deliveries",)

    @get(
        operation_id="deliveryGetPublished",
        summary="Look at what is live",
        opt=access("read", "accounts", id="delivery"),
    )
    async def read(
        self, request: Request[Caller, None, State], published: NamedDependency[PublishedPosts], id: FromPath[str]
    ) -> LiveView:
        """What the platform shows of a delivery at this moment."""
        return LiveView.of(await published.read(request.user.organization_id, _delivery(id)))

    @patch(
        operation_id="deliveryUpdatePublished",
        summary="Change what is live",
        opt=access("write", "accounts", id="delivery"),
    )
    async def change(
        self, request: Request[Caller, None, State], published: NamedDependency[PublishedPosts], id: FromPath[str]
    ) -> DoneView:
        """Change fields of the block on the platform; null empties one. What is so already is left alone."""
        delivery_id, body = _delivery(id), await read_json(request)
        return _done(await published.change(request.user.organization_id, delivery_id, body, request.user.key_id))

    @delete(
        status_code=200,
        operation_id="deliveryDeletePublished",
        summary="Take what is live off its platform",
        opt=access("destructive", "accounts", id="delivery"),
    )
    async def delete(
        self, request: Request[Caller, None, State], published: NamedDependency[PublishedPosts], id: FromPath[str]
    ) -> RemovedView:
        """Delete it on the platform. The post and its delivery stay, and say so. Twice does no harm."""
        done = await published.delete(request.user.organization_id, _delivery(id), request.user.key_id)
        return RemovedView(change_id=done.id, was_there=not done.result["already"])

    @post(
        "/save",
        operation_id="deliverySavePublished",
        summary="Save what is live to another channel",
        opt=access("write", "accounts", id="delivery"),
    )
    async def save(
        self, request: Request[Caller, None, State], published: NamedDependency[PublishedPosts], id: FromPath[str]
    ) -> DoneView:
        """Put a copy into another channel of the account. The same again answers the copy that is there."""
        delivery_id, body = _delivery(id), await read_struct(request, SaveRequest)
        section_id = sound(body.section_id) if body.section_id is not None else None
        return _done(
            await published.save(
                request.user.organization_id, delivery_id, sound(body.channel_id), section_id, request.user.key_id
            )
        )


def _delivery(text: str) -> UUID:
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such delivery.")
    return id


def _done(done: Done) -> DoneView:
    live = msgspec.convert(done.result, Live)
    return DoneView(**msgspec.structs.asdict(LiveView.of(live)), change_id=done.id, looked=done.looked)
