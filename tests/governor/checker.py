"""The checker: brute force over what arrived at a platform; it knows nothing of how calls were let go."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform allows: so many calls in any so many seconds, of each user or of the app as a whole."""

    calls: int
    seconds: float
    per_user: bool = True

    def owner(self, user: str) -> str:
        return user if self.per_user else ""


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """A call as the platform saw it: when, on its own monotonic clock, whose, and whether it was let in."""

    at: float
    user: str
    admitted: bool


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """A window that saw too much: when it began, whose it was, and how many calls it saw."""

    rule: Rule
    owner: str
    start: float
    calls: int


def logs(rule: Rule, arrivals: Iterable[Arrival]) -> dict[str, list[float]]:
    """The arrivals of each owner, in their order."""
    found: dict[str, list[float]] = defaultdict(list)
    for arrival in arrivals:
        found[rule.owner(arrival.user)].append(arrival.at)
    return {owner: sorted(times) for owner, times in found.items()}


def crowds(rules: Sequence[Rule], arrivals: Sequence[Arrival]) -> list[Crowd]:
    """Every window over its limit. It is enough to look at those that begin with an arrival."""
    return [
        Crowd(rule=rule, owner=owner, start=start, calls=calls)
        for rule in rules
        for owner, times in logs(rule, arrivals).items()
        for start in times
        if (calls := sum(1 for at in times if start <= at < start + rule.seconds)) > rule.calls
    ]


def worst(rules: Sequence[Rule], arrivals: Sequence[Arrival]) -> float:
    """The fullest window, as a share of its limit."""
    return max(
        (
            sum(1 for at in times if start <= at < start + rule.seconds) / rule.calls
            for rule in rules
            for times in logs(rule, arrivals).values()
            for start in times
        ),
        default=0.0,
    )
