"""Signing: the body of a webhook, and the headers by which its receiver knows that it is ours and unchanged."""

import base64
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta
from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins
_SECRET_BYTES = 32


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a webhook says. Every try sends the very same bytes.

    Where a receiver has seen another event of the subject last than `previousSequence` tells, something is missing or
    late; what the endpoint's filter left out is no gap.
    """

    id: Annotated[UUID, Meta(description="The event's own, in `webhook-id` too: who has seen it may pass it over.")]
    type: Annotated[str, Meta(description="What happened.")]
    version: Annotated[int, Meta(description="Of the shape of `data`; it rises when a field changes its meaning.")]
    timestamp: Annotated[datetime, Meta(description="When it happened.")]
    team_id: Annotated[UUID | None, Meta(description="Whose it is; null for the organization as a whole.")]
    subject: Annotated[UUID, Meta(description="What it happened to: the post, the account, the team.")]
    sequence: Annotated[int, Meta(description="Counts the events of this subject, from 1, without a gap.")]
    previous_sequence: Annotated[
        int | None,
        Meta(description="The sequence of the event of this subject that this endpoint was sent before it, or null."),
    ]
    data: Annotated[dict[str, Any], Meta(description="What there is to say of it.")]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is ready to be sent: these bytes, with these headers."""

    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    """A fresh signing secret: `whsec_` and 32 random bytes in base64, as Standard Webhooks has it."""
    return SECRET_PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


class Signer:
    """Signs under the same secrets again and again, the newest first; they are taken apart once."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]
        self._newest = secrets[0].encode()

    def sign(self, payload: Payload | bytes, *, message_id: str, at: datetime) -> Signed:
        """The payload as bytes, signed at the moment `at` (with a zone) under each of the secrets.

        `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard Webhooks; several secrets
        give several signatures there, so that a receiver may know either. `x-signature` is bundle.social's: the
        lowercase hex HMAC-SHA256 of the body, with the newest secret exactly as it was shown.
        """
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        text, moment = body.decode(), at.astimezone(UTC)  # the package reads every moment as one in UTC
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(each.sign(message_id, moment, text) for each in self._webhooks),
            "x-signature": hmac.digest(self._newest, body, "sha256").hex(),
        }
        return Signed(headers=headers, body=body)


def sign(payload: Payload | bytes, *, secrets: Sequence[str], message_id: str, at: datetime) -> Signed:
    """A payload that is signed once, as a `Signer` does it."""
    return Signer(secrets).sign(payload, message_id=message_id, at=at)
