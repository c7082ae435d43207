"""The operations on the sections of boards."""

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.boards import board_in_path, origin
from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pages import page
from adapters.pinterest.sandbox.refusals import bad_section, gone_section
from adapters.pinterest.sandbox.schema import body_of, digits_in_path
from adapters.pinterest.sandbox.shapes import pin_shape, section_shape
from adapters.pinterest.sandbox.things import Board, Section
from fingerpost import json_answer

LONGEST_NAME = 180


async def list_sections(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}/sections`."""
    return page(caller, request, caller.world.sections_of(board_in_path(caller, request)), section_shape)


async def create_section(caller: Caller, request: web.Request) -> web.Response:
    """`POST /boards/{board_id}/sections`."""
    board, name = board_in_path(caller, request), await _name(caller, request)
    return json_answer(201, section_shape(caller.world.add_section(board, name)))


async def change_section(caller: Caller, request: web.Request) -> web.Response:
    """`PATCH /boards/{board_id}/sections/{section_id}`."""
    section = _section(caller, request, board_in_path(caller, request))
    changed = msgspec.structs.replace(section, name=await _name(caller, request))
    caller.world.sections[section.id] = changed
    return json_answer(200, section_shape(changed))


async def delete_section(caller: Caller, request: web.Request) -> web.Response:
    """`DELETE /boards/{board_id}/sections/{section_id}`; its Pins stay on the board."""
    caller.world.remove_section(_section(caller, request, board_in_path(caller, request)))
    return web.Response(status=204)


async def list_section_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /boards/{board_id}/sections/{section_id}/pins`."""
    board = board_in_path(caller, request)
    section = _section(caller, request, board)
    pins = (pin for pin in caller.world.pins_on(board) if pin.section == section.id)
    return page(caller, request, pins, lambda pin: pin_shape(caller, pin, origin(request)))


def _section(caller: Caller, request: web.Request, board: Board) -> Section:
    section = caller.world.sections.get(digits_in_path(request, "section_id"))
    if section is None or section.board != board.id:
        raise gone_section()
    return section


async def _name(caller: Caller, request: web.Request) -> str:
    name = (await body_of(request, {})).get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        raise bad_section()
    return caller.world.platform.kept(name) or name
