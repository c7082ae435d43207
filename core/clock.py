"""Durations on this host: a clock that never jumps and that also counts the time a process was suspended."""

import time

import msgspec

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Seconds since some fixed moment; unlike the wall clock it only ever goes forward, also while frozen."""
    return time.clock_gettime(_CLOCK)


class Deadline(msgspec.Struct, frozen=True):
    """A moment on this host's `elapsed` clock. Only differences of it mean anything."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment `seconds` from now."""
        return cls(elapsed() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds until it; negative once it has passed."""
        return self.at - elapsed()
