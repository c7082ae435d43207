"""Users, boards, sections and Pins in the shapes of the API's answers."""

from datetime import UTC, datetime
from typing import Any

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.things import Board, Picture, Pin, Section
from adapters.pinterest.sandbox.world import World

SHOWN_SIZES = (("150x150", 150, 150), ("400x300", 400, 300), ("600x", 600, None), ("1200x", 1200, None))
THUMBNAILS = 4


def moment(seconds: float) -> str:
    """A time as the live API tells it: UTC, whole seconds, and no zone."""
    return datetime.fromtimestamp(int(seconds), UTC).replace(tzinfo=None).isoformat()


def user_shape(caller: Caller, origin: str) -> dict[str, Any]:
    """The answer of `GET /user_account`."""
    boards = list(caller.world.boards_of(caller.user))
    return {
        "id": caller.user.id,
        "username": caller.user.username,
        "account_type": "BUSINESS",
        "business_name": caller.user.username,
        "profile_image": f"{origin}/images/profile/{caller.user.id}.png",
        "website_url": "",
        "about": "",
        "board_count": len(boards),
        "pin_count": sum(1 for _ in caller.world.pins_of(caller.user)),
        "follower_count": 0,
        "following_count": 0,
        "monthly_views": 0,
    }


def board_shape(world: World, board: Board, origin: str) -> dict[str, Any]:
    """A Board."""
    pins = list(world.pins_on(board))
    thumbnails = [_url(origin, "150x150", pin.slots[0].picture) for pin in pins[:THUMBNAILS]]
    return {
        "id": board.id,
        "name": board.name,
        "description": board.description,
        "privacy": board.privacy,
        "is_ads_only": board.is_ads_only,
        "owner": {"username": board.owner.username},
        "pin_count": len(pins),
        "follower_count": 0,
        "collaborator_count": 0,
        "created_at": moment(board.dated),
        "board_pins_modified_at": moment(board.modified),
        "media": {
            "image_cover_url": _url(origin, "400x300", pins[0].slots[0].picture) if pins else None,
            "pin_thumbnail_urls": thumbnails,
        },
    }


def section_shape(section: Section) -> dict[str, Any]:
    """A BoardSection."""
    return {"id": section.id, "name": section.name}


def pin_shape(caller: Caller, pin: Pin, origin: str) -> dict[str, Any]:
    """A Pin, with the fields that live answers carry beyond the published schema."""
    return {
        "id": pin.id,
        "created_at": moment(pin.dated),
        "title": pin.title,
        "description": pin.description,
        "link": pin.link,
        "alt_text": pin.alt_text,
        "note": pin.note,
        "dominant_color": pin.dominant_color,
        "board_id": pin.board,
        "board_section_id": pin.section,
        "board_owner": {"username": pin.owner.username},
        "parent_pin_id": pin.parent,
        "creative_type": "VIDEO" if pin.video else "REGULAR" if len(pin.slots) == 1 else "CAROUSEL",
        "is_owner": pin.owner == caller.user,
        "is_standard": True,
        "is_removable": False,
        "has_been_promoted": False,
        "product_tags": [],
        "pin_metrics": None,
        "media": _media(pin, origin),
        **({} if pin.ai_disclosures is None else {"ai_disclosures": {"values": list(pin.ai_disclosures)}}),
    }


def _media(pin: Pin, origin: str) -> dict[str, Any]:
    first, *others = pin.slots
    if pin.video:
        return {
            "media_type": "video",
            "cover_image_url": _url(origin, "originals", first.picture),
            # Null for a while in live answers as well: nobody looks into videos here.
            **dict.fromkeys(("duration", "height", "width", "video_url")),
            "images": _images(first.picture, origin),
        }
    if not others:
        return {"media_type": "image", "images": _images(first.picture, origin)}
    return {
        "media_type": "multiple_images",
        "items": [
            {
                "item_type": "image",
                "title": slot.title,
                "description": slot.description,
                "link": slot.link,
                "images": _images(slot.picture, origin),
            }
            for slot in (first, *others)
        ],
    }


def _images(picture: Picture, origin: str) -> dict[str, Any]:
    images = {
        name: {
            "width": width,
            "height": height or round(picture.height * width / picture.width),
            "url": _url(origin, name, picture),
        }
        for name, width, height in SHOWN_SIZES
    }
    originals = {
        "width": picture.width,
        "height": picture.height,
        "url": _url(origin, "originals", picture),
    }
    return {**images, "originals": originals}


def _url(origin: str, size: str, picture: Picture) -> str:
    ending = "png" if picture.mime == "image/png" else "jpg"
    return f"{origin}/images/{size}/{picture.sha256}.{ending}"
