"""Videos on their way in: registered, uploaded to a bucket beside the API, worked at for a while, then good or not."""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.pinterest.sandbox.things import User

SLOT_SECONDS = 3600.0
"""How long a slot for an upload is open."""

LARGEST = 2 * 2**30
"""Bytes of a video at the most; the Help Center says 2 GB."""

ALGORITHM, CONTENT_TYPE = "AWS4-HMAC-SHA256", "multipart/form-data"

SIGNED = ("x-amz-date", "x-amz-security-token", "x-amz-algorithm", "key", "x-amz-credential", "Content-Type")
"""The parameters that the policy fixes."""


class Film(msgspec.Struct, kw_only=True):
    """A registered video. `seconds` is how long it is worked at, `fails` that it turns out to be no good.

    `arrived` is when its file came in (unix seconds), `bytes` and `sha256` what came.
    """

    id: str
    serial: int
    owner: User
    created: float
    dated: float
    seconds: float
    key: str
    secret: str
    token: str
    fails: bool = False
    arrived: float | None = None
    bytes: int = 0
    sha256: str = ""

    def status(self, now: float) -> str:
        """Where it stands: `registered`, `processing`, `succeeded` or `failed`."""
        if self.arrived is None:
            return "registered"
        if now < self.arrived + self.seconds:
            return "processing"
        return "failed" if self.fails else "succeeded"

    def parameters(self) -> dict[str, str]:
        """What goes with the upload, before the file: a policy, its signature, and what it fixes (AWS Signature 4)."""
        day = datetime.fromtimestamp(self.dated, UTC).strftime("%Y%m%dT%H%M%SZ")
        fixed = {
            "x-amz-date": day,
            "x-amz-security-token": self.token,
            "x-amz-algorithm": ALGORITHM,
            "key": self.key,
            "x-amz-credential": f"ASIASANDBOX/{day[:8]}/us-east-1/s3/aws4_request",
            "Content-Type": CONTENT_TYPE,
        }
        policy = self._policy(fixed)
        signature = hmac.new(self.secret.encode(), policy.encode(), hashlib.sha256).hexdigest()
        return {**fixed, "policy": policy, "x-amz-signature": signature}

    def _policy(self, fixed: dict[str, str]) -> str:
        ends = datetime.fromtimestamp(self.dated + SLOT_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        conditions: list[Any] = [{name: fixed[name]} for name in SIGNED]
        document = {"expiration": ends, "conditions": [*conditions, ["content-length-range", 1, LARGEST]]}
        return base64.b64encode(msgspec.json.encode(document)).decode()


def new_film(id: str, serial: int, owner: User, *, created: float, dated: float, seconds: float, fails: bool) -> Film:
    """A video that is registered now."""
    return Film(
        id=id,
        serial=serial,
        owner=owner,
        created=created,
        dated=dated,
        seconds=seconds,
        fails=fails,
        key=f"uploads/{id[-2:]}/3:video:{owner.id}:{id}",
        secret=secrets.token_hex(16),
        token=secrets.token_urlsafe(48),
    )
