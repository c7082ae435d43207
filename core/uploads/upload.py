"""The upload: a media file that we hold."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from core.limits import MediaKind
from core.media.facts import Details
from core.post import Media

# What no file name needs, and what PostgreSQL or a terminal would choke on.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A media file that we hold: sizes in pixels as seen, `bytes` its length, `seconds` the length of a film.

    `url` is where anyone can read it for some hours; None where this server has no public address.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID
    kind: MediaKind
    mime: str
    extension: str
    sha256: bytes
    bytes: int
    width: int | None
    height: int | None
    seconds: float | None
    details: Details = Details()
    alt_text: str | None = None
    file_name: str | None
    storage_key: str
    created_at: datetime
    updated_at: datetime
    url: str | None = None

    @property
    def media(self) -> Media:
        """What a draft and its check need to know of it."""
        return Media(
            upload_id=str(self.id),
            kind=self.kind,
            mime=self.mime,
            bytes=self.bytes,
            width=self.width,
            height=self.height,
            seconds=self.seconds,
            details=self.details,
            alt_text=self.alt_text,
            public_url=self.url,
        )


def upload_of(row: dict[str, Any]) -> Upload:
    """The upload in a row of the database."""
    return msgspec.convert(row, Upload)


def clean_name(name: str | None) -> str | None:
    """A file name as it may be shown: without folders, control characters and tricks of writing direction."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _UNPRINTABLE.sub("", last).strip()[:255] or None


def name_in(url: str) -> str | None:
    """The file name that a URL ends with."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return None
