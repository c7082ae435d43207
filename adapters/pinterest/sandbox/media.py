"""The `media_source` of a new Pin: what kinds there are, and how each becomes pictures."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from adapters.pinterest.sandbox.pictures import Intake
from adapters.pinterest.sandbox.refusals import invalid, no_video
from adapters.pinterest.sandbox.schema import Text, check
from adapters.pinterest.sandbox.things import Slot

Source = dict[str, Any]
Slots = tuple[Slot, ...]

FEWEST, MOST = 2, 5
SLOT_FIELDS = {"title": Text(), "description": Text(), "link": Text()}


async def one_url(intake: Intake, source: Source) -> Slots:
    """The picture behind a URL."""
    return (Slot(picture=await intake.url(source)),)


async def one_base64(intake: Intake, source: Source) -> Slots:
    """The picture in the request."""
    return (Slot(picture=await intake.base64(source)),)


async def several_urls(intake: Intake, source: Source) -> Slots:
    """The pictures of a carousel, each behind a URL."""
    return tuple([_slot(item, await one_url(intake, item)) for item in _items(source)])


async def several_base64(intake: Intake, source: Source) -> Slots:
    """The pictures of a carousel, all in the request."""
    return tuple([_slot(item, await one_base64(intake, item)) for item in _items(source)])


async def refused(_: Intake, __: Source) -> Slots:
    """Pinterest's own sandbox makes no video Pins."""
    raise no_video()


SOURCES: Mapping[str, Callable[[Intake, Source], Awaitable[Slots]]] = MappingProxyType(
    {
        "image_base64": one_base64,
        "image_url": one_url,
        "video_id": refused,
        "multiple_image_base64": several_base64,
        "multiple_image_urls": several_urls,
    }
)
"""How each `source_type` is read."""


async def slots_of(intake: Intake, source: Any) -> Slots:
    """The pictures that a media source stands for. Raises the refusal of the first that is no good."""
    kind = Text(choice=tuple(SOURCES))
    checked = check(source, {"source_type": kind}, ("source_type",))
    return await SOURCES[checked["source_type"]](intake, checked)


def _items(source: Source) -> list[Source]:
    items = source.get("items")
    if not isinstance(items, list):
        raise invalid("'items' is a required property" if items is None else f"{items!r} is not of type 'array'")
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
