"""Signing: the body of a webhook, and the headers by which its receiver knows that it is ours and unchanged."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins
_SECRET_BYTES = 32


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a webhook says. Every try sends the very same bytes.

    `sequence` counts the events of one subject. `previous_sequence` is that of the event which this endpoint
    was sent before it, or null for the first: where a receiver has seen another one last, something is missing
    or late; what the endpoint's filter left out is no gap.
    """

    type: str
    timestamp: datetime
    sequence: int
    previous_sequence: int | None
    data: dict[str, Any]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is ready to be sent: these bytes, with these headers."""

    headers: dict[str, str]
    body: bytes


def new_secret() -> str:
    """A fresh signing secret: `whsec_` and 32 random bytes in base64, as Standard Webhooks has it."""
    return SECRET_PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def sign(payload: Payload, *, secrets: Sequence[str], message_id: str, at: datetime) -> Signed:
    """The payload as bytes, signed at the moment `at` (with a zone) under each of `secrets`, the newest first.

    `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard Webhooks; several secrets
    give several signatures there, so that a receiver may know either. `x-signature` is bundle.social's: the
    lowercase hex HMAC-SHA256 of the body, with the newest secret exactly as it was shown.
    """
    body = msgspec.json.encode(payload)
    text, moment = body.decode(), at.astimezone(UTC)  # the package reads every moment as one in UTC
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, moment, text) for secret in secrets),
        "x-signature": hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest(),
    }
    return Signed(headers=headers, body=body)
