"""The kinds of event: what each is called, what its data are, and what bundle.social calls it."""

import msgspec

from core.events.data import (
    AccountData,
    ChangeData,
    DeliveryData,
    EndpointData,
    ImportData,
    PostData,
    TeamData,
    TestData,
    UploadData,
)
from core.ledger.states import State

Shape = type[msgspec.Struct]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of event. `subject` is whose sequence counts it; `version` rises when `data` changes its shape.

    `vendor` is the event of bundle.social that an endpoint in its format gets, if there is one. Nobody sends what is
    not `sent` yet; that it can be subscribed to already harms nobody.
    """

    type: str
    data: Shape
    subject: str
    says: str
    version: int = 1
    vendor: str | None = None
    sent: bool = True


def _delivery(state: State, says: str) -> Kind:
    return Kind(type=f"delivery.{state}", data=DeliveryData, subject="post", says=says)


def _change(word: str, says: str) -> Kind:
    return Kind(type=f"delivery.{word}", data=ChangeData, subject="post", says=says)


def _account(word: str, says: str, vendor: str) -> Kind:
    return Kind(
        type=f"account.{word}", data=AccountData, subject="account", says=says, vendor=f"social-account.{vendor}"
    )


KINDS: tuple[Kind, ...] = (
    _delivery(State.PUBLISHED, "It is live."),
    _delivery(State.DEFERRED, "It waits for a quota, or for a platform in an outage; that costs no attempt."),
    _delivery(State.RETRYING, "Nothing was made; it is tried again, or a person wants it tried again."),
    _delivery(State.PROCESSING, "The platform has it and is still at work."),
    _delivery(State.UNCONFIRMED, "Nobody knows whether it went out; the platform is read before anything is sent."),
    _delivery(State.NEEDS_REVIEW, "Nobody knows whether it went out, and only a person can find out."),
    _delivery(State.FAILED, "It did not go out, and is not tried again."),
    _delivery(State.CANCELLED, "It was called off before it went out."),
    _change("changed", "What is live was changed on its platform."),
    _change("removed", "What was live was taken off its platform; its post stays as it is."),
    _change("saved", "A copy of what is live was put into another channel."),
    Kind(
        type="post.published",
        data=PostData,
        subject="post",
        says="Every delivery of the post is live.",
        vendor="post.published",
    ),
    Kind(
        type="post.failed",
        data=PostData,
        subject="post",
        says="Nothing is open any more, and a delivery has failed; what is live is in `deliveries`.",
        vendor="post.published",
    ),
    Kind(
        type="post.review_requested", data=PostData, subject="post", says="The post waits for somebody to approve it."
    ),
    Kind(type="post.approved", data=PostData, subject="post", says="The post was approved, and goes out at its date."),
    Kind(type="post.rejected", data=PostData, subject="post", says="The post was rejected, and is a draft again."),
    Kind(type="post.deleted", data=PostData, subject="post", says="The post was put away; what is live stays live."),
    _account("connected", "An account was connected, or connected again.", "created"),
    _account("at_risk", "Its authorisation ends soon, or may have been lost: connect it again in time.", "updated"),
    _account(
        "needs_reauth", "The platform no longer accepts it: its posts wait until it is connected again.", "updated"
    ),
    _account("disconnected", "It was disconnected.", "deleted"),
    Kind(type="team.created", data=TeamData, subject="team", says="A team was made.", vendor="team.created"),
    Kind(type="team.updated", data=TeamData, subject="team", says="A team was changed.", vendor="team.updated"),
    Kind(type="team.deleted", data=TeamData, subject="team", says="A team was put away.", vendor="team.deleted"),
    Kind(type="upload.created", data=UploadData, subject="upload", says="A file was taken in."),
    Kind(type="upload.deleted", data=UploadData, subject="upload", says="A file was let go."),
    Kind(type="import.completed", data=ImportData, subject="import", says="An import has come to its end.", sent=False),
    Kind(type="import.failed", data=ImportData, subject="import", says="An import was given up.", sent=False),
    Kind(
        type="webhook_endpoint.disabled",
        data=EndpointData,
        subject="webhook endpoint",
        says="An endpoint was switched off, because it is gone or has failed for three days; the others hear of it.",
    ),
    Kind(
        type="webhook_endpoint.test",
        data=TestData,
        subject="webhook endpoint",
        says="Somebody asked for it; only the endpoint that is tried gets it, whatever it wants to hear.",
    ),
)
"""Every kind of event, in the order in which a reader meets them."""

VENDOR_TYPES: tuple[str, ...] = (
    "post.published",
    "comment.published",
    "team.created",
    "team.updated",
    "team.deleted",
    "social-account.created",
    "social-account.updated",
    "social-account.deleted",
)
"""The events of bundle.social; comments are never published here."""


def kind_of(type: str) -> Kind:
    """The kind of that name. Raises KeyError."""
    for kind in KINDS:
        if kind.type == type:
            return kind
    raise KeyError(type)
