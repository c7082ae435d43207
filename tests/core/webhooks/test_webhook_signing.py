"""What is signed: official verifiers take it, and nothing else."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.webhooks.signing import Payload, Signed, new_secret, sign

SECRET = new_secret()
ID = UUID("0190b3f0-0000-7000-8000-000000000000")


def signed(at: datetime | None = None, *secrets: str) -> Signed:
    payload = Payload(
        id=ID,
        version=1,
        team_id=None,
        subject=ID,
        type="post.published",
        timestamp=datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
        sequence=3,
        previous_sequence=None,
        data={"postId": "p", "title": "Grüße, 世界 🎉"},
    )
    moment = at or datetime.now(UTC)
    return sign(payload, secrets=secrets or [SECRET], message_id="event-1", at=moment)


def test_a_secret_has_the_form_of_standard_webhooks() -> None:
    assert SECRET.startswith("whsec_")
    assert len(base64.b64decode(SECRET.removeprefix("whsec_"), validate=True)) == 32
    assert new_secret() != SECRET


def test_the_official_verifier_takes_it_and_reads_the_documented_body() -> None:
    request = signed()
    body = Webhook(SECRET).verify(request.body, request.headers)
    assert body == {
        "id": str(ID),
        "type": "post.published",
        "version": 1,
        "timestamp": "2026-11-21T10:00:00Z",
        "teamId": None,
        "subject": str(ID),
        "sequence": 3,
        "previousSequence": None,
        "data": {"postId": "p", "title": "Grüße, 世界 🎉"},
    }
    assert list(body) == [
        "id", "type", "version", "timestamp", "teamId", "subject", "sequence", "previousSequence", "data",
    ]  # fmt: skip
    assert request.headers["webhook-id"] == "event-1"


def test_x_signature_is_the_hex_hmac_of_the_body_with_the_secret_as_shown() -> None:
    request = signed()
    expected = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-signature"] == expected


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_changed_byte_is_refused(place: int) -> None:
    request = signed()
    changed = bytearray(request.body)
    changed[place] ^= 1
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(bytes(changed), request.headers, json_parse=False)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_a_changed_header_is_refused(header: str) -> None:
    request = signed()
    changed = {**request.headers, header: str(int(datetime.now(UTC).timestamp()) + 7)}
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(SECRET).verify(request.body, changed)


def test_an_old_moment_is_refused() -> None:
    request = signed(datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(request.body, request.headers)


def test_another_secret_is_refused() -> None:
    request = signed()
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(request.body, request.headers)


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    request = signed(datetime.now(timezone(timedelta(hours=9, minutes=30))))
    Webhook(SECRET).verify(request.body, request.headers)


def test_two_secrets_give_two_signatures_and_either_verifies() -> None:
    newer = new_secret()
    request = signed(None, newer, SECRET)
    assert request.headers["webhook-signature"].count("v1,") == 2
    for secret in (newer, SECRET):
        assert Webhook(secret).verify(request.body, request.headers)["sequence"] == 3
    expected = hmac.new(newer.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-signature"] == expected


def test_the_same_event_gives_the_same_bytes_at_every_try() -> None:
    first, second = signed(), signed(datetime.now(UTC) + timedelta(hours=3))
    assert (
        first.body
        == second.body
        == json.dumps(json.loads(first.body), separators=(",", ":"), ensure_ascii=False).encode()
    )
