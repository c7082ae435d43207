"""Lists cut into pages, each with a bookmark to the next."""

import base64
import re
from collections.abc import Callable, Iterable
from itertools import dropwhile, islice
from typing import Any, Protocol, TypeVar

from aiohttp import web

from adapters.pinterest.sandbox.refusals import invalid
from adapters.pinterest.sandbox.schema import page_size
from fingerpost import json_answer


class Serial(Protocol):
    """Something that has a place in the order of making."""

    @property
    def serial(self) -> int:
        """The place."""
        ...


T = TypeVar("T", bound=Serial)


def page(request: web.Request, newest_first: Iterable[T], shown: Callable[[T], Any]) -> web.Response:
    """The page that the request asks for; its bookmark is null where nothing follows.

    A bookmark names a place in time, so what is made or removed between two pages neither repeats nor hides an item.
    """
    size = page_size(request)
    rest = iter(newest_first)
    if bookmark := request.query.get("bookmark"):
        last = _read(bookmark)
        rest = dropwhile(lambda item: item.serial >= last, rest)
    items = list(islice(rest, size))
    more = next(rest, None) is not None
    return json_answer(
        200,
        {"items": [shown(item) for item in items], "bookmark": _write(items[-1].serial) if more else None},
    )


def _write(serial: int) -> str:
    return base64.urlsafe_b64encode(f"before:{serial}".encode()).decode()


def _read(bookmark: str) -> int:
    try:
        place = base64.urlsafe_b64decode(bookmark.encode()).decode()
    except ValueError:
        place = ""
    found = re.fullmatch(r"before:([0-9]{1,18})", place)
    if found is None:
        raise invalid(f"{bookmark!r} is not a bookmark")
    return int(found[1])
