"""Instances: what each server says of itself when an account is connected, and what follows from it."""

import re
from collections.abc import Mapping
from typing import Any

from fingerpost import Counter, FileLimits, Limits, MediaLimits, TextLimit

OWN_VERSION = re.compile(r"([3-9]|\d\d)\.\d+\.\d+(-(alpha|beta|rc|nightly)[\w.-]*)?(\+[\w.-]+)?")
"""Versions of Mastodon itself and of its forks. Other programs name themselves otherwise, or count from 0."""

IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
VIDEOS = ("video/mp4", "video/quicktime", "video/webm")


def honours_keys(version: str) -> bool:
    """Whether a server of this version keeps `Idempotency-Key`: others take it, and publish twice."""
    return OWN_VERSION.fullmatch(version) is not None


def counts_its_way(facts: Mapping[str, Any]) -> bool:
    """Whether a server with these facts counts as Mastodon does, where each URL of a text counts the same."""
    return honours_keys(facts.get("version", "4.0.0"))


def facts_of(instance: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of `GET /api/v2/instance`; a bound that it leaves out is Mastodon's own."""
    told = instance.get("configuration") or {}
    statuses, media = told.get("statuses") or {}, told.get("media_attachments") or {}
    found = {
        "version": str(instance.get("version", "")),
        "characters": statuses.get("max_characters"),
        "urlCharacters": statuses.get("characters_reserved_per_url"),
        "files": statuses.get("max_media_attachments"),
        "imageBytes": media.get("image_size_limit"),
        "videoBytes": media.get("video_size_limit"),
        "altText": media.get("description_limit"),
        "types": media.get("supported_mime_types"),
    }
    return {name: value for name, value in found.items() if value}


def limits_by(facts: Mapping[str, Any]) -> Limits:
    """What a server with these facts allows, and without any, Mastodon where its operator changes nothing.

    Servers of other programs count URLs as long as they are.
    """
    mimes = facts.get("types", (*IMAGES, *VIDEOS))
    images, videos = (tuple(mime for mime in kind if mime in mimes) for kind in (IMAGES, VIDEOS))
    image = FileLimits(mimes=images, bytes_max=facts.get("imageBytes", 16 * 2**20))
    video = FileLimits(mimes=videos, bytes_max=facts.get("videoBytes", 99 * 2**20), count_max=1)
    url = facts.get("urlCharacters", 23)
    counter: Counter = "fediverse" if counts_its_way(facts) else "chars"
    texts = (
        TextLimit(field="text", most=facts.get("characters", 500), counter=counter, url=url),
        TextLimit(field="altText", most=facts.get("altText", 1500)),
    )
    files = MediaLimits(count=(0, facts.get("files", 4)), by="bytes", image=image, video=video if videos else None)
    return Limits(texts=texts, media=files)
