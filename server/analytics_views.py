"""Figures as bundle.social's clients read them, and what is asked about them."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from core.abilities import Figures
from core.insights.statistics import Reading, Subject
from core.ledger.moves import Failure
from core.posts.views import FullPostView, timestamp
from server.social_account_views import SocialAccountView, Type

COUNTS = (
    *("impressions", "impressions_unique", "views", "views_unique", "likes", "dislikes", "comments", "shares", "saves"),
    *("post_count", "followers", "following"),
)


class PostAnalyticsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/analytics/post`."""

    post_id: Annotated[str, Meta(description="Which post.")] | None = None
    imported_post_id: Annotated[str, Meta(description="The vendor's imported posts; there are none here.")] | None = (
        None
    )
    platform_type: Annotated[Type, Meta(description="Only what is on this platform.")] | None = None


class BulkAnalyticsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/analytics/post/bulk`."""

    post_ids: Annotated[list[str], Meta(min_length=1, max_length=60, description="Which posts.")]
    platform_type: Annotated[Type, Meta(description="Only what is on this platform.")]
    page: Annotated[int, Meta(ge=1, le=60, description="Which page of them.")] = 1
    limit: Annotated[int, Meta(ge=1, le=60, description="How many on a page.")] = 20


class AccountAnalyticsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/analytics/social-account`."""

    team_id: Annotated[str, Meta(description="Whose account.")]
    platform_type: Annotated[Type, Meta(description="On which platform.")]
    social_account_id: Annotated[str, Meta(description="Which, where the team has several there.")] | None = None


class ItemView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One reading. The vendor's numbers cannot be empty: what the platform does not tell is 0, and not in `known`.

    `raw` holds the platform's own numbers by its own names, `lacks` what could not be read, and why.
    """

    id: UUID
    impressions: int
    impressions_unique: int
    views: int
    views_unique: int
    likes: int
    comments: int
    known: list[str]
    raw: dict[str, float]
    lacks: list[str]
    forced: bool = False
    created_at: str
    updated_at: str
    deleted_at: None = None


class PostItemView(ItemView, frozen=True, kw_only=True, rename="camel"):
    """One reading of a delivery, whose id is `profilePostId`."""

    profile_post_id: UUID
    dislikes: int
    shares: int
    saves: int

    @classmethod
    def of(cls, reading: Reading, delivery_id: UUID) -> "PostItemView":
        """The view of a reading."""
        return cls(profile_post_id=delivery_id, **_told(reading, cls))


class AccountItemView(ItemView, frozen=True, kw_only=True, rename="camel"):
    """One reading of an account."""

    social_account_id: UUID
    post_count: int
    followers: int
    following: int

    @classmethod
    def of(cls, reading: Reading) -> "AccountItemView":
        """The view of a reading."""
        return cls(social_account_id=reading.social_account_id, **_told(reading, cls))


class ProfilePostView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A delivery as the vendor shows what is live on a profile; `internal` says that it went out from here."""

    id: UUID
    social_account_id: UUID
    post_id: UUID
    external_id: str
    title: str
    permalink: str | None
    published_at: str
    type: Literal["POST", "VIDEO"]
    internal: bool = True
    externally_deleted_at: str | None
    created_at: str
    updated_at: str
    deleted_at: None = None

    @classmethod
    def of(cls, subject: Subject, post: FullPostView) -> "ProfilePostView":
        """The view of a delivery of a post."""
        return cls(
            id=subject.id,
            social_account_id=subject.social_account_id,
            post_id=subject.post_id,
            external_id=subject.external_id,
            title=post.title,
            permalink=subject.permalink,
            published_at=timestamp(subject.published_at),
            type="VIDEO" if subject.is_video else "POST",
            externally_deleted_at=timestamp(subject.removed_at) if subject.removed_at else None,
            created_at=post.created_at,
            updated_at=post.updated_at,
        )


class PostAnalyticsView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of a post; `profilePost` is its first delivery."""

    post: FullPostView
    profile_post: ProfilePostView | None
    items: list[PostItemView]
    error: Failure | None


class BulkResultView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of one of many posts."""

    post_id: str
    items: list[PostItemView]
    error: str | None


class PaginationView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of what was asked for this is."""

    page: int
    limit: int
    total: int
    total_pages: int

    @classmethod
    def of(cls, page: int, limit: int, total: int) -> "PaginationView":
        """A page of so many."""
        return cls(page=page, limit=limit, total=total, total_pages=-(-total // limit))


class BulkAnalyticsView(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of many posts, in the order in which they were asked for."""

    results: list[BulkResultView]
    pagination: PaginationView


class AccountAnalyticsView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The figures of an account."""

    social_account: SocialAccountView
    items: list[AccountItemView]
    error: Failure | None


def _told(reading: Reading, kind: type[ItemView]) -> dict[str, Any]:
    figures: Figures = reading.told
    shown = [name for name in COUNTS if name in kind.__struct_fields__]
    camel = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    at = timestamp(reading.created_at)
    return {
        "id": reading.id,
        **{name: getattr(figures, name) or 0 for name in shown},
        "known": [camel[name] for name in shown if getattr(figures, name) is not None],
        "raw": figures.metrics,
        "lacks": list(figures.lacks),
        "created_at": at,
        "updated_at": at,
    }
