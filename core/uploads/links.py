"""Links that carry their own permission: signed by us, expiring, and good for one thing."""

import base64
import hmac
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

import msgspec

from core.errors import NotFound
from core.media.recipe import Recipe
from core.vault import Vault

ROUND_SECONDS = 3600
"""Links that are asked for within one such span are the same one: what is shown twice reads the same."""

_MAC_BYTES = 24

T = TypeVar("T", bound=msgspec.Struct)


class MediaLink(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """Leave to read one upload, or what was made of it by a recipe."""

    organization_id: UUID
    upload_id: UUID
    recipe: Recipe | None
    until: int


class SlotLink(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """Leave to put one file into a slot."""

    organization_id: UUID
    slot_id: UUID
    until: int


class Links:
    """Makes and reads links. `public_url` is where this server is reached from outside; empty where it is not."""

    def __init__(self, vault: Vault, public_url: str, *, hours: float, now: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._public_url = public_url.rstrip("/")
        self._seconds = hours * 3600
        self._now = now

    def media_url(
        self, organization_id: UUID, upload_id: UUID, extension: str, recipe: Recipe | None = None
    ) -> str | None:
        """Where anyone can read an upload for `hours` at the least; None where there is no public address."""
        if not self._public_url:
            return None
        until = (int(self._now() + self._seconds) // ROUND_SECONDS + 1) * ROUND_SECONDS
        token = self._signed(MediaLink(organization_id, upload_id, recipe, until))
        return f"{self._public_url}/media/{token}.{extension}"

    def slot_url(self, organization_id: UUID, slot_id: UUID, seconds: float, server_url: str) -> str:
        """Where a file may be put; at `server_url` where there is no public address."""
        token = self._signed(SlotLink(organization_id, slot_id, int(self._now() + seconds)))
        return f"{self._public_url or server_url.rstrip('/')}/api/v1/upload/put/{token}"

    def read(self, token: str, kind: type[T]) -> T:
        """What a token allows. Raises NotFound for one that is forged, has expired or is for something else."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            link = msgspec.msgpack.decode(raw[_MAC_BYTES:], type=kind)
        except (ValueError, msgspec.DecodeError):
            raise _refused() from None
        genuine = any(hmac.compare_digest(raw[:_MAC_BYTES], mac) for mac in self._macs(raw[_MAC_BYTES:]))
        until: int = getattr(link, "until", 0)
        if not genuine or until < self._now():
            raise _refused()
        return link

    def _signed(self, link: msgspec.Struct) -> str:
        content = msgspec.msgpack.encode(link)
        return base64.urlsafe_b64encode(self._macs(content)[0] + content).decode().rstrip("=")

    def _macs(self, content: bytes) -> list[bytes]:
        """By the newest master key, then by the older ones: a link outlives a rotation."""
        keys = self._vault.derived(b"fingerpost links")
        return [hmac.new(key, content, sha256).digest()[:_MAC_BYTES] for key in keys]


def _refused() -> NotFound:
    return NotFound("There is nothing at this address, or not any more.")
