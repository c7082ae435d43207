"""What there is on the platform: users, tokens, boards, sections, pictures and Pins.

`serial` tells in which order things were made and `created` when (unix seconds, as the call log counts them); the
platform shows them to nobody. `dated` is the moment of making by the platform's own clock, which may go wrong.
"""

import msgspec


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A member of Pinterest."""

    id: str
    username: str


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access or refresh token: on whose behalf which app may do what, until `expires` (unix seconds)."""

    value: str
    user: User
    app: str
    scopes: frozenset[str]
    expires: float


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A board; `modified` is the last change of its Pins, by the platform's clock as `dated` is."""

    id: str
    serial: int
    owner: User
    name: str
    description: str | None
    privacy: str
    is_ads_only: bool
    created: float
    dated: float
    modified: float


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a board."""

    id: str
    serial: int
    board: str
    name: str
    created: float


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was taken in; `sha256` is of its bytes as they came, `color` its mean as #RRGGBB."""

    sha256: str
    mime: str
    size: int
    width: int
    height: int
    color: str


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a Pin, with what a carousel says about it."""

    picture: Picture
    title: str | None = None
    description: str | None = None
    link: str | None = None


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A Pin; `video` is the id of its media, whose cover is its one picture."""

    id: str
    serial: int
    owner: User
    board: str
    section: str | None
    title: str | None
    description: str | None
    link: str | None
    alt_text: str | None
    note: str
    dominant_color: str
    parent: str | None
    slots: tuple[Slot, ...]
    video: str | None = None
    ai_disclosures: tuple[str, ...] | None = None
    created: float
    dated: float
