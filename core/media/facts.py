"""What is known of a media file once it has been looked at."""

import msgspec

from core.limits import MediaKind

SRGB = "sRGB"
"""The colour space that every platform and browser takes pictures to be in."""


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a probe finds beyond type and size.

    `orientation` is EXIF's, 1 to 8, and 1 where the pixels lie as they are seen. `colour` is `sRGB`, `grey`, `CMYK`
    or the name of another profile. `location` says that the file tells where it was made. `video_codec` and
    `audio_codec` are FFmpeg's names, `rate` is frames a second on average.
    """

    frames: int = 1
    orientation: int = 1
    colour: str | None = None
    alpha: bool = False
    location: bool = False
    video_codec: str | None = None
    audio_codec: str | None = None
    rate: float | None = None
    variable_rate: bool = False


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a file: sizes in pixels as seen, after the camera's orientation; seconds for films."""

    kind: MediaKind
    mime: str
    extension: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    details: Details = Details()
