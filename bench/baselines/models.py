"""A post as pydantic models, with the bounds and rules that Echo and Pinterest declare."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bench.baselines.files import FileBounds, Media, MediaBounds

URL = (
    r"^https?://(\[[0-9A-Fa-f:.]+\](:[0-9]+)?|[^\s\x00-\x1f\x7f-\x9f\ufeff/?#:@\[\]]"
    r"[^\s\x00-\x1f\x7f-\x9f\ufeff/?#\[\]]*)([/?#][^\s\x00-\x1f\x7f-\x9f\ufeff]*)?$"
)
Url = Annotated[str, Field(max_length=2048, pattern=URL)]


def _whole(value: object) -> object:
    """JSON has one kind of number: 5.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Sent(BaseModel):
    """Whatever a client sends: camelCase, of the very types that are named, and nothing that nobody knows."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, validate_by_name=False)


class Post(Sent):
    """The envelope; a block may be a list of them."""

    team_id: str
    title: Annotated[str, Field(min_length=1, max_length=1000)]
    post_date: AwareDatetime
    status: Literal["DRAFT", "SCHEDULED", "REVIEW"]
    social_account_types: Annotated[list[str], Field(min_length=1)]
    data: dict[str, Any] = {}
    reference_key: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    first_comment: dict[str, str | None] | None = None
    max_delay: Annotated[Whole, Field(ge=1, le=31_536_000)] | None = None
    text: Annotated[str, Field(max_length=100_000)] | None = None
    link: Annotated[str, Field(max_length=8192)] | None = None
    upload_ids: list[str] | None = None
    media_urls: list[Url] | None = None
    alt_text: Annotated[str, Field(max_length=10_000)] | None = None
    media_fit: Literal["off", "safe"] = "safe"
    adapt: Literal["error", "shorten"] = "error"
    social_account_ids: list[str] | None = None


@dataclass(slots=True)
class Account:
    """A connected account, its channels names by id."""

    id: str
    platform: str
    channels: dict[str, str]
    username: str = ""


@dataclass(slots=True)
class Draft:
    """A post as one platform sees it."""

    title: str
    block: "Block"
    media: list[Media]
    account: Account | None


class Fault(NamedTuple):
    """What several fields break together: `at` are their names on the wire, the first that which is told."""

    code: str
    at: tuple[str, ...]
    message: str
    severity: str = "error"


class Fill(NamedTuple):
    """A value of the shared part for a field of a block, both by their names on the wire."""

    field: str
    origin: str
    value: str
    warning: str = ""


class Block(Sent):
    """What all blocks have.

    `unused` are fields that are known and of no use, with what is said of that; `longest` are the most characters of
    those that the shared text is put into.
    """

    media_bounds: ClassVar[MediaBounds] = MediaBounds()
    unused: ClassVar[dict[str, str]] = {}
    longest: ClassVar[dict[str, int]] = {}

    upload_ids: list[str] | None = None
    media_urls: list[Url] | None = None
    social_account_ids: list[str] | None = None

    @classmethod
    def fills(cls, sent: dict[str, Any], post: Post, alt_text: str | None) -> list[Fill]:
        """What the shared part gives to the fields that a block leaves out."""
        raise NotImplementedError

    def faults(self, draft: Draft) -> list[Fault]:
        """What several fields break together, or with what is known of the account."""
        raise NotImplementedError


class EchoBlock(Block):
    """Echo's."""

    longest = {"text": 500}

    text: Annotated[str, Field(max_length=longest["text"])] | None = None

    @classmethod
    def fills(cls, sent: dict[str, Any], post: Post, alt_text: str | None) -> list[Fill]:
        return [Fill("text", "text", post.text)] if post.text and sent.get("text") is None else []

    def faults(self, draft: Draft) -> list[Fault]:
        if not (self.text or "").strip():
            return [Fault("echo.text", ("text",), "Say something: give text.")]
        return []


TITLE_MAX = 100


class PinBlock(Block):
    """Pinterest's."""

    media_bounds = MediaBounds(
        least=1,
        most=5,
        kinds={
            "image": FileBounds(
                mimes=("image/jpeg", "image/png"), bytes_max=20_000_000, pixels_advised=(600, 900), shape_advised=(2, 3)
            ),
            "video": FileBounds(
                count_max=1,
                mimes=("video/mp4", "video/quicktime", "video/x-m4v"),
                bytes_max=2_000_000_000,
                ratio=(0.5, 1.91),
                seconds=(4, 900),
                codecs=("h264", "hevc"),
            ),
        },
    )
    longest = {"description": 800}
    unused = {"note": "Pinterest's API takes no notes any more; the Pin goes out without it."}

    board_id: Annotated[str, Field(max_length=32, pattern=r"^[0-9]+$")] | None = None
    board_section_id: Annotated[str, Field(max_length=32, pattern=r"^[0-9]+$")] | None = None
    board_name: Annotated[str, Field(min_length=1)] | None = None
    create_board: bool | None = None
    text: Annotated[str, Field(max_length=TITLE_MAX)] | None = None
    description: Annotated[str, Field(max_length=longest["description"])] | None = None
    link: Url | None = None
    alt_text: Annotated[str, Field(max_length=500)] | None = None
    dominant_color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    is_ai_generated: bool | None = None
    ai_disclosures: (
        Annotated[list[Literal["AI_MODIFIED", "SYNTHETIC_PERFORMER"]], Field(min_length=1, max_length=2)] | None
    ) = None
    note: Annotated[str, Field(max_length=500)] | None = None
    thumbnail: Url | None = None
    thumbnail_offset: Annotated[Whole, Field(ge=0, le=900_000)] | None = None

    @classmethod
    def fills(cls, sent: dict[str, Any], post: Post, alt_text: str | None) -> list[Fill]:
        fills: list[Fill] = []
        if sent.get("text") is None:
            first_line = (post.text or "").strip().partition("\n")[0].strip()
            if first_line and len(first_line) <= TITLE_MAX:
                fills.append(Fill("text", "text", first_line))
            elif post.title and len(post.title) <= TITLE_MAX:
                words = "The Pin has no title of its own (text); the post's title is used."
                fills.append(Fill("text", "title", post.title, words))
        if post.text and sent.get("description") is None:
            fills.append(Fill("description", "text", post.text))
        if post.link and sent.get("link") is None:
            fills.append(Fill("link", "link", post.link))
        if alt_text and sent.get("altText") is None:
            fills.append(Fill("altText", "altText", alt_text))
        return fills

    def faults(self, draft: Draft) -> list[Fault]:
        faults: list[Fault] = []
        self._judge_media(draft.media, faults)
        self._judge_boards(draft.account, faults)
        self._judge_texts(faults)
        return faults

    def _judge_media(self, media: Sequence[Media], faults: list[Fault]) -> None:
        films = sum(item.is_film for item in media)
        if films > 1 or (films and len(media) > 2):
            faults.append(Fault("pinterest.video", ("uploadIds",), "A Pin has one video, and one picture beside it."))
        covers = (self.thumbnail is not None) + (self.thumbnail_offset is not None)
        if films:
            covers += len(media) - films
            if not covers:
                words = "A video Pin needs a cover: put a picture beside the video, or give thumbnail."
                faults.append(Fault("pinterest.video-cover", ("thumbnail",), words))
        if covers > min(films, 1):
            words = "Only one cover is used, and only of a video."
            faults.append(Fault("pinterest.cover-unused", ("thumbnail",), words, "warning"))
        if not films and len(media) > 1:
            shapes = [item.width / item.height for item in media if item.width and item.height]
            if shapes and max(shapes) / min(shapes) >= 1.02:
                words = "The pictures of a carousel should have the same shape."
                faults.append(Fault("pinterest.carousel-shape", ("uploadIds",), words, "warning"))

    def _judge_boards(self, account: Account | None, faults: list[Fault]) -> None:
        if not self.board_name:
            if not self.board_id:
                words = "Say where the Pin goes: give boardId or boardName."
                faults.append(Fault("pinterest.board", ("boardId", "boardName"), words))
            return
        if account is None:
            return
        named = boards_named(self.board_name, account)
        if self.board_id:
            if self.board_id not in named:
                words = "boardId and boardName name different boards; boardId counts."
                faults.append(Fault("pinterest.one-board", ("boardName", "boardId"), words, "warning"))
        elif len(named) > 1:
            words = f"Several boards are called '{self.board_name}'; give boardId: {', '.join(named)}."
            faults.append(Fault("pinterest.board-name", ("boardName",), words))
        elif not named and not self.create_board:
            near = get_close_matches(self.board_name, account.channels.values(), n=5)
            words = f"No board is called '{self.board_name}'; there are: {', '.join(near or account.channels)}."
            faults.append(Fault("pinterest.board-name", ("boardName",), words))

    def _judge_texts(self, faults: list[Fault]) -> None:
        if len(self.description or "") > 500:
            words = "Pinterest advises at most 500 characters; the rest may not be shown."
            faults.append(Fault("pinterest.description-length", ("description",), words, "warning"))
        if self.link is not None:
            if not has_host(self.link):
                words = "The link leads to no host; mend its address."
                faults.append(Fault("pinterest.link-host", ("link",), words))
            if not self.link.lower().startswith("https://"):
                words = "The link is not https; many browsers will warn of it."
                faults.append(Fault("pinterest.link-https", ("link",), words, "warning"))


def boards_named(name: str, account: Account) -> list[str]:
    """The ids of the account's boards of that name; one that is written exactly so goes before others."""
    exact = [id for id, each in account.channels.items() if each == name]
    wanted = name.strip().casefold()
    return exact or [id for id, each in account.channels.items() if each.strip().casefold() == wanted]


def has_host(url: str) -> bool:
    """Whether it leads anywhere."""
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


BLOCKS: dict[str, type[Block]] = {"ECHO": EchoBlock, "PINTEREST": PinBlock}
"""The blocks of the two platforms."""
