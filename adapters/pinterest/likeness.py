"""Likeness: whether a Pin on a board is the one that we sent."""

import html
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from adapters.pinterest.wire import Pin

CUT = ("title", "description", "alt_text")
"""The texts of a Pin that may come back cut."""

LEAST_CUT = 20
"""Characters of a text that have to be left for it to be taken for a longer one that was cut."""


def is_newest_first(page: Sequence[Pin]) -> bool:
    """Whether a page shows it: Pinterest does not say in which order its lists are."""
    return page[0].made > page[-1].made and all(newer.made >= older.made for newer, older in pairwise(page))


def likeness(texts: dict[str, Any], pin: Pin, longest: Mapping[str, int]) -> bool | None:
    """Whether a Pin says what we sent: True exactly, False as far as it was not cut, None not at all.

    Pinterest may trim and escape texts, and append to links. `longest` is the length of the longest text of a kind
    that was seen there: a shorter one was not cut.
    """
    link, shown = collapsed(texts.get("link")), collapsed(pin.link)
    if link != shown and not (link and shown.startswith((f"{link}?", f"{link}&", f"{link}#", f"{link}/"))):
        return None
    exact = True
    for name in CUT:
        sent, seen = collapsed(texts.get(name)), getattr(pin, name)
        if sent in (collapsed(seen), plain(seen)):
            continue
        least = max(LEAST_CUT, longest[name])
        if not any(len(plain(seen)) >= least and sent.startswith(each) for each in (collapsed(seen), plain(seen))):
            return None
        exact = False
    return exact


def plain(text: str | None) -> str:
    """A text as it was before it was escaped."""
    return collapsed(html.unescape(text or ""))


def collapsed(text: str | None) -> str:
    """A text with every run of whitespace made one space."""
    return re.sub(r"\s+", " ", text or "").strip()
