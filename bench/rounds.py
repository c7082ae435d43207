"""Rounds: everything that is compared takes its turn in each, so that a busy minute falls on all alike."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

T = TypeVar("T")
Say = Callable[[str], None]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured. `seconds` is the length of a load, `warm` of what goes before it and is not counted.

    `posts` and `messages` are published in a round, `hooks` are webhooks sent in one, `lines` are posts taken in by
    bulk. `in_flight` publishes are held at a time while a platform takes `slow` seconds for each. Claims are made where
    so many are `waiting`, and so many posts fall due one after the other (`ticks`) beside a `crowd` that is due.
    Lists are read of `teams` with so many posts.
    """

    rounds: int
    seconds: float
    warm: float
    posts: int
    messages: int
    hooks: int
    lines: int
    in_flight: int
    slow: float
    waiting: tuple[int, ...]
    ticks: int
    crowd: int
    teams: tuple[int, ...]


FULL = Plan(
    rounds=7,
    seconds=3.0,
    warm=0.7,
    posts=3000,
    messages=1000,
    hooks=4000,
    lines=150_000,
    in_flight=1000,
    slow=10.0,
    waiting=(10_000, 100_000, 1_000_000, 5_000_000),
    ticks=200,
    crowd=100_000,
    teams=(1_000, 10_000, 100_000, 1_000_000),
)
QUICK = Plan(
    rounds=1,
    seconds=0.3,
    warm=0.1,
    posts=40,
    messages=40,
    hooks=40,
    lines=100,
    in_flight=40,
    slow=1.0,
    waiting=(2_000, 4_000),
    ticks=20,
    crowd=500,
    teams=(100, 1_000),
)


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
