"""The `media_source` of a new Pin: what kinds there are, and how each becomes pictures; a video has its cover."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pictures import Intake
from adapters.pinterest.sandbox.refusals import invalid, no_cover, no_media, no_video, not_ready
from adapters.pinterest.sandbox.schema import DIGITS, Text, check, whole
from adapters.pinterest.sandbox.things import Slot

Source = dict[str, Any]
Slots = tuple[Slot, ...]

FEWEST, MOST = 2, 5
SLOT_FIELDS = {"title": Text(), "description": Text(), "link": Text()}
VIDEO_FIELDS = {
    "media_id": Text(pattern=DIGITS),
    "cover_image_url": Text(),
    "cover_image_content_type": Text(choice=("image/jpeg", "image/png")),
    "cover_image_data": Text(),
}


async def one_url(_: Caller, intake: Intake, source: Source) -> Slots:
    """The picture behind a URL."""
    return (Slot(picture=await intake.url(source)),)


async def one_base64(_: Caller, intake: Intake, source: Source) -> Slots:
    """The picture in the request."""
    return (Slot(picture=await intake.base64(source)),)


async def several_urls(caller: Caller, intake: Intake, source: Source) -> Slots:
    """The pictures of a carousel, each behind a URL."""
    return tuple([_slot(item, await one_url(caller, intake, item)) for item in _items(source)])


async def several_base64(caller: Caller, intake: Intake, source: Source) -> Slots:
    """The pictures of a carousel, all in the request."""
    return tuple([_slot(item, await one_base64(caller, intake, item)) for item in _items(source)])


async def video(caller: Caller, intake: Intake, source: Source) -> Slots:
    """The cover of a video that is ready. Without a cover, Pinterest's words are those that it really uses."""
    if not caller.world.makes_videos:
        raise no_video()
    check(source, VIDEO_FIELDS, ("media_id",))
    second = source.get("cover_image_key_frame_time")
    if second is not None:
        whole("cover_image_key_frame_time", second)
    film = caller.world.films.get(source["media_id"])
    if film is None or film.owner != caller.user:
        raise no_media()
    if (status := film.status(caller.world.platform.clock())) != "succeeded":
        raise not_ready(status)
    if source.get("cover_image_url") is not None:
        return (Slot(picture=await intake.url({"url": source["cover_image_url"]})),)
    if source.get("cover_image_data") is not None:
        cover = {"content_type": source.get("cover_image_content_type"), "data": source["cover_image_data"]}
        return (Slot(picture=await intake.base64(cover)),)
    if second is not None:
        return (Slot(picture=await intake.still()),)
    raise no_cover()


SOURCES: Mapping[str, Callable[[Caller, Intake, Source], Awaitable[Slots]]] = MappingProxyType(
    {
        "image_base64": one_base64,
        "image_url": one_url,
        "video_id": video,
        "multiple_image_base64": several_base64,
        "multiple_image_urls": several_urls,
    }
)
"""How each `source_type` is read."""


async def slots_of(caller: Caller, intake: Intake, source: Any) -> Slots:
    """The pictures that a media source stands for. Raises the refusal of the first that is no good."""
    kind = Text(choice=tuple(SOURCES))
    checked = check(source, {"source_type": kind}, ("source_type",))
    return await SOURCES[checked["source_type"]](caller, intake, checked)


def _items(source: Source) -> list[Source]:
    items = source.get("items")
    if not isinstance(items, list):
        raise invalid("'items' is a required property" if items is None else f"{items!r} is not of type 'array'")
    if (index := source.get("index")) is not None:
        whole("index", index)
    if len(items) < FEWEST:
        raise invalid(f"{len(items)} items break the constraint: minItems={FEWEST}")
    if len(items) > MOST:
        raise invalid(f"{len(items)} items break the constraint: maxItems={MOST}")
    return [check(item, SLOT_FIELDS) for item in items]


def _slot(item: Source, picture: Slots) -> Slot:
    return Slot(
        picture=picture[0].picture,
        title=item.get("title"),
        description=item.get("description"),
        link=item.get("link"),
    )
