"""What a Pin can say: the block `data.PINTEREST`."""

from typing import Annotated

from msgspec import Meta

from fingerpost import Block, Url

Digits = Annotated[
    str, Meta(max_length=32, pattern=r"^[0-9]+$", extra={"expects": "an id of digits, as Pinterest has them"})
]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$", extra={"expects": "a colour such as #6E7874"})]
Note = Annotated[
    str, Meta(max_length=500, extra={"unused": "Pinterest's API takes no notes any more; the Pin goes out without it."})
]
Cover = Annotated[
    str, Meta(max_length=2048, extra={"unused": "Only a video has a cover; for a picture it is not used."})
]


class PinBlock(Block, frozen=True, kw_only=True):
    """One Pin. The bounds are those of `PinCreate` in Pinterest's OpenAPI description, version 5.23 to 5.28."""

    board_id: Annotated[Digits, Meta(description="The board, by its id.")] | None = None
    board_name: (
        Annotated[str, Meta(min_length=1, description="The board, by its name, in upper or lower case.")] | None
    ) = None
    text: Annotated[str, Meta(max_length=100, description="The title of the Pin.")] | None = None
    description: Annotated[str, Meta(max_length=800, description="The text under the Pin.")] | None = None
    link: Annotated[Url, Meta(description="Where a click on the Pin leads.")] | None = None
    alt_text: (
        Annotated[str, Meta(max_length=500, description="What the picture shows, for those who cannot see it.")] | None
    ) = None
    dominant_color: Annotated[Colour, Meta(description="Shown until the picture is loaded.")] | None = None
    is_ai_generated: Annotated[bool, Meta(description="Discloses that AI made or changed the picture.")] | None = None
    note: Annotated[Note, Meta(description="Once a private note.")] | None = None
    thumbnail: Annotated[Cover, Meta(description="The cover of a video.")] | None = None
