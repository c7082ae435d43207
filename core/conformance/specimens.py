"""Specimens: files that keep to a platform's bounds, as far as they are known."""

import io
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from PIL import Image

from core.limits import FileLimits, MediaKind, MediaLimits
from core.media.facts import Details
from core.post import Media

PLAIN: dict[MediaKind, str] = {"image": "image/png", "video": "video/mp4", "document": "application/pdf"}
"""The type of a file where a platform takes any, or this among others."""

WIDTH = 1000
SECONDS = 10.0


def specimens(limits: MediaLimits) -> Mapping[str, Media]:
    """By name, one more of each kind that is taken than fits into a post: `image`, `image-2`, …; and `image-wide`."""
    _, most = limits.count
    wide = {} if limits.image is None else {"image-wide": _wide(specimen(limits.image, "image", "image-wide"))}
    return wide | {
        name: specimen(bounds, kind, name)
        for kind in limits.kinds
        if (bounds := limits.of(kind)) is not None
        for name in (kind, *(f"{kind}-{number}" for number in range(2, most + 2)))
    }


def specimen(bounds: FileLimits, kind: MediaKind, name: str) -> Media:
    """A file of a kind within its bounds."""
    mime = PLAIN[kind] if not bounds.mimes or PLAIN[kind] in bounds.mimes else bounds.mimes[0]
    width, height = _size(bounds)
    shown = kind != "document"
    return Media(
        upload_id=name,
        kind=kind,
        mime=mime,
        bytes=min(10_000, bounds.bytes_max or 10_000),
        width=width if shown else None,
        height=height if shown else None,
        seconds=_within(SECONDS, bounds.seconds) if kind == "video" else None,
        details=Details(
            video_codec=next(iter(bounds.video_codecs), None), audio_codec=next(iter(bounds.audio_codecs), None)
        ),
    )


def _wide(media: Media) -> Media:
    """The same file in a shape of its own."""
    return msgspec.structs.replace(media, width=2 * (media.width or WIDTH))


@lru_cache(maxsize=16)
def picture(media: Media) -> bytes:
    """The bytes of a picture that is as `media` says."""
    content = io.BytesIO()
    kind = (media.mime or PLAIN["image"]).partition("/")[2]
    Image.new("RGB", (media.width or WIDTH, media.height or WIDTH), "#dfeaf2").save(content, kind)
    return content.getvalue()


def _size(bounds: FileLimits) -> tuple[int, int]:
    shape = bounds.ratio_advised
    ratio = _within(shape[0] / shape[1] if shape else 1.0, bounds.ratio)
    least, most = bounds.pixels_advised or bounds.pixels_min or (1, 1), bounds.pixels_max or (10**6, 10**6)
    width = min(max(WIDTH, least[0], round(least[1] * ratio)), most[0], round(most[1] * ratio))
    return width, round(width / ratio)


def _within(value: float, span: tuple[float, float] | None) -> float:
    return value if span is None else min(max(value, span[0]), span[1])
