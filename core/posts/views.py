"""How posts are shown: the Post object of bundle.social's API, and what ours says beyond it."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from core.ledger.moves import Failure
from core.limits import MediaKind
from core.post import Channel
from core.uploads.upload import Upload

Retryability = Literal["retryable", "non_retryable", "unknown"]


def timestamp(moment: datetime) -> str:
    """A moment as answers give it: ISO 8601 in UTC with milliseconds, such as `2026-05-14T10:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One post at one social account, and how far it has come.

    `removedAt` is when it was taken off its platform again, as far as we know.
    """

    id: UUID
    platform: str
    social_account_id: UUID
    state: str
    due_at: str
    attempts: int
    external_id: str | None
    permalink: str | None
    published_at: str | None
    removed_at: str | None
    error: Failure | None


class ErrorView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a platform did not take a post (yet); `isTransient` says that we try again by ourselves."""

    code: str
    error_message: str
    is_transient: bool
    retryability: Retryability
    http_status: int | None
    meta: dict[str, Any]
    user_facing_message: str


class ExternalView(msgspec.Struct, frozen=True, kw_only=True):
    """A published post on its platform."""

    id: str
    permalink: str | None


class UploadView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An upload as bundle.social shows one, and its `altText`.

    `url` is where anyone can read it for some hours, if this server has a public address.
    """

    id: UUID
    team_id: UUID
    organization_id: UUID
    type: MediaKind
    mime: str
    ext: str
    width: int | None
    height: int | None
    file_size: int
    video_length: float | None
    created_at: str
    updated_at: str
    alt_text: str | None = None
    url: str | None = None
    icon_url: None = None
    thumbnail_url: None = None
    external_link: None = None
    path: None = None
    icon_path: None = None
    thumbnail_path: None = None

    @classmethod
    def of(cls, upload: Upload) -> "UploadView":
        """The view of an upload."""
        return cls(
            id=upload.id,
            team_id=upload.team_id,
            organization_id=upload.organization_id,
            type=upload.kind,
            mime=upload.mime,
            ext=upload.extension,
            width=upload.width,
            height=upload.height,
            file_size=upload.bytes,
            video_length=upload.seconds,
            alt_text=upload.alt_text,
            url=upload.url,
            created_at=timestamp(upload.created_at),
            updated_at=timestamp(upload.updated_at),
        )


class PostUploadView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An upload's place in a post."""

    post_id: UUID
    upload_id: UUID
    created_at: str
    updated_at: str
    upload: UploadView


class AccountView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A social account as bundle.social shows one."""

    id: UUID
    type: str
    team_id: UUID
    username: str
    display_name: str
    avatar_url: str | None
    external_id: str
    channels: list[Channel]
    created_at: str
    updated_at: str
    deleted_at: str | None


class PostAccountView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A social account's place in a post."""

    post_id: UUID
    social_account_id: UUID
    external_post_id: str | None
    created_at: str
    updated_at: str
    social_account: AccountView


class ReviewView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was said of a post that waited for approval, when, and with which API key."""

    verdict: Literal["approved", "rejected"]
    note: str | None
    api_key_id: UUID
    at: str


class WarningView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the author may want to mend, though the post was taken."""

    code: str
    message: str
    path: list[str | int]


class PostView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A post. `data` is what was sent; `errors`, `errorsVerbose` and `externalData` are keyed by platform."""

    id: UUID
    team_id: UUID
    organization_id: UUID
    title: str
    reference_key: str | None
    post_date: str
    posted_date: str | None
    status: str
    social_account_types: list[str]
    data: dict[str, Any]
    first_comment: dict[str, str | None] | None
    error: str | None
    errors: dict[str, str] | None
    errors_verbose: dict[str, ErrorView] | None
    external_data: dict[str, ExternalView] | None
    deliveries: list[DeliveryView]
    reviews: list[ReviewView] = []
    retry_count: int
    created_at: str
    updated_at: str
    deleted_at: str | None


class NewPostView(PostView, frozen=True, kw_only=True, rename="camel"):
    """A post that was just taken in, with the warnings of its check."""

    warnings: list[WarningView]


class FullPostView(PostView, frozen=True, kw_only=True, rename="camel"):
    """A post with the files and the accounts that belong to it."""

    uploads: list[PostUploadView]
    social_accounts: list[PostAccountView]


class ChangedPostView(FullPostView, frozen=True, kw_only=True, rename="camel"):
    """A post that was just changed, with the warnings of its check."""

    warnings: list[WarningView]


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a list, and `next`, which asked for as `after` gives what comes behind it; null at the end.

    `total` counts the whole list up to ten thousand posts, or as far as one looks for words and platforms. Beyond it is
    a lower bound, which is above what was shown as long as there is more: `totalIsExact` says which.
    """

    items: list[FullPostView]
    total: int
    total_is_exact: bool
    next: str | None
