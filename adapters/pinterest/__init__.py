"""Pinterest, its rules and its sandbox."""

from collections.abc import Iterable

from adapters.pinterest.adapter import Pinterest
from fingerpost import hookimpl


@hookimpl
def fingerpost_adapters() -> Iterable[Pinterest]:
    """The one platform served here."""
    return [Pinterest()]
