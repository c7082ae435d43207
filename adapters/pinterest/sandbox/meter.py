"""Pinterest's rate limits, counted exactly, and the headers that tell of them."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

Clock = Callable[[], float]
"""Tells unix seconds."""

DAY = 86_400.0
SAFETY_NET = "safety_net"
"""The window that all calls share, whatever their category."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """At most `calls` in any `seconds`, counted for an app and, where `per_user`, each of its users."""

    name: str
    calls: int
    seconds: float
    per_user: bool

    def header(self) -> str:
        """The window as a policy of `x-ratelimit-limit`."""
        owner = "app_id_user_id" if self.per_user else "app_id"
        return f'{self.calls};w={self.seconds:g};name="{self.name}_{owner}"'


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A window as one call left it: how many calls remain, and in how many seconds the next one leaves it."""

    window: Window
    remaining: int
    reset: float


TIERS: Mapping[str, Mapping[str, tuple[int, float]]] = MappingProxyType(
    {
        "trial": {
            SAFETY_NET: (1000, DAY),
            "org_read": (1000, DAY),
            "org_write": (300, DAY),
            "org_analytics": (1000, DAY),
        },
        "standard": {
            SAFETY_NET: (100, 1.0),
            "org_read": (1000, 60.0),
            "org_write": (100, 60.0),
            "org_analytics": (60, 60.0),
        },
    }
)
"""Calls and seconds of every category by access tier (Pinterest's page "Rate limits")."""


def windows(tier: str, limits: Mapping[str, tuple[int, float]]) -> dict[str, Window]:
    """The windows of a tier, with `limits` (calls, seconds) in the place of its own. Raises ValueError."""
    known = TIERS.get(tier)
    if known is None:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {tier!r}")
    strangers = sorted(set(limits) - set(known))
    if strangers:
        raise ValueError(f"no such rate category: {', '.join(strangers)}; there are {', '.join(known)}")
    return {
        name: Window(name=name, calls=calls, seconds=seconds, per_user=tier != "trial")
        for name, (calls, seconds) in {**known, **limits}.items()
    }


class Meter:
    """Exact sliding windows: a call counts from its arrival until the window's length has passed."""

    def __init__(self, windows: Mapping[str, Window], clock: Clock) -> None:
        self._windows = windows
        self._clock = clock
        self._calls: dict[tuple[str, str, str], deque[float]] = {}

    def take(self, category: str | None, app: str, user: str) -> tuple[bool, list[Reading]]:
        """Counts one call where every window has room for it; says whether it had, and how they stand now."""
        now = self._clock()
        chosen = self._chosen(category)
        logs = [self._log(window, app, user, now) for window in chosen]
        admitted = all(len(log) < window.calls for window, log in zip(chosen, logs, strict=True))
        if admitted:
            for log in logs:
                log.append(now)
        readings = [_reading(window, log, now) for window, log in zip(chosen, logs, strict=True)]
        return admitted, readings

    def untouched(self, category: str | None) -> list[Reading]:
        """How the windows stand for a caller nobody knows."""
        return [Reading(window=window, remaining=window.calls, reset=0.0) for window in self._chosen(category)]

    def _chosen(self, category: str | None) -> list[Window]:
        names = [SAFETY_NET] if category is None else [SAFETY_NET, category]
        return [self._windows[name] for name in names]

    def _log(self, window: Window, app: str, user: str, now: float) -> deque[float]:
        log = self._calls.setdefault((window.name, app, user if window.per_user else ""), deque())
        while log and now - log[0] >= window.seconds:
            log.popleft()
        return log


def _reading(window: Window, log: Sequence[float], now: float) -> Reading:
    reset = log[0] + window.seconds - now if log else 0.0
    return Reading(window=window, remaining=window.calls - len(log), reset=reset)


def rate_headers(readings: Sequence[Reading]) -> dict[str, str]:
    """The three headers; the window that is nearest to its end speaks, of equals the one that opens last."""
    nearest = min(readings, key=lambda reading: (reading.remaining, -reading.reset))
    policies = ", ".join(reading.window.header() for reading in readings)
    return {
        "x-ratelimit-limit": f"{nearest.window.calls}, {policies}",
        "x-ratelimit-remaining": str(nearest.remaining),
        "x-ratelimit-reset": str(math.ceil(nearest.reset)),
    }
