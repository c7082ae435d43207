"""Rounds: everything that is compared takes its turn in each, so that a busy minute falls on all alike."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")
Say = Callable[[str], None]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `seconds` is the length of a load, `warm` of what goes before it and is not counted."""

    rounds: int
    seconds: float
    warm: float
    posts: int
    messages: int


FULL = Plan(rounds=7, seconds=3.0, warm=0.7, posts=3000, messages=1000)
QUICK = Plan(rounds=1, seconds=0.3, warm=0.1, posts=40, messages=40)


def interleaved(
    rounds: int, contestants: Mapping[str, Callable[[], T]], *, say: Say, words: Callable[[T], str]
) -> dict[str, list[T]]:
    """What each contestant brought in each round. Who goes first changes from round to round."""
    found: dict[str, list[T]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            brought = contestants[name]()
            found[name].append(brought)
            say(f"round {number + 1} of {rounds}: {name}: {words(brought)}")
    return found
