"""What a driver is told to do, and what it tells in the end."""

import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from tests.governor.checker import Rule

Feed = Literal["saturated", "bursts", "campaigns", "poisson"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One driver's part of a run: its calls fall due by `feed`, over `seconds`, for each of `users`.

    `skew` is how far its wall clock is off, `loss` the share of its calls that are never answered, `call_seconds` the
    longest that a call may take, `share` its part of all drivers.
    """

    database_url: str
    redis_url: str
    platform_url: str
    rules: list[Rule]
    users: list[str]
    feed: Feed
    seconds: float
    share: float
    seed: int
    skew: float = 0.0
    loss: float = 0.0
    call_seconds: float = 3.0
    worker: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver did: its calls, how long each waited and took, its calls to Redis, and how often it was refused."""

    admitted: int
    waits: list[float]
    durations: list[float]
    redis_calls: int
    refused: int
    wall_clock: float


def due(order: Order, user: str) -> Iterator[float]:
    """When the calls of a user fall due at this driver, in seconds from the start of the run."""
    chance = random.Random(f"{order.seed} {user}")
    narrowest = min(order.rules, key=lambda rule: rule.calls / rule.seconds)
    length = min(rule.seconds for rule in order.rules)
    limit = min(rule.calls for rule in order.rules)
    match order.feed:
        case "saturated":
            while True:
                yield 0.0
        case "bursts":
            # A limit's worth just before each boundary of a fixed window, and another just behind it.
            for number in range(1, int(order.seconds / length), 2):
                for side in (-0.05, 0.05):
                    yield from [number * length + side] * round(limit * order.share)
        case "campaigns":
            for start in (0.0, order.seconds / 2):
                yield from [start] * round(order.seconds * 0.4 * narrowest.calls / narrowest.seconds * order.share)
        case "poisson":
            at = 0.0
            while True:
                at += chance.expovariate(0.8 * narrowest.calls / narrowest.seconds * order.share)
                yield at
