"""The operations on Pins."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.boards import origin
from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.pages import page
from adapters.pinterest.sandbox.pictures import INTAKE
from adapters.pinterest.sandbox.refusals import invalid, invalid_link, no_board_for_pin, no_section, spam, too_many
from adapters.pinterest.sandbox.schema import DIGITS, Text, body_of, check, digits_in_path
from adapters.pinterest.sandbox.shapes import pin_shape
from adapters.pinterest.sandbox.sources import slots_of
from adapters.pinterest.sandbox.things import Board, Pin, Slot
from fingerpost import json_answer

SPAM_HOST = "spam.example"
"""Links to this host and those below it are taken for spam."""

PIN_FIELDS = {
    "board_id": Text(pattern=DIGITS),
    "board_section_id": Text(pattern=DIGITS, nullable=True),
    "title": Text(longest=100, nullable=True),
    "description": Text(longest=800, nullable=True),
    "link": Text(longest=2048, nullable=True),
    "alt_text": Text(longest=500, nullable=True),
    "dominant_color": Text(nullable=True),
    "parent_pin_id": Text(pattern=DIGITS, nullable=True),
}


async def create_pin(caller: Caller, request: web.Request) -> web.Response:
    """`POST /pins`."""
    body = await body_of(request, PIN_FIELDS, ("board_id", "media_source"))
    _disclosures(body.get("ai_disclosures"))
    place(caller, body)
    if caller.world.is_full(caller.user):
        raise too_many("Pins")
    check_link(body.get("link"))
    source = body["media_source"]
    slots = await slots_of(caller, request.app[INTAKE], source)
    # Fetching took its time, and the board may be gone by now.
    pin = _pin(caller, body, place(caller, body), slots, source.get("media_id"))
    caller.world.add_pin(pin)
    return json_answer(201, pin_shape(caller, pin, origin(request)))


async def list_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /pins`."""
    pins = (pin for pin in caller.world.pins_of(caller.user) if caller.board(pin.board))
    return page(caller, request, pins, lambda pin: pin_shape(caller, pin, origin(request)))


async def show_pin(caller: Caller, request: web.Request) -> web.Response:
    """`GET /pins/{pin_id}`."""
    pin = caller.pin(digits_in_path(request, "pin_id"))
    return json_answer(200, pin_shape(caller, pin, origin(request)))


async def delete_pin(caller: Caller, request: web.Request) -> web.Response:
    """`DELETE /pins/{pin_id}`."""
    caller.world.remove_pin(caller.pin(digits_in_path(request, "pin_id")))
    return web.Response(status=204)


def place(caller: Caller, body: dict[str, Any]) -> Board:
    """The board that a Pin is to be on, if it and its section are there."""
    board = caller.board(body["board_id"])
    if board is None:
        raise no_board_for_pin()
    if board.privacy == "SECRET":
        caller.require("pins:write_secret")
    section = body.get("board_section_id")
    if section is not None and getattr(caller.world.sections.get(section), "board", None) != board.id:
        raise no_section()
    return board


def check_link(link: str | None) -> None:
    """Refuses what is no URL, and what leads to spam."""
    if not link:
        return
    try:
        host = urlsplit(link).hostname
    except ValueError:
        host = None
    if not host or not re.match(r"(?i)https?://\S+$", link):
        raise invalid_link()
    if host == SPAM_HOST or host.endswith(f".{SPAM_HOST}"):
        raise spam()


def _pin(caller: Caller, body: dict[str, Any], board: Board, slots: tuple[Slot, ...], video: str | None) -> Pin:
    note = body.get("note")
    platform = caller.world.platform
    kept = {name: platform.kept(body.get(name)) for name in ("title", "description", "alt_text")}
    return Pin(
        id=caller.world.new_id(),
        serial=caller.world.next_serial(),
        owner=caller.user,
        board=board.id,
        section=body.get("board_section_id"),
        link=body.get("link"),
        note=(platform.kept(note) or "") if isinstance(note, str) else "",
        dominant_color=body.get("dominant_color") or slots[0].picture.color,
        parent=body.get("parent_pin_id"),
        slots=tuple(_kept(caller, slot) for slot in slots),
        video=video,
        ai_disclosures=_disclosures(body.get("ai_disclosures")),
        created=platform.clock(),
        dated=platform.now(),
        **kept,
    )


def _disclosures(given: Any) -> tuple[str, ...] | None:
    """What was disclosed of the part that AI had in it."""
    if given is None:
        return None
    values = check(given, {}, ("values",))["values"]
    if not isinstance(values, list):
        raise invalid(f"{values!r} is not of type 'array'")
    for value in values:
        Text(choice=("AI_MODIFIED", "SYNTHETIC_PERFORMER")).check(value)
    return tuple(values)


def _kept(caller: Caller, slot: Slot) -> Slot:
    kept = caller.world.platform.kept
    return msgspec.structs.replace(slot, title=kept(slot.title), description=kept(slot.description))
