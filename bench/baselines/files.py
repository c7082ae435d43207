"""Media of the pydantic baseline: what is known of a file, and what a platform allows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

FILMS = (".mp4", ".mov", ".m4v")


@dataclass(slots=True)
class Media:
    """A file that was uploaded, with all that was measured of it, or somebody's public URL."""

    upload_id: str | None = None
    url: str | None = None
    kind: str | None = None
    mime: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    codec: str | None = None
    location: bool = False
    alt_text: str | None = None

    @property
    def is_film(self) -> bool:
        """Whether it is a video; of a public URL only its name is known."""
        if self.kind is not None or self.url is None:
            return self.kind == "video"
        path = self.url.partition("?")[0].partition("#")[0].partition("://")[2].partition("/")[2]
        return path.lower().endswith(FILMS)


class Told(NamedTuple):
    """What stands against a file, or against all of them together."""

    code: str
    message: str
    severity: str = "error"


@dataclass(slots=True)
class FileBounds:
    """Bounds on one file of a kind. Sizes are bytes, `ratio` is width divided by height."""

    mimes: tuple[str, ...] = ()
    count_max: int | None = None
    bytes_max: int | None = None
    pixels_advised: tuple[int, int] | None = None
    ratio: tuple[float, float] | None = None
    shape_advised: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    codecs: tuple[str, ...] = ()

    def told(self, media: Media) -> Iterator[Told]:
        """What stands against a file."""
        if media.mime and self.mimes and media.mime not in self.mimes:
            yield Told("media_type", f"{media.mime} is not taken here; convert it to {' or '.join(self.mimes)}.")
        if media.bytes and self.bytes_max and media.bytes > self.bytes_max:
            yield Told("media_too_large", f"{media.bytes:,} bytes are too many; at most {self.bytes_max:,} are taken.")
        if media.width and media.height:
            yield from self._of_shape(media.width, media.height)
        if self.seconds and media.seconds is not None and media.seconds < self.seconds[0]:
            yield Told("media_too_brief", f"The film has to last {self.seconds[0]:g} seconds.")
        if self.seconds and media.seconds is not None and media.seconds > self.seconds[1]:
            yield Told("media_too_lengthy", f"The film must not last more than {self.seconds[1]:g} seconds.")
        if self.codecs and media.codec and media.codec not in self.codecs:
            yield Told("media_codec", f"The film is coded as {media.codec}; it has to be {' or '.join(self.codecs)}.")
        if media.kind == "video" and media.location:
            yield Told("media_location", "The film tells where it was made; export it without its place.", "warning")

    def _of_shape(self, width: int, height: int) -> Iterator[Told]:
        ratio = width / height
        if self.pixels_advised and (width < self.pixels_advised[0] or height < self.pixels_advised[1]):
            yield Told("media_small", f"{width}×{height} pixels will look coarse.", "warning")
        if self.ratio and not self.ratio[0] <= ratio <= self.ratio[1]:
            yield Told("media_ratio", f"Width divided by height is {ratio:g}, which is not taken.")
        elif self.shape_advised and abs(ratio * self.shape_advised[1] / self.shape_advised[0] - 1) > 0.02:
            yield Told("media_shape", f"{width}×{height} pixels may be shown cropped.", "warning")


@dataclass(slots=True)
class MediaBounds:
    """Bounds on the media of one post, and on each by its kind."""

    least: int = 0
    most: int = 0
    kinds: Mapping[str, FileBounds] = field(default_factory=dict)

    def told(self, media: Sequence[Media]) -> Iterator[Told]:
        """What stands against all files together. A kind is only known of uploads."""
        if len(media) < self.least:
            yield Told("media_missing", f"Needs {self.least} file: name it in uploadIds, or in mediaUrls.")
        elif len(media) > self.most:
            yield Told("media_too_many", f"Has {len(media)} files; at most {self.most} fit.")
        kinds = [item.kind for item in media if item.kind]
        for kind, number in Counter(kinds).items() if kinds else ():
            bounds = self.kinds.get(kind)
            if bounds and bounds.count_max is not None and bounds.count_max < number <= self.most:
                yield Told("media_too_many", f"Has {number} files of the kind {kind}; at most {bounds.count_max} fit.")

    def of_file(self, media: Media) -> Iterator[Told]:
        """What stands against one file of which something is known."""
        bounds = self.kinds.get(media.kind or "")
        if bounds is not None:
            yield from bounds.told(media)
        elif self.kinds:
            yield Told("media_kind", f"This is a {media.kind}; it has to be: {', '.join(self.kinds)}.")
