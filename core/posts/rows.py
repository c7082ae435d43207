"""Posts as they lie in the database, and what is to be seen of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from core.errors import BrokenAdapter, OutcomeUnknown, RateLimited, Unavailable
from core.ledger.moves import Failure
from core.ledger.states import State
from core.post import Channel
from core.posts.views import (
    AccountView,
    DeliveryView,
    ErrorView,
    ExternalView,
    FullPostView,
    PostAccountView,
    PostUploadView,
    Retryability,
    ReviewView,
    UploadView,
    timestamp,
)
from core.uploads.upload import Upload

_SILENT = frozenset({State.PUBLISHED, State.CANCELLED})
_ENDED = frozenset({State.FAILED, State.NEEDS_REVIEW})
# The platform or we were at fault and nothing was made: sending it again may well succeed.
_MAY_SUCCEED = frozenset({Unavailable.code, RateLimited.code, "worker_lost", "lease_lost", "not_made", "too_late"})
_UNCERTAIN = frozenset({OutcomeUnknown.code, BrokenAdapter.code})


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as far as it is shown."""

    id: UUID
    platform: str
    social_account_id: UUID
    state: State
    due_at: datetime
    attempts: int = 0
    external_id: str | None = None
    permalink: str | None = None
    published_at: datetime | None = None
    removed_at: datetime | None = None
    error: Failure | None = None

    @property
    def failure(self) -> Failure | None:
        """What stands in its way, if anything does."""
        if self.state in _SILENT or self.error is None:
            return None
        if self.state is State.NEEDS_REVIEW:
            return msgspec.structs.replace(self.error, code=OutcomeUnknown.code)
        return self.error


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """A social account as far as it is shown."""

    id: UUID
    platform: str
    team_id: UUID
    username: str
    display_name: str
    avatar_url: str | None
    external_user: str
    channels: list[Channel]
    created_at: datetime
    updated_at: datetime
    disconnected_at: datetime | None


class ReviewRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a post that waited for approval."""

    verdict: Literal["approved", "rejected"]
    note: str | None
    api_key_id: UUID
    at: datetime


class PostRow(msgspec.Struct, frozen=True, kw_only=True):
    """A post with everything that belongs to it; `content` is the request as it was sent."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    title: str
    reference_key: str | None
    post_date: datetime
    posted_at: datetime | None = None
    status: str
    platforms: list[str]
    content: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    deliveries: list[DeliveryRow]
    reviews: list[ReviewRow] = []
    uploads: list[Upload] = []
    accounts: list[AccountRow] = []


def shown(row: PostRow) -> dict[str, Any]:
    """The fields of a `PostView`."""
    failures = _worst(row.deliveries)
    errors = {platform: failure.message for platform, (_, failure) in failures.items()}
    return {
        "id": row.id,
        "team_id": row.team_id,
        "organization_id": row.organization_id,
        "title": row.title,
        "reference_key": row.reference_key,
        "post_date": timestamp(row.post_date),
        "posted_date": _optional(row.posted_at),
        "status": row.status,
        "social_account_types": row.platforms,
        "data": row.content.get("data", {}),
        "first_comment": row.content.get("firstComment"),
        "error": next(iter(errors.values()), None) if row.status == "ERROR" else None,
        "errors": errors or None,
        "errors_verbose": {name: _error(*failed) for name, failed in failures.items()} or None,
        "external_data": _external(row.deliveries) or None,
        "deliveries": [_delivery(delivery) for delivery in row.deliveries],
        "reviews": [_review(review) for review in row.reviews],
        "retry_count": sum(max(delivery.attempts - 1, 0) for delivery in row.deliveries),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "deleted_at": _optional(row.deleted_at),
    }


def shown_in_full(row: PostRow) -> FullPostView:
    """The post with its uploads and accounts."""
    born = {"created_at": timestamp(row.created_at), "updated_at": timestamp(row.created_at)}
    published = {delivery.social_account_id: delivery.external_id for delivery in row.deliveries}
    return FullPostView(
        **shown(row),
        uploads=[
            PostUploadView(post_id=row.id, upload_id=upload.id, upload=UploadView.of(upload), **born)
            for upload in row.uploads
        ],
        social_accounts=[
            PostAccountView(
                post_id=row.id,
                social_account_id=account.id,
                external_post_id=published.get(account.id),
                social_account=account_view(account),
                **born,
            )
            for account in row.accounts
        ],
    )


def _worst(deliveries: Sequence[DeliveryRow]) -> dict[str, tuple[DeliveryRow, Failure]]:
    """Of each platform the delivery in the worst trouble: failed, then unclear, then whatever is tried again."""
    ranks = {State.FAILED: 0, State.NEEDS_REVIEW: 1}
    worst: dict[str, tuple[DeliveryRow, Failure]] = {}
    for delivery in sorted(deliveries, key=lambda delivery: ranks.get(delivery.state, 2)):
        if delivery.failure is not None:
            worst.setdefault(delivery.platform, (delivery, delivery.failure))
    return worst


def _error(delivery: DeliveryRow, failure: Failure) -> ErrorView:
    return ErrorView(
        code=failure.code,
        error_message=failure.message,
        is_transient=delivery.state not in _ENDED,
        retryability=_retryability(delivery.state, failure.code),
        http_status=failure.http_status,
        meta={
            "deliveryId": str(delivery.id),
            "socialAccountId": str(delivery.social_account_id),
            "state": delivery.state.value,
            "platformCode": failure.platform_code,
        },
        user_facing_message=_said(failure),
    )


def _said(failure: Failure) -> str:
    """What has happened, and what to do. A platform's own words may end without a full stop."""
    message = failure.message.strip()
    stop = "." if message and failure.hint and message[-1] not in ".!?:…" else ""
    return f"{message}{stop} {failure.hint}".strip()


def _retryability(state: State, code: str) -> Retryability:
    if state not in _ENDED or (state is State.FAILED and code in _MAY_SUCCEED):
        return "retryable"
    return "unknown" if state is State.NEEDS_REVIEW or code in _UNCERTAIN else "non_retryable"


def _external(deliveries: Iterable[DeliveryRow]) -> dict[str, ExternalView]:
    found: dict[str, ExternalView] = {}
    for delivery in deliveries:
        if delivery.state is State.PUBLISHED and delivery.external_id is not None:
            found.setdefault(delivery.platform, ExternalView(id=delivery.external_id, permalink=delivery.permalink))
    return found


def _delivery(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        platform=row.platform,
        social_account_id=row.social_account_id,
        state=row.state.value,
        due_at=timestamp(row.due_at),
        attempts=row.attempts,
        external_id=row.external_id,
        permalink=row.permalink,
        published_at=_optional(row.published_at),
        removed_at=_optional(row.removed_at),
        error=row.failure,
    )


def _review(row: ReviewRow) -> ReviewView:
    return ReviewView(verdict=row.verdict, note=row.note, api_key_id=row.api_key_id, at=timestamp(row.at))


def account_view(row: AccountRow) -> AccountView:
    """A social account as it is shown."""
    return AccountView(
        id=row.id,
        type=row.platform,
        team_id=row.team_id,
        username=row.username,
        display_name=row.display_name,
        avatar_url=row.avatar_url,
        external_id=row.external_user,
        channels=row.channels,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        deleted_at=_optional(row.disconnected_at),
    )


def _optional(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None
