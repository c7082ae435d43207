"""The recipe: how one picture is made to fit a platform, as data that can be told, carried out and remembered."""

import hashlib

import msgspec


class Recipe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done to a picture, in this order: turned as EXIF says, brought into sRGB, scaled down to `pixels_max`
    (width, height), and saved as `mime` with at most `bytes_max` bytes, without what it tells of its place.

    `only_strip` means that no pixel changes.
    """

    mime: str
    turn: bool = False
    srgb: bool = False
    only_strip: bool = False
    pixels_max: tuple[int, int] | None = None
    bytes_max: int | None = None

    @property
    def key(self) -> str:
        """A short name of it: equal recipes have equal names."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a recipe: the type of the new file and its size."""

    mime: str
    extension: str
    bytes: int
    width: int
    height: int
