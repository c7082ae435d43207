"""What may be asked of the windows of an app, and what is answered."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

LONG_SECONDS = 120.0
"""A longer window cannot be kept shut for its length after a loss: its uses are kept in PostgreSQL as well."""

AHEAD_SECONDS = 5.0
"""How far ahead a call is booked, and never more than half of its shortest window.

Further ahead a moment is foretold, not booked: then nobody holds what another's turn may need.
"""

Kind = Literal["go", "book", "ended", "back", "shut", "learn", "look", "count", "restore"]


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """At most `calls` in any `seconds`; `name` says whose and which, and is unique within the app."""

    name: str
    calls: int
    seconds: float
    category: str = ""

    @property
    def long(self) -> bool:
        """Whether it is too long to be shut for its length."""
        return self.seconds > LONG_SECONDS


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One thing asked of some windows: its kind, the windows, and what that kind takes."""

    kind: Kind
    windows: tuple[Window, ...]
    rest: tuple[Any, ...] = ()


class Answer(msgspec.Struct, frozen=True, gc=False):
    """When a call may go: in `delay` seconds, 0 being now.

    The moment is held where `again` is 0; else it is only foretold, and asking is worthwhile in `again` seconds:
    `window` is the one that everybody waits for. An ask whose group was denied before it was `skipped`.
    """

    delay: float
    again: float = 0.0
    window: Window | None = None
    skipped: bool = False

    @property
    def held(self) -> bool:
        """Whether the call may go, now or at its moment."""
        return not self.skipped and self.again == 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a window stands: the limit in force, calls counted, calls booked, and seconds until it is free for one."""

    window: Window
    limit: int
    used: int
    booked: int
    free_in: float


def micro(seconds: float) -> int:
    """Seconds as whole microseconds, the unit of the log."""
    return round(seconds * 1_000_000)


def ahead(windows: Sequence[Window]) -> float:
    """How far ahead a call on these windows may be booked, in seconds."""
    return min([AHEAD_SECONDS, *(window.seconds / 2 for window in windows)])


def go(windows: tuple[Window, ...], name: str, later: str | None = None) -> Ask:
    """A call that would go now; one that was booked under `name` keeps its place. Denied, it is booked as `later`."""
    return Ask("go", windows, (name, later or False, micro(ahead(windows))))


def book(windows: tuple[Window, ...], names: Sequence[str], group: str) -> Ask:
    """Calls that will go together; a group's turn ends with the first that is denied."""
    return Ask("book", windows, (list(names), micro(ahead(windows)), group))


def ended(windows: tuple[Window, ...], name: str) -> Ask:
    """A call has ended: now is the latest moment at which the platform can have counted it."""
    return Ask("ended", windows, (name,))


def back(windows: tuple[Window, ...], names: Sequence[str]) -> Ask:
    """Calls that were booked and will not be made."""
    return Ask("back", windows, (list(names),))


def shut(windows: tuple[Window, ...], seconds: float) -> Ask:
    """The platform wants no call before so many seconds have passed."""
    return Ask("shut", windows, (micro(seconds),))


def learn(window: Window, *, remaining: int, reset: float) -> Ask:
    """The platform has told how many calls remain, and in how many seconds there will be more."""
    return Ask("learn", (window,), (remaining, micro(reset)))


def look(window: Window) -> Ask:
    """How a window stands."""
    return Ask("look", (window,))


def count(window: Window, name: str, number: int) -> Ask:
    """So many that have come in count from now, as far as there is room for them; they are named after `name`."""
    return Ask("count", (window,), (name, number))
