"""Bluesky, its rules and its sandbox."""

from adapters.bluesky.adapter import Bluesky
from fingerpost import hookimpl


@hookimpl
def fingerpost_adapters() -> list[Bluesky]:
    """The one platform served here."""
    return [Bluesky()]
