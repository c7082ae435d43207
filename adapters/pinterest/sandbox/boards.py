"""The operations on boards, and on the user who owns them."""

from typing import Any

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pages import page
from adapters.pinterest.sandbox.refusals import bad_board_name, no_board, too_many
from adapters.pinterest.sandbox.schema import Text, body_of, choice_in_query, digits_in_path
from adapters.pinterest.sandbox.shapes import board_shape, pin_shape, user_shape
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


def origin(request: web.Request) -> str:
    """Where the sandbox serves, as the client knows it."""
    return str(request.url.origin())


async def show_user(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account`."""
    return json_answer(200, user_shape(caller, origin(request)))


async def list_businesses(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account/businesses`: nobody here has linked any."""
    return json_answer(200, [])


async def list_boards(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards`."""
    wanted = FILTERS[choice_in_query(request, "privacy", FILTERS, "ALL")]
    boards = caller.world.boards_of(caller.user)
    chosen = (board for board in boards if board.privacy in wanted and caller.sees(board))
    return page(caller, request, chosen, lambda board: board_shape(caller.world, board, origin(request)))


async def show_board(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}`."""
    return _answer(200, caller, request, board_in_path(caller, request))


async def create_board(caller: Caller, request: web.Request) -> web.Response:
    """`POST /boards`."""
    body = _kept(caller, await body_of(request, BOARD_FIELDS, ("name",)))
    ads_only = body.get("is_ads_only") is True
    name = "Ad-only Pins" if ads_only else body["name"]
    privacy = "PROTECTED" if ads_only else body.get("privacy", "PUBLIC")
    _check(caller, name, privacy)
    if sum(1 for _ in caller.world.boards_of(caller.user)) >= caller.world.most_boards:
        raise too_many("boards")
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
    board = board_in_path(caller, request)
    body = _kept(caller, await body_of(request, BOARD_CHANGES))
    changes = {name: body[name] for name in BOARD_CHANGES if name in body}
    changed = msgspec.structs.replace(board, **changes)
    _check(caller, changed.name, changed.privacy, but=board)
    caller.world.boards[board.id] = changed
    return _answer(200, caller, request, changed)


async def delete_board(caller: Caller, request: web.Request) -> web.Response:
    """`DELETE /boards/{board_id}`."""
    caller.world.remove_board(board_in_path(caller, request))
    return web.Response(status=204)


async def list_board_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}/pins`."""
    pins = caller.world.pins_on(board_in_path(caller, request))
    return page(caller, request, pins, lambda pin: pin_shape(caller, pin, origin(request)))


def board_in_path(caller: Caller, request: web.Request) -> Board:
    """The caller's board that the path names."""
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
