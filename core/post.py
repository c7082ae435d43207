"""The post: what a client sends, and what one platform sees of it."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from core.limits import MediaKind
from core.media.facts import Details
from core.media.recipe import Recipe

URL_PATTERN = (
    r"^https?://(\[[0-9A-Fa-f:.]+\](:[0-9]+)?|[^\s\x00-\x1f\x7f-\x9f\ufeff/?#:@\[\]]"
    r"[^\s\x00-\x1f\x7f-\x9f\ufeff/?#\[\]]*)([/?#][^\s\x00-\x1f\x7f-\x9f\ufeff]*)?$"
)
"""A scheme, a host, and what may follow.

Dialects of regular expressions differ in what they take for white space; all of that is left out.
"""

EXPECTED_URL = "an http or https URL"

Url = Annotated[str, Meta(max_length=2048, pattern=URL_PATTERN, extra={"expects": EXPECTED_URL})]
"""A URL as a client may give one."""


class Block(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """The per-platform part of a post; an adapter's own block adds its fields.

    On the wire names are camelCase, and nobody may send others. A field whose `Meta(extra={"unused": why})` is set is
    known and taken, and its use is answered with that warning.
    """

    upload_ids: (
        Annotated[list[str], Meta(description="Files uploaded before, in the order in which they appear.")] | None
    ) = None
    media_urls: (
        Annotated[list[Url], Meta(description="Public URLs of media, which the platform fetches by itself.")] | None
    ) = None
    social_account_ids: (
        Annotated[list[str], Meta(description="Which accounts get it, where the team has several here.")] | None
    ) = None


MEDIA_FIELDS = ("uploadIds", "mediaUrls")
"""The fields that name a post's files, on the wire."""


class PostRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The body of `POST /api/v1/post/`: bundle.social's envelope, and a part that all platforms share."""

    team_id: str
    title: Annotated[str, Meta(min_length=1, max_length=1000, description="For your eyes; not published by itself.")]
    post_date: Annotated[str, Meta(description="ISO 8601 with an offset; now or in the past means at once.")]
    status: Annotated[
        Literal["DRAFT", "SCHEDULED", "REVIEW"],
        Meta(
            description="SCHEDULED publishes at postDate; REVIEW waits to be approved first; DRAFT may be unfinished."
        ),
    ]
    social_account_types: Annotated[list[str], Meta(min_length=1, description="The platforms, by name.")]
    data: Annotated[dict[str, Any], Meta(description="A block for each platform, or a list of blocks.")] = {}
    reference_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    first_comment: dict[str, str | None] | None = None
    max_delay: (
        Annotated[int, Meta(ge=1, le=31_536_000, description="Seconds after its date at which it fails as too late.")]
        | None
    ) = None
    text: (
        Annotated[str, Meta(max_length=100_000, description="Shared text, where a block has none of its own.")] | None
    ) = None
    link: Annotated[str, Meta(max_length=8192, description="Shared link.")] | None = None
    upload_ids: Annotated[list[str], Meta(description="Shared media, by upload.")] | None = None
    media_urls: Annotated[list[Url], Meta(description="Shared media, by public URL.")] | None = None
    alt_text: (
        Annotated[str, Meta(max_length=10_000, description="Shared: what the media show, for those who cannot see.")]
        | None
    ) = None
    media_fit: Annotated[
        Literal["off", "safe"],
        Meta(description="safe mends pictures that a platform would refuse, where nothing is lost; off changes none."),
    ] = "safe"
    adapt: Annotated[
        Literal["error", "shorten"],
        Meta(
            description="What becomes of the shared text where it is too long: an error, or it is cut at a word, by "
            "the platform's own count, and ends with an ellipsis."
        ),
    ] = "error"
    social_account_ids: (
        Annotated[list[str], Meta(description="Which accounts, where the team has several on a platform.")] | None
    ) = None


class Shared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of a post that all its platforms share, as far as it is sound."""

    title: str = ""
    text: str | None = None
    link: str | None = None
    alt_text: str | None = None
    upload_ids: list[str] | None = None
    media_urls: list[str] | None = None
    media_fit: str = "safe"
    adapt: str = "error"

    @classmethod
    def of(cls, sent: Mapping[str, Any], faulty: Collection[object] = ()) -> "Shared":
        """The shared part of a request as it was sent, without its `faulty` fields."""
        names = cls.__struct_encode_fields__
        return msgspec.convert({k: v for k, v in sent.items() if k in names and k not in faulty}, cls)


AnyShared = Shared | PostRequest
"""A shared part by itself, or the sound request that it is a part of."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a draft: an upload of ours (`upload_id`, with everything measured) or somebody's public `url`.

    Of an upload `public_url` is where a platform can fetch it for some hours; None where this server has no public
    address. `seconds` is the length of a film, `alt_text` what is said of this one file. `recipe` is what is still
    done to it before it is sent, and `changes` the same in words: the other fields say how it is then, and `bytes` is
    None until it is done.
    """

    upload_id: str | None = None
    url: str | None = None
    kind: MediaKind | None = None
    mime: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    details: Details = Details()
    alt_text: str | None = None
    public_url: str | None = None
    recipe: Recipe | None = None
    changes: tuple[str, ...] = ()


Privacy = Literal["public", "protected", "secret"]
"""Who sees a channel: everybody, whoever has its address, or only those who are in it."""


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in an account: a board, a page, a channel.

    `writable` is False where the account sees it and may not publish to it. A description is only read with a single
    channel.
    """

    id: str
    name: str
    description: str | None = None
    privacy: Privacy | None = None
    writable: bool = True


WAY = "way"
"""The name among an account's facts of how it was connected."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The public facts of a connected account; `channel_id` is the channel that was chosen, where there is but one.

    `facts` are those that the adapter's `profile` told, `hosts` the base URLs of its own server, where it has one.
    """

    id: str
    platform: str
    username: str
    external_user: str
    channels: tuple[Channel, ...] = ()
    channel_id: str | None = None
    facts: dict[str, Any] = {}
    hosts: dict[str, str] = {}

    @property
    def way(self) -> str:
        """How it was connected, one of the adapter's `ways`; empty where there is but one."""
        return str(self.facts.get(WAY, ""))

    @property
    def way_facts(self) -> dict[str, Any]:
        """The part of its facts that no `profile` tells: how it was connected."""
        return {WAY: self.way} if self.way else {}

    def channel(self, named: str | None) -> str | None:
        """The id of the channel that is named, or of the only one; None where the account may publish to no such."""
        there = [channel.id for channel in self.channels if channel.writable]
        meant = there[0] if named is None and len(there) == 1 else named
        return meant if meant in there else None


B = TypeVar("B", bound=Block)


class Draft(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """A post as one platform sees it: its block with the shared part filled in, and its media.

    `account` is None only while a request is checked that names no usable account.
    """

    title: str
    block: B
    media: tuple[Media, ...] = ()
    account: Account | None = None
