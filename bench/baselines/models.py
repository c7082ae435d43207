"""A post as pydantic models, with the bounds and rules that Echo and Pinterest declare."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Url = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s/][^\s\x00]*$")]


class Sent(BaseModel):
    """Whatever a client sends: camelCase, and nothing that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Post(Sent):
    """The envelope; a block may be a list of them."""

    team_id: Text
    title: Annotated[Text, Field(min_length=1, max_length=1000)]
    post_date: AwareDatetime
    status: Literal["DRAFT", "SCHEDULED"]
    social_account_types: Annotated[list[str], Field(min_length=1)]
    data: dict[str, dict[str, Any] | list[dict[str, Any]] | None] = {}
    reference_key: Annotated[Text, Field(min_length=1, max_length=128)] | None = None
    first_comment: dict[str, Text | None] | None = None
    max_delay: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    text: Annotated[Text, Field(max_length=100_000)] | None = None
    link: Annotated[Text, Field(max_length=8192)] | None = None
    upload_ids: list[Text] | None = None
    media_urls: list[Url] | None = None
    alt_text: Annotated[Text, Field(max_length=10_000)] | None = None
    media_fit: Literal["off", "safe"] = "safe"
    social_account_ids: list[str] | None = None


class Block(Sent):
    """What all blocks have. `fills` says what of the post a field gets that the block leaves out."""

    fills: ClassVar[Mapping[str, str]] = {}

    upload_ids: list[Text] | None = None
    media_urls: list[Url] | None = None
    social_account_ids: list[str] | None = None

    @classmethod
    def of(cls, post: Post, block: Mapping[str, Any]) -> Self:
        """The block with the shared part filled in. Raises pydantic.ValidationError, and ValueError for a rule."""
        given = {
            name: value
            for name, source in cls.fills.items()
            if block.get(name) is None and (value := getattr(post, source))
        }
        return cls.model_validate({**block, **given})

    def faults(self, post: Post, channels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """What several fields break together: a severity and words. `channels` are names by id."""
        raise NotImplementedError


class EchoBlock(Block):
    """Echo's."""

    fills = {"text": "text"}

    text: Annotated[Text, Field(max_length=500)] | None = None

    def faults(self, post: Post, channels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        if not (self.text or "").strip():
            yield "error", "Say something: give text."


class PinBlock(Block):
    """Pinterest's."""

    fills = {"text": "title", "description": "text", "link": "link", "altText": "alt_text"}

    board_id: Annotated[str, Field(max_length=32, pattern=r"^[0-9]+$")] | None = None
    board_name: Annotated[Text, Field(min_length=1)] | None = None
    create_board: bool | None = None
    text: Annotated[Text, Field(max_length=100)] | None = None
    description: Annotated[Text, Field(max_length=800)] | None = None
    link: Url | None = None
    alt_text: Annotated[Text, Field(max_length=500)] | None = None
    dominant_color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    is_ai_generated: bool | None = None
    note: Annotated[Text, Field(max_length=500)] | None = None
    thumbnail: Annotated[Text, Field(max_length=2048)] | None = None

    def faults(self, post: Post, channels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        own = bool(self.upload_ids or self.media_urls)
        uploads, urls = (self.upload_ids, self.media_urls) if own else (post.upload_ids, post.media_urls)
        if len(uploads or ()) + len(urls or ()) != 1:
            yield "error", "A Pin has exactly one picture."
        if not self.board_id and self.board_name is None:
            yield "error", "Say where the Pin goes: give boardId or boardName."
        if self.board_name is not None:
            named = {id for id, name in channels.items() if name.casefold() == self.board_name.casefold()}
            if not self.board_id and not named and not self.create_board:
                yield "error", "There is no such board."
            if self.board_id and self.board_id not in named:
                yield "warning", "boardName and boardId name different boards; boardId counts."
        if len(self.description or "") > 500:
            yield "warning", "Pinterest advises at most 500 characters; the rest may not be shown."
        if self.link is not None and not self.link.lower().startswith("https://"):
            yield "warning", "The link is not https; many browsers will warn of it."
        if self.note is not None or self.thumbnail is not None:
            yield "warning", "A note or a cover is not used."


BLOCKS: dict[str, type[Block]] = {"ECHO": EchoBlock, "PINTEREST": PinBlock}
"""The blocks of the two platforms."""


class Account(BaseModel):
    """A connected account, its channels names by id."""

    model_config = ConfigDict(frozen=True)

    id: str
    platform: str
    channels: dict[str, str]


class Planned(BaseModel):
    """One delivery to be."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    platform: str
    position: int
    block: dict[str, Any]


def planned(
    post: Post, accounts: Sequence[Account], blocks: Mapping[str, type[Block]]
) -> tuple[list[Planned], list[str]]:
    """The deliveries of a post and its warnings. Raises ValueError, or pydantic's own, for what is wrong."""
    deliveries: list[Planned] = []
    warnings: list[str] = []
    errors: list[str] = []
    for name in {*post.data} - {*blocks}:
        errors.append(f"{name} is not served.")
    for name in dict.fromkeys(post.social_account_types):
        if name not in blocks:
            errors.append(f"{name} is not served.")
            continue
        value = post.data.get(name)
        for position, sent in enumerate(value if isinstance(value, list) else [value or {}]):
            block = blocks[name].of(post, sent)
            wanted = block.social_account_ids or post.social_account_ids
            chosen = [each for each in accounts if each.platform == name and (not wanted or each.id in wanted)]
            if len(chosen) != 1 and not wanted:
                errors.append(f"Name the account on {name}.")
            for account in chosen:
                for severity, words in block.faults(post, account.channels):
                    (errors if severity == "error" else warnings).append(words)
                deliveries.append(Planned(account_id=account.id, platform=name, position=position, block=sent))
    if errors:
        raise ValueError("; ".join(errors))
    return deliveries, warnings


def due_at(post: Post, now: datetime) -> datetime:
    """When the deliveries of a post are due."""
    return max(post.post_date, now)
