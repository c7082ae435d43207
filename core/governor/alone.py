"""Alone: while Redis is away a process keeps to its share of every window, by a log of its own."""

from collections.abc import Callable

from core.clock import elapsed
from core.governor.asks import Answer, Window

Limit = Callable[[Window], int]
"""How many calls of a window this process may make."""


class Alone:
    """The log of one process and one app. A call counts until a window after its end; how long one takes is bounded.

    `workers` is the most of them that lived at any time meanwhile: one that is gone has used its share.
    """

    def __init__(self, *, call_seconds: float, grace_seconds: float) -> None:
        self.used = False
        self.workers = 1
        self._since = elapsed()
        self._call_seconds = call_seconds
        self._grace_seconds = grace_seconds
        self._calls: dict[str, dict[str, float]] = {}
        self._shut: dict[str, float] = {}

    def go(self, windows: tuple[Window, ...], names: list[str], limit: Limit) -> Answer:
        """Whether calls may go now."""
        now = elapsed()
        delay = max([0.0, *(self._delay(window, len(names), limit(window), now) for window in windows)])
        if delay > 0:
            return Answer(delay, delay)
        self.used = True
        for window in windows:
            for name in names:
                self._calls[window.name][name] = now + self._call_seconds
        return Answer(0.0)

    def ended(self, windows: tuple[Window, ...], name: str) -> None:
        """A call has ended, also one that began when Redis was there."""
        for window in windows:
            self._calls.setdefault(window.name, {})[name] = elapsed()

    def back(self, windows: tuple[Window, ...], names: list[str]) -> None:
        """Calls that will not be made."""
        for window in windows:
            for name in names:
                self._calls.get(window.name, {}).pop(name, None)

    def shut(self, windows: tuple[Window, ...], seconds: float) -> None:
        """The platform wants no call for so long."""
        for window in windows:
            self._shut[window.name] = max(self._shut.get(window.name, 0.0), elapsed() + seconds)

    def opens(self, window: Window) -> float:
        """When a window opens: once the calls that went before Redis was away have left it, or were written down."""
        return self._since + self._call_seconds + (self._grace_seconds if window.long else window.seconds)

    def _delay(self, window: Window, units: int, limit: int, now: float) -> float:
        opens = max(self._shut.get(window.name, 0.0), self.opens(window))
        if opens > now:
            return opens - now
        calls = self._calls.setdefault(window.name, {})
        for name in [name for name, end in calls.items() if end <= now - window.seconds]:
            del calls[name]
        over = len(calls) + units - limit
        if over <= 0:
            return 0.0
        ends = sorted(calls.values())
        return ends[over - 1] + window.seconds - now if over <= len(ends) else window.seconds
