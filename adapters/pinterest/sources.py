"""Sources: what a Pin shows, by public URL where Pinterest can fetch it, else by its bytes; and the one create."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from adapters.pinterest.block import PinDraft
from adapters.pinterest.wire import Pin
from fingerpost import Body, Media, MediaFile, Rejected, Session, json_body

NOT_FETCHED = frozenset({"image_unreachable", "image_format"})
"""Our codes for pictures that Pinterest could not fetch, or not read: a signed link that is over, a WebP."""

FILMS = (".mp4", ".mov", ".m4v")

BY_URL, BY_BYTES = "create-pin", "create-pin-by-bytes"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The `media_source` of a Pin, in two ways.

    `by_url` has public URLs alone, and is None where there are none. `by_bytes` is made of `files`, in their order; no
    files means that there is nothing that could fail to be fetched.
    """

    by_url: dict[str, Any] | None
    files: tuple[Media, ...]
    by_bytes: Callable[[Sequence[MediaFile]], dict[str, Any]]


def is_film(media: Media) -> bool:
    """Whether it is a video; of a public URL only its name is known."""
    if media.kind is not None or media.url is None:
        return media.kind == "video"
    # Most names cannot be those of a film, and are not taken apart.
    return ".m" in media.url.lower() and _path_of(media.url).endswith(FILMS)


def _path_of(url: str) -> str:
    return url.partition("?")[0].partition("#")[0].partition("://")[2].partition("/")[2].lower()


def film_of(draft: PinDraft) -> Media | None:
    """The video of a draft, if it has one."""
    for media in draft.media:
        if is_film(media):
            return media
    return None


def covers(draft: PinDraft) -> list[Media | int]:
    """What is given as a video's cover, the one that counts first: pictures, and the second of a frame."""
    block, beside = draft.block, [media for media in draft.media if not is_film(media)]
    given: list[Media | int] = [*beside] if film_of(draft) else []
    given += [Media(url=block.thumbnail)] if block.thumbnail else []
    return given + ([block.thumbnail_offset // 1000] if block.thumbnail_offset is not None else [])


def pictures(media: Sequence[Media]) -> Source:
    """One picture, or the several of a carousel."""
    urls = [item.url for item in media if item.url is not None]
    public = len(urls) == len(media)
    if len(media) == 1:
        return Source(
            by_url={"source_type": "image_url", "url": urls[0]} if public else None,
            files=tuple(media),
            by_bytes=lambda files: {"source_type": "image_base64", **_data(files[0])},
        )
    items = [{"url": url} for url in urls]
    return Source(
        by_url={"source_type": "multiple_image_urls", "items": items} if public else None,
        files=tuple(media),
        by_bytes=lambda files: {"source_type": "multiple_image_base64", "items": [_data(file) for file in files]},
    )


def covered(draft: PinDraft, media_id: str) -> Source:
    """A video that was uploaded, with its cover."""
    video = {"source_type": "video_id", "media_id": media_id}
    cover = covers(draft)[0]
    if isinstance(cover, int):
        by_url = {**video, "cover_image_key_frame_time": cover}
        return Source(by_url=by_url, files=(), by_bytes=lambda files: by_url)
    return Source(
        by_url={**video, "cover_image_url": cover.url} if cover.url else None,
        files=(cover,),
        by_bytes=lambda files: {**video, **{f"cover_image_{name}": value for name, value in _data(files[0]).items()}},
    )


async def make(pin: dict[str, Any], source: Source, session: Session) -> str:
    """`POST /v5/pins`; the id of the Pin. What Pinterest cannot fetch is fetched by us, and sent by its bytes."""
    if source.by_url is not None and session.remembered(BY_BYTES) is None:
        try:
            return await _create(BY_URL, {**pin, "media_source": source.by_url}, session)
        except Rejected as refused:
            if refused.code not in NOT_FETCHED or not source.files:
                raise
    async with AsyncExitStack() as opened:
        files = [await opened.enter_async_context(session.file(media)) for media in source.files]
        return await _create(BY_BYTES, {**pin, "media_source": source.by_bytes(files)}, session)


async def _create(name: str, pin: dict[str, Any], session: Session) -> str:
    body: Body = json_body(pin)

    async def create() -> str:
        response = await session.http.post("/v5/pins", content=body, headers=body.headers)
        return msgspec.json.decode(response.content, type=Pin).id

    return await session.once(name, create)


def _data(file: MediaFile) -> dict[str, Any]:
    return {"content_type": file.mime, "data": file}
