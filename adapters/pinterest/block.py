"""What a Pin can say: the block `data.PINTEREST`."""

from typing import Annotated, Literal

from msgspec import Meta

from fingerpost import Block, Digits, Draft, Url

Id = Annotated[Digits, Meta(max_length=32)]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$", extra={"expects": "a colour such as #6E7874"})]
Note = Annotated[
    str, Meta(max_length=500, extra={"unused": "Pinterest's API takes no notes any more; the Pin goes out without it."})
]


class PinBlock(Block, frozen=True, kw_only=True):
    """One Pin. The bounds are those of `PinCreate` in Pinterest's OpenAPI description, version 5.23 to 5.28."""

    board_id: Annotated[Id, Meta(description="The board, by its id.")] | None = None
    board_section_id: Annotated[Id, Meta(description="A section of that board, by its id.")] | None = None
    board_name: (
        Annotated[str, Meta(min_length=1, description="The board, by its name, in upper or lower case.")] | None
    ) = None
    create_board: (
        Annotated[bool, Meta(description="Makes the board of that name where the account has none.")] | None
    ) = None
    text: Annotated[str, Meta(max_length=100, description="The title of the Pin.")] | None = None
    description: Annotated[str, Meta(max_length=800, description="The text under the Pin.")] | None = None
    link: Annotated[Url, Meta(description="Where a click on the Pin leads.")] | None = None
    alt_text: (
        Annotated[str, Meta(max_length=500, description="What the picture shows, for those who cannot see it.")] | None
    ) = None
    dominant_color: Annotated[Colour, Meta(description="Shown until the picture is loaded.")] | None = None
    is_ai_generated: Annotated[bool, Meta(description="Discloses that AI made or changed the picture.")] | None = None
    ai_disclosures: (
        Annotated[
            list[Literal["AI_MODIFIED", "SYNTHETIC_PERFORMER"]],
            Meta(min_length=1, max_length=2, description="The same in Pinterest's own words; counts before the other."),
        ]
        | None
    ) = None
    note: Annotated[Note, Meta(description="Once a private note.")] | None = None
    thumbnail: Annotated[Url, Meta(description="The cover of a video: the public URL of a picture.")] | None = None
    thumbnail_offset: (
        Annotated[int, Meta(ge=0, le=900_000, description="The cover of a video: its frame at so many milliseconds.")]
        | None
    ) = None


PinDraft = Draft[PinBlock]
"""A post as Pinterest sees it."""
