"""The shapes of Pinterest's API that we send and read, after its OpenAPI description (version 5)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from fingerpost import Session

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


class BoardOwner(msgspec.Struct):
    """Whose a board is."""

    username: str | None = None


class Board(msgspec.Struct):
    """A board, as far as we read it."""

    id: str
    name: str
    description: str | None = None
    privacy: str | None = None
    owner: BoardOwner | None = None
    is_ads_only: bool | None = None


class Pin(msgspec.Struct):
    """A Pin, as far as we read it. `created_at` comes without a zone and means UTC."""

    id: str
    created_at: str | None = None
    board_id: str | None = None
    title: str | None = None
    description: str | None = None
    link: str | None = None
    alt_text: str | None = None
    board_section_id: str | None = None
    parent_pin_id: str | None = None

    @property
    def made(self) -> datetime:
        """When it was made; Pinterest gives whole seconds."""
        moment = datetime.fromisoformat(self.created_at or "9999-01-01T00:00:00")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Slot(msgspec.Struct):
    """`POST /v5/media`: where a video is to be uploaded, and what goes with it."""

    media_id: str
    upload_url: str
    upload_parameters: dict[str, str]


class Media(msgspec.Struct):
    """`GET /v5/media/{media_id}`; `status` is `registered`, `processing`, `succeeded` or `failed`."""

    media_id: str
    status: str | None = None


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
