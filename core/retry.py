"""The one retry engine, pure: failures so far and randomness in, the next moment out."""

import random as _random

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how patiently something is tried again. Seconds throughout.

    After the n-th failure the wait is drawn from 0 to `first · baseⁿ⁻¹`, at most `cap` (full jitter): many that
    failed together do not come back together. `floor` is the least wait.
    """

    attempts: int = 5
    first: float = 2.0
    base: float = 2.0
    cap: float = 600.0
    floor: float = 0.0

    def after(self, failures: int, random: _random.Random, *, at_least: float = 0.0) -> float | None:
        """Seconds to wait after the `failures`-th failure (1 is the first), or None to give up.

        `at_least` is what the other side asked for (`Retry-After`); it is honoured beyond `cap`.
        """
        if failures >= self.attempts:
            return None
        ceiling = min(self.cap, self.first * self.base ** min(failures - 1, 64))
        return max(random.uniform(min(self.floor, ceiling), ceiling), at_least)


PUBLISHING = Policy()
"""A publish that failed before anything was made: five attempts."""

WEBHOOKS = Policy(attempts=25, first=10.0, base=3.0, cap=10_800.0, floor=5.0)
"""A webhook that was not taken: 24 waits that come to 27 hours in the mean, none of them above three hours."""

TOKENS = Policy(attempts=1_000_000, first=10.0, base=2.0, cap=1800.0, floor=5.0)
"""A refresh of tokens: never given up, for it is what keeps an account; only the platform's own no ends it."""
