"""The operations on boards, their sections, and the user who owns them."""

from typing import Any

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pages import page
from adapters.pinterest.sandbox.refusals import bad_board_name, bad_section, no_board
from adapters.pinterest.sandbox.schema import Text, body_of, choice_in_query, digits_in_path
from adapters.pinterest.sandbox.shapes import board_shape, pin_shape, section_shape, user_shape
from adapters.pinterest.sandbox.things import Board
from fingerpost import json_answer

PRIVACIES = ("PUBLIC", "PROTECTED", "SECRET")
FILTERS = {
    "ALL": frozenset(PRIVACIES),
    **{privacy: frozenset({privacy}) for privacy in PRIVACIES},
    "PUBLIC_AND_SECRET": frozenset({"PUBLIC", "SECRET"}),
}
BOARD_FIELDS = {
    "name": Text(),
    "description": Text(nullable=True),
    "privacy": Text(choice=PRIVACIES),
}
BOARD_CHANGES = {**BOARD_FIELDS, "privacy": Text(choice=("PUBLIC", "SECRET"))}
LONGEST_SECTION_NAME = 180


def origin(request: web.Request) -> str:
    """Where the sandbox serves, as the client knows it."""
    return str(request.url.origin())


async def show_user(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account`."""
    return json_answer(200, user_shape(caller, origin(request)))


async def list_boards(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards`."""
    wanted = FILTERS[choice_in_query(request, "privacy", FILTERS, "ALL")]
    boards = caller.world.boards_of(caller.user)
    chosen = (board for board in boards if board.privacy in wanted and caller.sees(board))
    return page(caller, request, chosen, lambda board: board_shape(caller.world, board, origin(request)))


async def show_board(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}`."""
    return _answer(200, caller, request, _board(caller, request))


async def create_board(caller: Caller, request: web.Request) -> web.Response:
    """`POST /boards`."""
    body = _kept(caller, await body_of(request, BOARD_FIELDS, ("name",)))
    ads_only = body.get("is_ads_only") is True
    name = "Ad-only Pins" if ads_only else body["name"]
    privacy = "PROTECTED" if ads_only else body.get("privacy", "PUBLIC")
    _check(caller, name, privacy)
    board = caller.world.add_board(
        caller.user,
        name,
        description=body.get("description"),
        privacy=privacy,
        is_ads_only=ads_only,
    )
    return _answer(201, caller, request, board)


async def change_board(caller: Caller, request: web.Request) -> web.Response:
    """`PATCH /boards/{board_id}`."""
    board = _board(caller, request)
    body = _kept(caller, await body_of(request, BOARD_CHANGES))
    changes = {name: body[name] for name in BOARD_CHANGES if name in body}
    changed = msgspec.structs.replace(board, **changes)
    _check(caller, changed.name, changed.privacy, but=board)
    caller.world.boards[board.id] = changed
    return _answer(200, caller, request, changed)


async def delete_board(caller: Caller, request: web.Request) -> web.Response:
    """`DELETE /boards/{board_id}`."""
    caller.world.remove_board(_board(caller, request))
    return web.Response(status=204)


async def list_board_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}/pins`."""
    pins = caller.world.pins_on(_board(caller, request))
    return page(caller, request, pins, lambda pin: pin_shape(caller, pin, origin(request)))


async def list_sections(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}/sections`."""
    return page(caller, request, caller.world.sections_of(_board(caller, request)), section_shape)


async def create_section(caller: Caller, request: web.Request) -> web.Response:
    """`POST /boards/{board_id}/sections`."""
    board = _board(caller, request)
    name = (await body_of(request, {})).get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_SECTION_NAME:
        raise bad_section()
    kept = caller.world.platform.kept(name) or name
    return json_answer(201, section_shape(caller.world.add_section(board, kept)))


def _board(caller: Caller, request: web.Request) -> Board:
    board = caller.board(digits_in_path(request, "board_id"))
    if board is None:
        raise no_board()
    return board


def _kept(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    texts = body.keys() & {"name", "description"}
    return {**body, **{name: caller.world.platform.kept(body[name]) for name in texts}}


def _check(caller: Caller, name: str, privacy: str, but: Board | None = None) -> None:
    if privacy == "SECRET":
        caller.require("boards:write_secret")
    taken = {board.name for board in caller.world.boards_of(caller.user) if board is not but}
    if not name.strip() or name in taken:
        raise bad_board_name()


def _answer(status: int, caller: Caller, request: web.Request, board: Board) -> web.Response:
    shape: dict[str, Any] = board_shape(caller.world, board, origin(request))
    return json_answer(status, shape)
