"""Counting: how long a text is, which every platform measures in its own way."""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import regex

Counter = Literal["chars", "graphemes", "utf16", "bytes", "x-weighted", "fediverse"]
"""What is counted.

`chars` are Unicode code points, `graphemes` the characters that people see (UAX #29), `utf16` units of UTF-16,
`bytes` those of UTF-8. `x-weighted` is twitter-text's count (configuration v3): a character of most alphabets counts
1, any other and each emoji 2, each http(s) URL alike. `fediverse` counts graphemes, each http(s) URL alike, and of a
mention (`@somebody@server.example`) only the name.
"""

COUNTERS: tuple[Counter, ...] = get_args(Counter)

UNITS: Mapping[Counter, str] = {
    "chars": "characters",
    "graphemes": "characters as people see them",
    "utf16": "UTF-16 units",
    "bytes": "bytes of UTF-8",
    "x-weighted": "weighted characters, each URL the same",
    "fediverse": "characters as people see them, each URL the same",
}
"""What each counter counts, in words."""

URL = 23
"""What a URL counts where all count alike, unless a platform says otherwise."""

_URL = regex.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?')\]}]", regex.IGNORECASE)
_MENTION = regex.compile(r"(?<![\w@/])@([\w]+(?:[\w.-]*\w)?)@[\w-]+(?:\.[\w-]+)+")
_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|\N{COMBINING ENCLOSING KEYCAP}")
# Code points of weight 1: Latin to Georgian, and the punctuation of these alphabets.
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))


def count(text: str, counter: Counter, *, url: int = URL) -> int:
    """How much `counter` finds in a text; `url` is what each URL counts where all count alike."""
    return _COUNTS[counter](text, url)


def graphemes(text: str) -> list[str]:
    """A text taken apart into the characters that people see."""
    return [found[0] for found in _GRAPHEME.finditer(text)]


def _chars(text: str, url: int) -> int:
    return len(text)


def _graphemes(text: str, url: int) -> int:
    return len(text) if text.isascii() and "\r" not in text else len(graphemes(text))


def _utf16(text: str, url: int) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _bytes(text: str, url: int) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _weighted(text: str, url: int) -> int:
    rest, found = _without_urls(unicodedata.normalize("NFC", text))
    return found * url + sum(map(_weight, graphemes(rest)))


def _without_urls(text: str) -> tuple[str, int]:
    """The text without its URLs, and how many those were."""
    rest, found = _URL.subn("", text)
    return str(rest), int(found)


def _weight(grapheme: str) -> int:
    if _EMOJI.search(grapheme) and (len(grapheme) > 1 or not _is_light(grapheme)):
        return 2
    return sum(1 if _is_light(character) else 2 for character in grapheme)


def _is_light(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _LIGHT)


def _fediverse(text: str, url: int) -> int:
    rest, found = _without_urls(text)
    return found * url + _graphemes(_MENTION.sub(r"@\1", rest), url)


_COUNTS: Mapping[Counter, Callable[[str, int], int]] = {
    "chars": _chars,
    "graphemes": _graphemes,
    "utf16": _utf16,
    "bytes": _bytes,
    "x-weighted": _weighted,
    "fediverse": _fediverse,
}
