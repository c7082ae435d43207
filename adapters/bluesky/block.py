"""Bluesky's part of a post: bundle.social's `data.BLUESKY`, and what it leaves out."""

from typing import Annotated, Literal

from msgspec import Meta

from fingerpost import Block, Url

Label = Literal["!no-unauthenticated", "porn", "sexual", "nudity", "graphic-media"]
AT_URI = r"^at://[A-Za-z0-9._:%-]+/[A-Za-z0-9.-]+/[A-Za-z0-9._~:-]+$"
AtUri = Annotated[str, Meta(max_length=2048, pattern=AT_URI, extra={"expects": "an at:// URI"})]
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
Language = Annotated[str, Meta(pattern=LANGUAGE, extra={"expects": "a language such as de or pt-BR"})]
Words = Annotated[str, Meta(min_length=1)]
NO_VIDEO, NO_PICTURE = {"unused": "Videos are not sent to Bluesky yet."}, {"unused": "Link cards have no picture yet."}


class BlueskyBlock(Block, frozen=True, kw_only=True):
    """A post, and what follows it in its thread."""

    text: Annotated[str, Meta(description="The text; links, #tags and @mentions in it become active.")] | None = None
    alt_text: Annotated[str, Meta(description="What the first picture shows.")] | None = None
    tags: Annotated[list[str], Meta(max_length=8, description="Hashtags beside the text, without #.")] = []
    labels: Annotated[list[Label], Meta(description="Warnings of the content.")] = []
    languages: Annotated[list[Language], Meta(max_length=3, description="Of the text, such as de or pt-BR.")] = []
    external_url: Annotated[Url, Meta(description="Where the link card leads.")] | None = None
    external_title: Annotated[str, Meta(description="The card's title.")] | None = None
    external_description: Annotated[str, Meta(description="The card's text.")] | None = None
    quote_uri: Annotated[AtUri, Meta(description="The post that is quoted.")] | None = None
    reply_to: Annotated[AtUri, Meta(description="The post that is answered.")] | None = None
    thread: Annotated[list[Words], Meta(max_length=24, description="Texts that follow, each a reply to the last.")] = []
    thumbnail: Annotated[str, Meta(description="The card's picture.", extra=NO_PICTURE)] | None = None
    video_alt: Annotated[str, Meta(description="What the video shows.", extra=NO_VIDEO)] | None = None
