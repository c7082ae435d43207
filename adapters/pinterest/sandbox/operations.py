"""The operations that the sandbox serves: scopes and rate category of each (Pinterest API v5.23), and who does it."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.analytics import (
    list_top_pins,
    list_top_video_pins,
    show_many_figures,
    show_pin_figures,
    show_user_figures,
)
from adapters.pinterest.sandbox.boards import (
    change_board,
    create_board,
    delete_board,
    list_board_pins,
    list_boards,
    list_businesses,
    show_board,
    show_user,
)
from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.live_pins import change_pin, save_pin
from adapters.pinterest.sandbox.media import list_media, register_media, show_media
from adapters.pinterest.sandbox.pins import create_pin, delete_pin, list_pins, show_pin
from adapters.pinterest.sandbox.sections import (
    change_section,
    create_section,
    delete_section,
    list_section_pins,
    list_sections,
)

Work = Callable[[Caller, web.Request], Awaitable[web.Response]]

PUBLISHER_SCOPES = ("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read")
"""The scopes that a publisher asks for."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """An operation: `category` is its `x-ratelimit-category`, `scopes` those of `pinterest_oauth2`."""

    work: Work
    category: str
    scopes: tuple[str, ...]
    open_to_trial: bool = True


def _read(work: Work, *scopes: str) -> Operation:
    return Operation(work=work, category="org_read", scopes=scopes)


def _write(work: Work, *scopes: str, open_to_trial: bool = True) -> Operation:
    return Operation(work=work, category="org_write", scopes=scopes, open_to_trial=open_to_trial)


def _figures(work: Work, *scopes: str) -> Operation:
    return Operation(work=work, category="org_analytics", scopes=scopes)


BOARD_SCOPES = ("boards:read", "boards:write")
PIN_SCOPES = (*BOARD_SCOPES, "pins:read", "pins:write")

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "GET /v5/user_account": _read(show_user, "user_accounts:read"),
        "GET /v5/user_account/businesses": _read(list_businesses, "user_accounts:read"),
        "GET /v5/user_account/analytics": _figures(show_user_figures, "user_accounts:read"),
        "GET /v5/user_account/analytics/top_pins": _figures(list_top_pins, "pins:read", "user_accounts:read"),
        "GET /v5/user_account/analytics/top_video_pins": _figures(
            list_top_video_pins, "pins:read", "user_accounts:read"
        ),
        "GET /v5/boards": _read(list_boards, "boards:read"),
        "POST /v5/boards": _write(create_board, *BOARD_SCOPES),
        "GET /v5/boards/{board_id}": _read(show_board, "boards:read"),
        "PATCH /v5/boards/{board_id}": _write(change_board, *BOARD_SCOPES),
        "DELETE /v5/boards/{board_id}": _write(delete_board, *BOARD_SCOPES),
        "GET /v5/boards/{board_id}/pins": _read(list_board_pins, "boards:read", "pins:read"),
        "GET /v5/boards/{board_id}/sections": _read(list_sections, "boards:read"),
        "POST /v5/boards/{board_id}/sections": _write(create_section, *BOARD_SCOPES),
        "PATCH /v5/boards/{board_id}/sections/{section_id}": _write(change_section, *BOARD_SCOPES),
        "DELETE /v5/boards/{board_id}/sections/{section_id}": _write(delete_section, *BOARD_SCOPES),
        "GET /v5/boards/{board_id}/sections/{section_id}/pins": _read(list_section_pins, "boards:read", "pins:read"),
        "GET /v5/pins/analytics": _figures(show_many_figures, "boards:read", "pins:read"),
        "GET /v5/media": _read(list_media, "pins:read"),
        "POST /v5/media": _write(register_media, "pins:read", "pins:write"),
        "GET /v5/media/{media_id}": _read(show_media, "pins:read"),
        "GET /v5/pins": _read(list_pins, "boards:read", "pins:read"),
        "POST /v5/pins": _write(create_pin, *PIN_SCOPES, open_to_trial=False),
        "GET /v5/pins/{pin_id}": _read(show_pin, "boards:read", "pins:read"),
        "PATCH /v5/pins/{pin_id}": _write(change_pin, *PIN_SCOPES),
        "POST /v5/pins/{pin_id}/save": _write(save_pin, *PIN_SCOPES),
        "GET /v5/pins/{pin_id}/analytics": _figures(show_pin_figures, "boards:read", "pins:read"),
        "DELETE /v5/pins/{pin_id}": _write(delete_pin, *PIN_SCOPES),
    }
)
"""Operations by method and path template."""
