"""A post on its way in: what is written of it, and what its author is answered."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from core.ledger.states import State
from core.posts.views import DeliveryView, NewPostView, WarningView, timestamp


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A block that is to go to an account, and how many calls of which category that takes."""

    id: UUID
    social_account_id: UUID
    platform: str
    position: int
    block: dict[str, Any]
    calls: Mapping[str, int]


class MadeDelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A delivery that was made for a post."""

    id: UUID
    platform: str
    social_account_id: UUID


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer to a create says beyond its request, so that it can be given again."""

    deliveries: list[MadeDelivery]
    warnings: list[WarningView]


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that was found sound. `content` is the request as sent; `max_delay` is in seconds.

    `folded` and `terms` are what it is found by in a list. `key` and `digest` are the client's idempotency key and what
    tells its request from others. `stamp` tells the team's accounts with which it was checked; where these have changed
    it is not stored, and where it is None it is stored in any case.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID
    title: str
    reference_key: str | None
    post_date: datetime
    status: str
    platforms: list[str]
    content: dict[str, Any]
    max_delay: float
    deliveries: list[NewDelivery]
    uploads: list[UUID]
    folded: str
    terms: list[str]
    made: Made
    key: str | None = None
    digest: bytes | None = None
    stamp: int | None = None


def answer(new: NewPost, stored_at: datetime, *, id: UUID | None = None, made: Made | None = None) -> NewPostView:
    """What is answered when a post has been stored; `id` and `made` are those of an earlier one of the same request."""
    born = timestamp(stored_at)
    post_date = timestamp(new.post_date)
    return NewPostView(
        id=id or new.id,
        team_id=new.team_id,
        organization_id=new.organization_id,
        title=new.title,
        reference_key=new.reference_key,
        post_date=post_date,
        posted_date=None,
        status=new.status,
        social_account_types=new.platforms,
        data=new.content.get("data", {}),
        first_comment=new.content.get("firstComment"),
        error=None,
        errors=None,
        errors_verbose=None,
        external_data=None,
        deliveries=[_scheduled(delivery, max(post_date, born)) for delivery in (made or new.made).deliveries],
        retry_count=0,
        created_at=born,
        updated_at=born,
        deleted_at=None,
        warnings=(made or new.made).warnings,
    )


def _scheduled(delivery: MadeDelivery, due_at: str) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        platform=delivery.platform,
        social_account_id=delivery.social_account_id,
        state=State.SCHEDULED.value,
        due_at=due_at,
        attempts=0,
        external_id=None,
        permalink=None,
        published_at=None,
        removed_at=None,
        error=None,
    )
