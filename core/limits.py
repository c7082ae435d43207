"""What a platform allows, as data: each bound stands once, in the declaration of its adapter."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

import msgspec

from core.counting import URL, Counter, count

MediaKind = Literal["image", "video", "document"]

KINDS: tuple[MediaKind, ...] = ("image", "video", "document")


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on one file of a kind.

    Sizes are bytes, pixels are (width, height), `ratio` is width divided by height as (narrowest, widest),
    `ratio_advised` such a shape as (width, height), `seconds` (shortest, longest). `count_max` is how many of the
    kind one post takes, where that is fewer than of all kinds. Codecs are named as FFmpeg names them. A bound that
    is None, and a list that is empty, does not exist.
    """

    mimes: tuple[str, ...] = ()
    count_max: int | None = None
    bytes_max: int | None = None
    pixels_min: tuple[int, int] | None = None
    pixels_max: tuple[int, int] | None = None
    pixels_advised: tuple[int, int] | None = None
    ratio: tuple[float, float] | None = None
    ratio_advised: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    video_codecs: tuple[str, ...] = ()
    audio_codecs: tuple[str, ...] = ()


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the media of one post.

    `count` is (fewest, most) of all kinds together. A kind without bounds of its own is not taken; `mix` says
    whether one post may hold several kinds. `by` is how the platform takes a file: by a public `url` that it fetches
    by itself, by its `bytes`, or by `either`. For one that takes only bytes, a post's public URLs are fetched by us.
    `bytes_max` is how many bytes all files together may have.
    """

    count: tuple[int, int] = (0, 0)
    mix: bool = False
    bytes_max: int | None = None
    by: Literal["url", "bytes", "either"] = "either"
    image: FileLimits | None = None
    video: FileLimits | None = None
    document: FileLimits | None = None

    @property
    def kinds(self) -> tuple[MediaKind, ...]:
        """The kinds that are taken."""
        return tuple(kind for kind in KINDS if self.of(kind) is not None)

    def of(self, kind: MediaKind) -> FileLimits | None:
        """The bounds of one kind; None where it is not taken."""
        bounds: FileLimits | None = getattr(self, kind)
        return bounds


class TextLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `most` of what `counter` counts in the text of a block's `field` (its name on the wire).

    A field may have several, which all hold. Of a list of texts each is counted for itself. `url` is what each URL
    counts, where the counter counts them alike.
    """

    field: str
    most: int
    counter: Counter = "chars"
    url: int = URL

    def count(self, text: str) -> int:
        """How much of it a text has."""
        return count(text, self.counter, url=self.url)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a post that no single field can say."""

    texts: tuple[TextLimit, ...] = ()
    media: MediaLimits = MediaLimits()

    def of_text(self, field: str) -> tuple[TextLimit, ...]:
        """The bounds of the text of one field."""
        return tuple(limit for limit in self.texts if limit.field == field)


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """So many `calls` of a `category` in so many `seconds`, counted by the platform for a `scope`.

    `app` counts every account of one app together, `account` each account by itself. The category `all` counts
    every call, whatever its own.
    """

    calls: int
    seconds: int
    scope: Literal["app", "account"]
    category: str


class Remaining(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform's answer says of the quota of `category` in `seconds`: calls left, and when there will be more.

    `reset` is in seconds from now.
    """

    category: str
    seconds: int
    calls: int
    reset: float


@lru_cache(maxsize=4096)
def category_of(operations: tuple[tuple[str, str], ...], method: str, path: str) -> str | None:
    """The category of a call, by the first declared operation that fits; `{token}` there is any token."""
    call = f"{method} {path}"
    return next((name for operation, name in operations if fnmatchcase(call, operation.replace("{token}", "*"))), None)


def shared(quotas: Sequence[Quota], share: float) -> tuple[Quota, ...]:
    """A share (above 0, up to 1) of each quota; a call is always left."""
    return tuple(msgspec.structs.replace(quota, calls=max(int(quota.calls * share), 1)) for quota in quotas)
