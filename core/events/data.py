"""What events say: the shape of each kind's data, described where it is declared."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Platform = Annotated[str, Meta(description="The platform, as in `socialAccountTypes`.")]
TeamId = Annotated[UUID, Meta(description="The team.")]


class EventError(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why something did not go out (yet); the codes are in the handbook."""

    code: Annotated[str, Meta(description="Ours, and stable.")]
    message: Annotated[str, Meta(description="For a person.")]
    hint: Annotated[str, Meta(description="What to do about it.")] = ""
    platform_code: Annotated[str | None, Meta(description="The platform's own code.")] = None
    http_status: Annotated[int | None, Meta(description="The platform's HTTP status.")] = None


class DeliveryData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A delivery that has come to another state."""

    delivery_id: Annotated[UUID, Meta(description="The delivery.")]
    post_id: Annotated[UUID, Meta(description="Its post.")]
    team_id: TeamId
    platform: Platform
    social_account_id: Annotated[UUID, Meta(description="The account that it goes to.")]
    state: Annotated[str, Meta(description="The state that it is in now.")]
    post_status: Annotated[str, Meta(description="What the post reads now: `status` of `GET /api/v1/post/{id}`.")]
    external_id: Annotated[str | None, Meta(description="The platform's id of what is live.")]
    permalink: Annotated[str | None, Meta(description="Where it is to be seen.")]
    published_at: Annotated[datetime | None, Meta(description="When it went out.")]
    error: Annotated[EventError | None, Meta(description="Why it has not gone out, or not yet.")]
    next_at: Annotated[datetime | None, Meta(description="When something happens next by itself.")]


class ChangeData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was done on a platform with a post that is live there."""

    change_id: Annotated[UUID, Meta(description="The change, as the history of the delivery lists it.")]
    delivery_id: Annotated[UUID, Meta(description="The delivery.")]
    post_id: Annotated[UUID, Meta(description="Its post.")]
    team_id: TeamId
    platform: Platform
    social_account_id: Annotated[UUID, Meta(description="The account at which it is.")]
    external_id: Annotated[str, Meta(description="The platform's id of what it was done with.")]
    fields: Annotated[list[str], Meta(description="The fields of the block that were changed.")]
    copy_id: Annotated[str | None, Meta(description="The platform's id of the copy that was made.")]
    permalink: Annotated[str | None, Meta(description="Where what it was done with, or the copy, is to be seen.")]


class DeliverySummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One delivery of a post, as the post's events list it."""

    delivery_id: Annotated[UUID, Meta(description="The delivery.")]
    platform: Platform
    social_account_id: Annotated[UUID, Meta(description="The account that it goes to.")]
    state: Annotated[str, Meta(description="The state that it is in.")]
    external_id: Annotated[str | None, Meta(description="The platform's id of what is live.")]
    permalink: Annotated[str | None, Meta(description="Where it is to be seen.")]
    error: Annotated[EventError | None, Meta(description="What stood in its way last.")]


class PostData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A post as a whole, with all its deliveries."""

    post_id: Annotated[UUID, Meta(description="The post.")]
    team_id: TeamId
    status: Annotated[str, Meta(description="What it reads: `status` of `GET /api/v1/post/{id}`.")]
    title: Annotated[str, Meta(description="Its title.")]
    reference_key: Annotated[str | None, Meta(description="The client's own name for it.")]
    posted_at: Annotated[datetime | None, Meta(description="When the last of it went out.")]
    deliveries: Annotated[list[DeliverySummary], Meta(description="What became of each delivery.")]


class AccountData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A social account, and how its authorisation fares."""

    social_account_id: Annotated[UUID, Meta(description="The account.")]
    team_id: TeamId
    platform: Platform
    username: Annotated[str, Meta(description="Its name on the platform.")]
    display_name: Annotated[str, Meta(description="What people call it.")]
    external_id: Annotated[str, Meta(description="The platform's id of it.")]
    state: Annotated[str, Meta(description="`live`, `at_risk`, `needs_reauth` or `released`.")]
    error: Annotated[EventError | None, Meta(description="Why it is not live.")]
    expires_at: Annotated[datetime | None, Meta(description="When its authorisation ends.")]


class TeamData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A team."""

    team_id: TeamId
    organization_id: Annotated[UUID, Meta(description="Its organization.")]
    name: Annotated[str, Meta(description="What people call it.")]
    avatar_url: Annotated[str | None, Meta(description="A picture of it.")]
    created_at: Annotated[datetime, Meta(description="When it was made.")]
    updated_at: Annotated[datetime, Meta(description="When it was changed last.")]
    deleted_at: Annotated[datetime | None, Meta(description="When it was put away.")]


class UploadData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An upload."""

    upload_id: Annotated[UUID, Meta(description="The upload.")]
    team_id: TeamId
    kind: Annotated[Literal["image", "video", "document"], Meta(description="What kind of file it is.")]
    mime: Annotated[str, Meta(description="Its media type.")]
    bytes: Annotated[int, Meta(description="Its length.")]


class ImportData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An import job."""

    import_id: Annotated[UUID, Meta(description="The job.")]
    team_id: TeamId
    total_rows: Annotated[int, Meta(description="How many rows it has.")]
    success_rows: Annotated[int, Meta(description="How many were taken in.")]
    failed_rows: Annotated[int, Meta(description="How many were not.")]
    error: Annotated[EventError | None, Meta(description="Why the job as a whole has failed.")]


class EndpointData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook endpoint that is sent nothing any more."""

    webhook_endpoint_id: Annotated[UUID, Meta(description="The endpoint.")]
    team_id: Annotated[UUID | None, Meta(description="Its team; null for the whole organization.")]
    url: Annotated[str, Meta(description="Where it is.")]
    reason: Annotated[
        Literal["gone", "failing"], Meta(description="It answered 410, or has taken nothing for three days.")
    ]
    failing_since: Annotated[datetime | None, Meta(description="Since when it has taken nothing.")]


class TestData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing has happened: somebody wants to see whether webhooks arrive."""

    webhook_endpoint_id: Annotated[UUID, Meta(description="The endpoint that is tried.")]
    message: Annotated[str, Meta(description="Words for a person.")]
