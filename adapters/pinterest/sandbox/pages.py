"""Lists cut into pages, each with a bookmark to the next."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.films import Film
from adapters.pinterest.sandbox.refusals import invalid
from adapters.pinterest.sandbox.schema import page_size
from adapters.pinterest.sandbox.things import Board, Pin, Section
from fingerpost import json_answer

T = TypeVar("T", Board, Film, Pin, Section)


def page(caller: Caller, request: web.Request, newest_first: Iterable[T], shown: Callable[[T], Any]) -> web.Response:
    """The page that the request asks for; its bookmark is null where nothing follows."""
    size, bookmark = page_size(request), request.query.get("bookmark")
    try:
        found = caller.world.platform.page(newest_first, size=size, bookmark=bookmark)
    except ValueError as wrong:
        raise invalid(str(wrong)) from wrong
    return json_answer(200, {"items": [shown(item) for item in found.items], "bookmark": found.bookmark})
