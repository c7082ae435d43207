"""Pinterest: what a Pin may be, and how it is made and found again."""

import html
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx
import msgspec

from adapters.pinterest.block import PinBlock
from adapters.pinterest.errors import classify
from adapters.pinterest.wire import Board, Owner, Pin, media_source, pages
from fingerpost import (
    Adapter,
    Channel,
    Draft,
    Fill,
    Limits,
    MediaLimits,
    Profile,
    Published,
    PublishError,
    Quota,
    Rejected,
    Session,
    rule,
)

PinDraft = Draft[PinBlock]

CUT = ("title", "description", "alt_text")
"""The texts of a Pin that may come back cut."""

LEAST_CUT = 20
"""Characters of a text that have to be left for it to be taken for a longer one that was cut."""


def first_line(text: str) -> str:
    """The first line of a text that has something in it."""
    return text.strip().partition("\n")[0].strip()


class Pinterest(Adapter[PinBlock]):
    """Pinterest API v5. There is no idempotency key: an unclear create is looked up on its board.

    The quotas are those of Standard access. Native scheduling does not exist; a Pin is made when it is due.
    """

    platform = "PINTEREST"
    label = "Pinterest"
    certainty = "read-back"
    hosts = {"api": "https://api.pinterest.com", "web": "https://www.pinterest.com"}
    limits = Limits(
        media=MediaLimits(
            count=(1, 1),
            kinds=("image",),
            mimes=("image/jpeg", "image/png"),
            bytes_max=20_000_000,
            pixels_advised=(600, 900),
        )
    )
    quotas = (
        Quota(calls=100, seconds=1, scope="account", category="all"),
        Quota(calls=100, seconds=60, scope="account", category="org_write"),
        Quota(calls=1000, seconds=60, scope="account", category="org_read"),
    )
    fills = (
        Fill(field="text", source="text", part=first_line, if_it_fits=True),
        Fill(
            field="text",
            source="title",
            if_it_fits=True,
            warning="The Pin has no title of its own (text); the post's title is used.",
        ),
        Fill(field="description", source="text"),
        Fill(field="link", source="link"),
    )

    @rule("pinterest.board", "Say where the Pin goes: give boardId or boardName.", at=("boardId", "boardName"))
    def names_a_board(self, draft: PinDraft) -> bool | str:
        """A Pin needs a board; there is never a silent default."""
        block = draft.block
        if block.board_id or block.board_name is None or draft.account is None:
            return bool(block.board_id or block.board_name)
        fitting = _boards_named(block.board_name, draft)
        if len(fitting) == 1:
            return True
        if fitting:
            return f"Several boards are called '{block.board_name[:60]}'; give boardId: {_listed(fitting)}."
        return f"No board is called '{block.board_name[:60]}'; there are: {_listed(draft.account.channels)}."

    @rule(
        "pinterest.one-board",
        "boardId and boardName name different boards; boardId counts.",
        at=("boardName", "boardId"),
        severity="warning",
    )
    def names_one_board(self, draft: PinDraft) -> bool:
        """Both may be given, if they mean the same."""
        block = draft.block
        if not block.board_id or not block.board_name or draft.account is None:
            return True
        return any(board.id == block.board_id for board in _boards_named(block.board_name, draft))

    @rule(
        "pinterest.description-length",
        "Pinterest advises at most 500 characters; the rest may not be shown.",
        at="description",
        severity="warning",
    )
    def is_shown_whole(self, draft: PinDraft) -> bool:
        """The API takes 800 characters; Pinterest's Help Center gives 500."""
        return len(draft.block.description or "") <= 500

    @rule(
        "pinterest.link-https",
        "The link is not https; many browsers will warn of it.",
        at="link",
        severity="warning",
    )
    def links_securely(self, draft: PinDraft) -> bool:
        """The API takes http as well."""
        return draft.block.link is None or draft.block.link.lower().startswith("https://")

    async def publish(self, draft: PinDraft, session: Session) -> Published:
        """`POST /v5/pins`."""
        body = {
            **_texts(draft),
            "board_id": _board_id(draft),
            "media_source": await media_source(draft.media[0], session),
        }
        if draft.block.is_ai_generated:
            body["ai_disclosures"] = {"values": ["AI_MODIFIED"]}

        async def create() -> dict[str, Any]:
            response = await session.http.post("/v5/pins", json=body)
            pin = msgspec.json.decode(response.content, type=Pin)
            return {"id": pin.id}

        made = await session.once("create-pin", create)
        return _published(made["id"], session)

    async def find(self, draft: PinDraft, session: Session, since: datetime) -> Sequence[Published]:
        """`GET /v5/boards/{board_id}/pins`, until a page that is in order, the newest first, holds only older Pins."""
        texts = _texts(draft)
        seen: list[Pin] = []
        recent: list[Pin] = []
        async for page in pages(session, f"/v5/boards/{_board_id(draft)}/pins", Pin):
            new = [pin for pin in page if pin.made >= since.replace(microsecond=0)]
            seen += page
            recent += new
            if page and not new and _is_newest_first(page):
                break
        longest = {name: max(len(_plain(getattr(pin, name))) for pin in seen) for name in CUT} if seen else {}
        likenesses = [(pin, _likeness(texts, pin, longest)) for pin in sorted(recent, key=lambda pin: pin.made)]
        return [_published(pin.id, session, exact=exact) for pin, exact in likenesses if exact is not None]

    async def profile(self, session: Session) -> Profile:
        """`GET /v5/user_account`."""
        response = await session.http.get("/v5/user_account")
        owner = msgspec.json.decode(response.content, type=Owner)
        return Profile(
            external_user=owner.id,
            username=owner.username,
            display_name=owner.business_name or owner.username,
            avatar_url=owner.profile_image,
            facts={"accountType": owner.account_type},
        )

    async def channels(self, session: Session) -> Sequence[Channel]:
        """`GET /v5/boards`, all pages."""
        return [
            Channel(id=board.id, name=board.name)
            async for page in pages(session, "/v5/boards", Board)
            for board in page
        ]

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A Pin with everything that makes it found."""
        return {
            "boardId": channel_id,
            "text": "New arrival",
            "description": "Our latest drop - tap to shop.",
            "link": "https://example.com/products/new-arrival",
            "altText": "New arrival product shot on white background",
            "mediaUrls": [picture_url],
        }

    def classify(self, response: httpx.Response) -> PublishError | None:
        """By Pinterest's code and message."""
        return classify(response)


def _texts(draft: PinDraft) -> dict[str, Any]:
    block = draft.block
    texts = {
        "title": block.text,
        "description": block.description,
        "link": block.link,
        "alt_text": block.alt_text,
        "dominant_color": block.dominant_color,
    }
    return {name: value for name, value in texts.items() if value is not None}


def _boards_named(name: str, draft: PinDraft) -> list[Channel]:
    """Boards of that name; one that is written exactly so goes before those that differ in case."""
    boards = draft.account.channels if draft.account else ()
    exact = [board for board in boards if board.name == name]
    return exact or [board for board in boards if board.name.strip().casefold() == name.strip().casefold()]


def _board_id(draft: PinDraft) -> str:
    if draft.block.board_id:
        return draft.block.board_id
    boards = _boards_named(draft.block.board_name or "", draft)
    if len(boards) != 1:
        raise Rejected(
            "The board is no longer there under that name.",
            code="board_not_found",
            hint="Choose a board that this account has, by its id.",
        )
    return boards[0].id


def _listed(boards: Sequence[Channel]) -> str:
    shown = ", ".join(f"'{board.name}' ({board.id})" for board in boards[:20])
    return (shown or "none") + (f" and {len(boards) - 20} more" if len(boards) > 20 else "")


def _published(pin_id: str, session: Session, *, exact: bool = True) -> Published:
    return Published(external_id=pin_id, permalink=f"{session.hosts['web']}/pin/{pin_id}/", exact=exact)


def _is_newest_first(page: Sequence[Pin]) -> bool:
    """Whether a page shows it: Pinterest does not say in which order its lists are."""
    return page[0].made > page[-1].made and all(newer.made >= older.made for newer, older in pairwise(page))


def _likeness(texts: dict[str, Any], pin: Pin, longest: Mapping[str, int]) -> bool | None:
    """Whether a Pin says what we sent: True exactly, False as far as it was not cut, None not at all.

    Pinterest may trim and escape texts, and append to links. `longest` is the length of the longest text of a kind
    that was seen there: a shorter one was not cut.
    """
    link, shown = _collapsed(texts.get("link")), _collapsed(pin.link)
    if link != shown and not (link and shown.startswith((f"{link}?", f"{link}&", f"{link}#", f"{link}/"))):
        return None
    exact = True
    for name in CUT:
        sent, seen = _collapsed(texts.get(name)), getattr(pin, name)
        if sent in (_collapsed(seen), _plain(seen)):
            continue
        least = max(LEAST_CUT, longest[name])
        if not any(len(_plain(seen)) >= least and sent.startswith(each) for each in (_collapsed(seen), _plain(seen))):
            return None
        exact = False
    return exact


def _plain(text: str | None) -> str:
    """A text as it was before it was escaped."""
    return _collapsed(html.unescape(text or ""))


def _collapsed(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()
