"""Lists cut into pages: in any order, with bookmarks that lead to every item once."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import dropwhile, islice
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from core.sandbox.weather import Order


class Listed(Protocol):
    """Something that lists show: `serial` is its place in the order of making, `created` when, by the log's clock."""

    @property
    def serial(self) -> int:
        """The place; no two things have the same."""
        ...

    @property
    def created(self) -> float:
        """The moment, in unix seconds."""
        ...


T = TypeVar("T", bound=Listed)


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list; `bookmark` leads to the next one, and is None where nothing follows."""

    items: list[T]
    bookmark: str | None


def _scattered(serial: int) -> int:
    # An odd factor makes this one-to-one, so that no two things share a place.
    return serial * 0x9E3779B97F4A7C15 % 2**64


PLACES: Mapping[Order, Callable[[int], int]] = MappingProxyType(
    {"newest": int.__neg__, "oldest": int.__pos__, "shuffled": _scattered}
)
"""Where a thing stands in a list, from its serial; it never moves, whatever is made or removed around it."""


def page_of(newest_first: Iterable[T], *, order: Order, size: int, bookmark: str | None) -> Page[T]:
    """The page behind `bookmark`, or the first. Raises ValueError for a bookmark that no page gave.

    A bookmark knows the order it was made in and stays with it.
    """
    order, after = _read(bookmark) if bookmark else (order, None)
    rest = _behind(newest_first, order, after)
    items = list(islice(rest, size))
    more = next(rest, None) is not None
    return Page(items=items, bookmark=_written(order, items[-1]) if items and more else None)


def _behind(newest_first: Iterable[T], order: Order, after: int | None) -> Iterator[T]:
    place = PLACES[order]
    # The newest first is how they come: a long list is not walked for its first page.
    row = newest_first if order == "newest" else sorted(newest_first, key=lambda each: place(each.serial))
    return iter(row) if after is None else dropwhile(lambda each: place(each.serial) <= after, row)


def _written(order: Order, last: Listed) -> str:
    return base64.urlsafe_b64encode(f"{order}:{PLACES[order](last.serial)}".encode()).decode()


def _read(bookmark: str) -> tuple[Order, int]:
    try:
        text = base64.urlsafe_b64decode(bookmark.encode()).decode()
    except ValueError:
        text = ""
    found = re.fullmatch(rf"({'|'.join(PLACES)}):(-?[0-9]{{1,20}})", text)
    if found is None:
        raise ValueError(f"{bookmark!r} is not a bookmark")
    return cast("Order", found[1]), int(found[2])
