"""What a platform allows, as data: each bound stands once, in the declaration of its adapter."""

from typing import Literal

import msgspec

MediaKind = Literal["image", "video", "document"]


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the media of one post.

    `count` is (fewest, most). Sizes are bytes, pixels are (width, height), `ratio` is width divided by
    height as (narrowest, widest). A bound that is None does not exist.
    """

    count: tuple[int, int] = (0, 0)
    kinds: tuple[MediaKind, ...] = ()
    mimes: tuple[str, ...] = ()
    bytes_max: int | None = None
    pixels_min: tuple[int, int] | None = None
    pixels_advised: tuple[int, int] | None = None
    ratio: tuple[float, float] | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a post that no single field can say."""

    media: MediaLimits = MediaLimits()


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """So many `calls` of a `category` in so many `seconds`, counted by the platform for a `scope`.

    `app` counts every account of one app together, `account` each account by itself.
    """

    calls: int
    seconds: int
    scope: Literal["app", "account"]
    category: str
