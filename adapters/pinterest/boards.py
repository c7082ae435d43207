"""Boards and their sections: looked after, found by their names, and made where a Pin asks for it."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.pinterest.block import PinDraft
from adapters.pinterest.wire import Board, pages
from fingerpost import Channel, ChannelFields, Places, Privacy, Rejected, Section, Session

SHOWN = 20
"""How many boards a finding lists."""

PRIVACIES: dict[str, Privacy] = {"PUBLIC": "public", "PROTECTED": "protected", "SECRET": "secret"}

NAME_TAKEN = "board_name_taken"
"""Our code for a board that cannot be made because its owner has one of that name."""


class Boards(Places):
    """`/v5/boards` and what lies below. A new board may be protected; one that is there cannot become so.

    Secret boards want scopes of their own, which `FINGERPOST_PINTEREST_SCOPES` adds to what is asked for.
    Pinterest's description bounds the names of sections and not those of boards.
    """

    section_max = 180
    privacies = ("public", "protected", "secret")
    privacy_changes = ("public", "secret")

    async def read(self, channel_id: str, session: Session) -> Channel:
        """`GET /v5/boards/{board_id}`."""
        response = await session.http.get(board_path(channel_id))
        return _channel(msgspec.json.decode(response.content, type=Board), session, whole=True)

    async def create(self, fields: ChannelFields, session: Session) -> Channel:
        """`POST /v5/boards`."""
        response = await session.http.post("/v5/boards", json=_body(fields))
        return _channel(msgspec.json.decode(response.content, type=Board), session, whole=True)

    async def change(self, channel_id: str, fields: ChannelFields, session: Session) -> Channel:
        """`PATCH /v5/boards/{board_id}`."""
        response = await session.http.patch(board_path(channel_id), json=_body(fields))
        return _channel(msgspec.json.decode(response.content, type=Board), session, whole=True)

    async def delete(self, channel_id: str, session: Session) -> None:
        """`DELETE /v5/boards/{board_id}`; its Pins go with it."""
        await session.http.delete(board_path(channel_id))

    async def sections(self, channel_id: str, session: Session) -> Sequence[Section]:
        """`GET /v5/boards/{board_id}/sections`, all pages."""
        path = f"{board_path(channel_id)}/sections"
        return [section async for page in pages(session, path, Section) for section in page]

    async def create_section(self, channel_id: str, name: str, session: Session) -> Section:
        """`POST /v5/boards/{board_id}/sections`."""
        response = await session.http.post(f"{board_path(channel_id)}/sections", json={"name": name})
        return msgspec.json.decode(response.content, type=Section)

    async def rename_section(self, channel_id: str, section_id: str, name: str, session: Session) -> Section:
        """`PATCH /v5/boards/{board_id}/sections/{section_id}`."""
        response = await session.http.patch(section_path(channel_id, section_id), json={"name": name})
        return msgspec.json.decode(response.content, type=Section)

    async def delete_section(self, channel_id: str, section_id: str, session: Session) -> None:
        """`DELETE /v5/boards/{board_id}/sections/{section_id}`; its Pins stay on the board."""
        await session.http.delete(section_path(channel_id, section_id))


async def list_boards(session: Session) -> Sequence[Channel]:
    """`GET /v5/boards`, all pages."""
    return [_channel(board, session) async for page in pages(session, "/v5/boards", Board) for board in page]


def board_path(board_id: str) -> str:
    """The path of a board. Pinterest's ids are digits: no other is asked for."""
    return f"/v5/boards/{_digits(board_id, 'board_not_found', 'board')}"


def section_path(board_id: str, section_id: str) -> str:
    """The path of a section."""
    return f"{board_path(board_id)}/sections/{_digits(section_id, 'section_not_found', 'section')}"


def boards_named(name: str, draft: PinDraft) -> Sequence[Channel]:
    """The account's boards of that name, as far as we know them."""
    return among(draft.account.channels if draft.account else (), name)


def among(boards: Sequence[Channel], name: str) -> Sequence[Channel]:
    """Boards of that name; one that is written exactly so goes before those that differ in case."""
    exact = [board for board in boards if board.name == name]
    return exact or [board for board in boards if board.name.strip().casefold() == name.strip().casefold()]


def verdict_on_name(name: str, draft: PinDraft) -> bool | str:
    """Whether a name says which board is meant, or what is wrong with it; there is never a silent default."""
    fitting, boards = boards_named(name, draft), draft.account.channels if draft.account else ()
    if len(fitting) == 1 or (not fitting and draft.block.create_board):
        return True
    if fitting:
        return f"Several boards are called '{name[:60]}'; give boardId: {_listed(fitting)}."
    like = difflib.get_close_matches(name.casefold()[:200], [board.name.casefold() for board in boards], n=5)
    nearest = [board for board in boards if board.name.casefold() in like]
    words = f"did you mean {_listed(nearest)}?" if nearest else f"there are: {_listed(boards)}."
    return f"No board is called '{name[:60]}'; {words} createBoard makes it."


def makes_board(draft: PinDraft) -> bool:
    """Whether publishing the draft may have to make its board."""
    block = draft.block
    return bool(block.create_board and not block.board_id and not boards_named(block.board_name or "", draft))


async def board_of(draft: PinDraft, session: Session) -> str:
    """The id of the board that a Pin goes to; made first where the draft asks for it and there is none."""
    if not makes_board(draft) or session.remembered("create-board"):
        return sent_board(draft, session)
    name = (draft.block.board_name or "").strip()

    async def make() -> str:
        return await _made(name, session)

    # Its owner has only one board of a name, so doing it twice makes no second.
    return await session.step("create-board", make, safe_to_repeat=True)


def sent_board(draft: PinDraft, session: Session) -> str:
    """The id of that board, as far as it is known without asking Pinterest."""
    boards = boards_named(draft.block.board_name or "", draft)
    id = draft.block.board_id or session.remembered("create-board") or (boards[0].id if len(boards) == 1 else None)
    if id is None:
        raise Rejected(
            "The board is no longer there under that name.",
            code="board_not_found",
            hint="Choose a board that this account has, by its id.",
        )
    return str(id)


async def _made(name: str, session: Session) -> str:
    """A board of that name: one that has come since the boards were listed last, or a new one."""
    if there := among(await list_boards(session), name):
        return there[0].id
    try:
        board = await Boards().create(ChannelFields(name=name), session)
    except Rejected as error:
        there = among(await list_boards(session), name) if error.code == NAME_TAKEN else ()
        if not there:
            raise
        return there[0].id
    return board.id


def _digits(id: str, code: str, noun: str) -> str:
    if not re.fullmatch(r"[0-9]{1,32}", id):
        raise Rejected(f"There is no such {noun}.", code=code, hint="Ids are digits here.", http_status=404)
    return id


def _body(fields: ChannelFields) -> dict[str, Any]:
    body: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(fields).items() if value is not None}
    return {**body, "privacy": fields.privacy.upper()} if fields.privacy else body


def _channel(board: Board, session: Session, *, whole: bool = False) -> Channel:
    """A board as a channel. One of somebody else, or for ads alone, takes no Pins of this account."""
    owner = board.owner.username if board.owner else None
    own = owner is None or not session.account.username or owner == session.account.username
    return Channel(
        id=board.id,
        name=board.name,
        description=board.description if whole else None,
        privacy=PRIVACIES.get(board.privacy or ""),
        writable=own and not board.is_ads_only,
    )


def _listed(boards: Sequence[Channel]) -> str:
    shown = ", ".join(f"'{board.name}' ({board.id})" for board in boards[:SHOWN])
    return (shown or "none") + (f" and {len(boards) - SHOWN} more" if len(boards) > SHOWN else "")
