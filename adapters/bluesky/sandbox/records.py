"""What a post's record has to be, by the lexicons of `app.bsky.feed.post` and what stands in it."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import regex

from adapters.bluesky.sandbox.refusal import Refused, invalid

POST = "app.bsky.feed.post"
TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
LANGUAGE = re.compile(r"(?i)([a-z]{2,8}|i|x)(-[a-z0-9]{1,8})*")
PICTURE_BYTES = 1_000_000
FEATURES = {"link": "uri", "tag": "tag", "mention": "did"}


def check_post(record: Mapping[str, Any], blobs: Mapping[str, int], is_there: Callable[[str, str], bool]) -> None:
    """Raise `Refused` for a record that is no post; `blobs` are the sizes of those uploaded, by their reference."""
    if record.get("$type") != POST:
        raise invalid(f"Invalid $type: expected {POST}, got {record.get('$type')}")
    text = record.get("text")
    if not isinstance(text, str):
        raise invalid("Invalid app.bsky.feed.post record: Record must have the property text")
    _check_length(text, "text", 300, 3000)
    _check_date(record.get("createdAt"))
    for tag in _list(record, "tags", 8):
        _check_length(tag, "tags", 64, 640)
    for language in _list(record, "langs", 3):
        if not LANGUAGE.fullmatch(language):
            raise invalid(f"Record/langs must be a well-formed BCP 47 language tag, got {language!r}")
    for facet in _list(record, "facets", 1000):
        _check_facet(facet, len(text.encode()))
    if "reply" in record:
        for end in ("root", "parent"):
            _check_reference(record["reply"][end], is_there)
    if "embed" in record:
        _check_embed(record["embed"], blobs, is_there)


def _check_embed(embed: Mapping[str, Any], blobs: Mapping[str, int], is_there: Callable[[str, str], bool]) -> None:
    match embed["$type"]:
        case "app.bsky.embed.images":
            for image in _list(embed, "images", 4):
                _check_image(image, blobs)
        case "app.bsky.embed.external":
            for name in ("uri", "title", "description"):
                if not isinstance(embed["external"].get(name), str):
                    raise invalid(f"Record/embed/external must have the property {name}")
        case "app.bsky.embed.record":
            _check_reference(embed["record"], is_there)
        case "app.bsky.embed.recordWithMedia":
            _check_reference(embed["record"]["record"], is_there)
            _check_embed(embed["media"], blobs, is_there)
        case other:
            raise invalid(f"Record/embed/$type {other} is not known")


def _check_image(image: Mapping[str, Any], blobs: Mapping[str, int]) -> None:
    if not isinstance(image.get("alt"), str):
        raise invalid("Record/embed/images/0 must have the property alt")
    reference = image["image"]["ref"]["$link"]
    if reference not in blobs:
        raise Refused(400, "BlobNotFound", f"Could not find blob: {reference}")
    if blobs[reference] > PICTURE_BYTES:
        words = f"This file is too large. It is {blobs[reference]} but the maximum size is {PICTURE_BYTES}."
        raise Refused(400, "BlobTooLarge", words)


def _check_facet(facet: Mapping[str, Any], length: int) -> None:
    start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
    if not 0 <= start < end <= length:
        raise invalid("Record/facets: the index is outside of the text")
    for feature in facet["features"]:
        kind = str(feature["$type"]).rpartition("#")[2]
        if not isinstance(feature.get(FEATURES.get(kind, "")), str):
            raise invalid(f"Record/facets: {feature['$type']} lacks its value")


def _check_reference(reference: Mapping[str, Any], is_there: Callable[[str, str], bool]) -> None:
    if not is_there(str(reference.get("uri")), str(reference.get("cid"))):
        raise invalid("Record: a reference leads nowhere")


def _check_length(text: Any, name: str, graphemes: int, size: int) -> None:
    if len(text.encode()) > size:
        raise invalid(f"Record/{name} string too big (maximum {size}, got {len(text.encode())})")
    found = len(regex.findall(r"\X", text))
    if found > graphemes:
        raise invalid(f"Record/{name} grapheme too big (maximum {graphemes}, got {found})")


def _check_date(text: Any) -> None:
    try:
        sound = isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        sound = False
    if not sound:
        raise invalid("Record/createdAt must be an valid atproto datetime")


def _list(record: Mapping[str, Any], name: str, most: int) -> list[Any]:
    found = record.get(name, [])
    if not isinstance(found, list):
        raise invalid(f"Record/{name} must be an array")
    if len(found) > most:
        raise invalid(f"Record/{name} array too big (maximum {most}, got {len(found)})")
    return found
