"""Identifiers: UUID version 7 (RFC 9562), so that rows made together lie together in an index."""

import os
import time
from functools import lru_cache
from uuid import UUID

_LENGTH = 36
_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM = (1 << 80) - 1 & ~(0xF << 76 | 0x3 << 62)


def new_id() -> UUID:
    """A fresh UUIDv7: 48 bits of Unix milliseconds, then 74 random bits. An identity, never an order."""
    moment, random = time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big")
    return UUID(int=moment << 80 | _VERSION_AND_VARIANT | random & _RANDOM)


def parse_id(text: str) -> UUID | None:
    """The UUID that `text` spells in its usual form, or None: a malformed id is simply an unknown one."""
    return _parsed(text) if len(text) == _LENGTH else None


def known_id(text: str) -> UUID:
    """The UUID that `text` spells, which is known to be one."""
    found = parse_id(text)
    assert found is not None
    return found


@lru_cache(4096)
def _parsed(text: str) -> UUID | None:
    """Remembered, for of teams and accounts there are few that post at a time."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
