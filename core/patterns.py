"""Patterns of texts, in what Python and JSON Schema take for the same."""

from typing import Annotated

from msgspec import Meta

Digits = Annotated[str, Meta(pattern=r"^[0-9]+$", extra={"expects": "an id of digits"})]
"""An id of a platform that has digits alone."""

_BLANK = r"[\t-\r ]*"


def free_of(*parts: str, never: tuple[str, ...]) -> Meta:
    """The bound of a text that holds none of `parts`, and is neither blank nor one of `never` alone.

    Words are ASCII letters, and mean upper and lower case. White space around a text does not count.
    """
    within, whole = ("|".join(map(_any_case, words)) for words in (parts, never))
    expects = f"a text that has no {_listed(parts)} in it, and is neither blank nor just {_listed(never)}"
    return Meta(pattern=rf"^(?![\s\S]*({within}))(?!{_BLANK}({whole})?{_BLANK}$)", extra={"expects": expects})


def _listed(words: tuple[str, ...]) -> str:
    return " or ".join(f"'{word}'" for word in words)


def _any_case(word: str) -> str:
    return "".join(f"[{letter.lower()}{letter.upper()}]" for letter in word)
