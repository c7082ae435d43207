"""Pinterest, its rules and its sandbox."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adapters.pinterest.adapter import Pinterest
from fingerpost import hookimpl

if TYPE_CHECKING:
    from fingerpost import Sandbox


@hookimpl
def fingerpost_adapters() -> Iterable[Pinterest]:
    """The one platform served here."""
    return [Pinterest()]


@hookimpl
def fingerpost_sandboxes() -> "Iterable[type[Sandbox]]":
    """A stand-in for the platform, so that anyone can try it without a developer account."""
    from adapters.pinterest.sandbox import PinterestSandbox

    return [PinterestSandbox]
