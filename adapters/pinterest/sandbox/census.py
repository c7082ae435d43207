"""What lives on the platform, as a test or a curious person reads it."""

from typing import Any

from adapters.pinterest.sandbox.films import Film
from adapters.pinterest.sandbox.shapes import moment
from adapters.pinterest.sandbox.things import Board, Picture, Pin
from adapters.pinterest.sandbox.world import World


def census(world: World) -> dict[str, list[dict[str, Any]]]:
    """Users, boards, sections, media and Pins, the oldest first, as they are stored.

    `account` is the id of the owner, `created` the moment of making in unix seconds as the call log counts them;
    `created_at` is what the platform says it was.
    """
    return {
        "users": [{"id": user.id, "username": user.username} for user in world.users.values()],
        "boards": [_board(board) for board in world.boards.values()],
        "sections": [{"id": each.id, "board_id": each.board, "name": each.name} for each in world.sections.values()],
        "media": [_film(film, world) for film in world.films.values()],
        "pins": [_pin(pin) for pin in world.pins.values()],
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        "id": board.id,
        "name": board.name,
        "description": board.description,
        "privacy": board.privacy,
        "created": board.created,
        "created_at": moment(board.dated),
        "account": board.owner.id,
    }


def _pin(pin: Pin) -> dict[str, Any]:
    return {
        "id": pin.id,
        "board_id": pin.board,
        "board_section_id": pin.section,
        "title": pin.title,
        "description": pin.description,
        "link": pin.link,
        "alt_text": pin.alt_text,
        "note": pin.note,
        "dominant_color": pin.dominant_color,
        "created": pin.created,
        "created_at": moment(pin.dated),
        "account": pin.owner.id,
        "media_id": pin.video,
        "ai_disclosures": pin.ai_disclosures,
        "pictures": [_picture(slot.picture) for slot in pin.slots],
    }


def _film(film: Film, world: World) -> dict[str, Any]:
    return {
        "id": film.id,
        "status": film.status(world.platform.clock()),
        "bytes": film.bytes,
        "sha256": film.sha256,
        "created": film.created,
        "account": film.owner.id,
    }


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "content_type": picture.mime,
        "bytes": picture.size,
        "width": picture.width,
        "height": picture.height,
    }
