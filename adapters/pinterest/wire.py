"""The shapes of Pinterest's API that we send and read, after its OpenAPI description (version 5)."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from fingerpost import Media, Session

PAGE_SIZE = 250
"""The most that a list gives at a time."""

T = TypeVar("T")


class Owner(msgspec.Struct):
    """`GET /v5/user_account`."""

    id: str
    username: str
    account_type: str | None = None
    business_name: str | None = None
    profile_image: str | None = None


class Board(msgspec.Struct):
    """A board, as far as we read it."""

    id: str
    name: str


class Pin(msgspec.Struct):
    """A Pin, as far as we read it. `created_at` comes without a zone and means UTC."""

    id: str
    created_at: str | None = None
    board_id: str | None = None
    title: str | None = None
    description: str | None = None
    link: str | None = None
    alt_text: str | None = None

    @property
    def made(self) -> datetime:
        """When it was made; Pinterest gives whole seconds."""
        moment = datetime.fromisoformat(self.created_at or "9999-01-01T00:00:00")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Page(msgspec.Struct):
    """What every list answers: `bookmark` leads to the next page, and is missing on the last."""

    items: list[dict[str, Any]]
    bookmark: str | None = None


async def pages(session: Session, path: str, kind: type[T]) -> AsyncIterator[list[T]]:
    """Page after page of a list, each converted to `kind`."""
    bookmark: str | None = None
    while True:
        params = {"page_size": PAGE_SIZE} | ({"bookmark": bookmark} if bookmark else {})
        response = await session.http.get(path, params=params)
        page = msgspec.json.decode(response.content, type=Page)
        yield msgspec.convert(page.items, list[kind])  # type: ignore[valid-type]
        bookmark = page.bookmark
        if not bookmark:
            return


async def media_source(media: Media, session: Session) -> dict[str, Any]:
    """The `media_source` of a picture: its public URL, or its bytes in base64 where it was uploaded to us."""
    if media.url is not None:
        return {"source_type": "image_url", "url": media.url}
    content = await session.read(media)
    return {
        "source_type": "image_base64",
        "content_type": media.mime,
        "data": base64.b64encode(content).decode(),
    }
