"""The operations on Pins that are there already: changed, and saved to another board."""

from typing import Any

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.boards import origin
from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pins import PIN_FIELDS, check_link, place
from adapters.pinterest.sandbox.refusals import restricted
from adapters.pinterest.sandbox.schema import DIGITS, Text, body_of, digits_in_path
from adapters.pinterest.sandbox.shapes import pin_shape
from adapters.pinterest.sandbox.things import Pin
from fingerpost import json_answer

CHANGES = {
    name: PIN_FIELDS[name] for name in ("board_id", "board_section_id", "title", "description", "link", "alt_text")
}
TARGET = {name: Text(pattern=DIGITS, nullable=True) for name in ("board_id", "board_section_id")}
TEXTS = ("title", "description", "alt_text")


async def change_pin(caller: Caller, request: web.Request) -> web.Response:
    """`PATCH /pins/{pin_id}`, which is in beta: not every app may."""
    if "pin_update" not in caller.world.granted:
        raise restricted()
    pin = caller.pin(digits_in_path(request, "pin_id"))
    body = await body_of(request, CHANGES)
    moved = "board_id" in body or "board_section_id" in body
    board_id = body.get("board_id", pin.board)
    section = body.get("board_section_id") if "board_section_id" in body or board_id != pin.board else pin.section
    if moved:
        place(caller, {"board_id": board_id, "board_section_id": section})
    check_link(body.get("link"))
    kept = {name: caller.world.platform.kept(body[name]) for name in TEXTS if name in body}
    link = {"link": body["link"]} if "link" in body else {}
    changed = msgspec.structs.replace(pin, board=board_id, section=section, **kept, **link)
    caller.world.change_pin(changed)
    return json_answer(200, pin_shape(caller, changed, origin(request)))


async def save_pin(caller: Caller, request: web.Request) -> web.Response:
    """`POST /pins/{pin_id}/save`: a new Pin, whose parent is the one that was saved."""
    pin = caller.pin(digits_in_path(request, "pin_id"))
    body = {"board_id": pin.board} | {k: v for k, v in (await body_of(request, TARGET)).items() if v is not None}
    place(caller, body)
    saved = _copy(caller, pin, body)
    caller.world.add_pin(saved)
    return json_answer(201, pin_shape(caller, saved, origin(request)))


def _copy(caller: Caller, pin: Pin, body: dict[str, Any]) -> Pin:
    platform = caller.world.platform
    return msgspec.structs.replace(
        pin,
        id=caller.world.new_id(),
        serial=caller.world.next_serial(),
        board=body["board_id"],
        section=body.get("board_section_id"),
        parent=pin.id,
        note="",
        created=platform.clock(),
        dated=platform.now(),
    )
