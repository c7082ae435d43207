"""Mastodon and the servers that speak as it does, their rules and their sandbox."""

from adapters.mastodon.adapter import Mastodon
from fingerpost import hookimpl


@hookimpl
def fingerpost_adapters() -> list[Mastodon]:
    """The one platform served here."""
    return [Mastodon()]
