"""Mastodon's part of a post: bundle.social's `data.MASTODON`, and what it leaves out."""

from typing import Annotated, Literal

from msgspec import Meta

from fingerpost import Block, Url

Privacy = Literal["PUBLIC", "UNLISTED", "PRIVATE", "DIRECT"]
NO_THUMBNAIL = {"unused": "Videos are shown with a picture that the server makes."}


class MastodonBlock(Block, frozen=True, kw_only=True):
    """A status."""

    text: Annotated[str, Meta(description="The text; it is counted together with the warning and the link.")] | None = (
        None
    )
    link: Annotated[Url, Meta(description="Stands below the text, unless it is in it.")] | None = None
    alt_text: Annotated[str, Meta(description="What the first file shows.")] | None = None
    privacy: Annotated[Privacy, Meta(description="Who sees it; left out, what the account has chosen.")] | None = None
    spoiler: Annotated[str, Meta(description="A warning, behind which the text is hidden.")] | None = None
    sensitive: Annotated[bool, Meta(description="Whether the media are hidden until somebody wants them.")] = False
    language: Annotated[str, Meta(description="Of the text, as ISO 639 has it, such as de.")] | None = None
    thumbnail: Annotated[str, Meta(description="The video's picture.", extra=NO_THUMBNAIL)] | None = None
