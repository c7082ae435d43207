"""The journal of one attempt: what its session writes down, and the time that it has."""

import asyncio
from collections.abc import Mapping
from typing import Any

from core.clock import Deadline, elapsed
from core.errors import Unavailable
from core.ledger.ledger import Ledger, Taken

MOST_SECONDS = 3600.0
"""How long an attempt may last in all, however its bytes flow."""


class Journal:
    """The ledger, as the session of one delivery writes to it.

    An attempt lasts for as long as its lease of `seconds`, which begins anew while the bytes of a step flow.
    """

    def __init__(self, ledger: Ledger, taken: Taken, seconds: float) -> None:
        self._ledger = ledger
        self._taken = taken
        self._seconds = seconds
        self._start = self._held = elapsed()
        self._bound: asyncio.Timeout | None = None

    def bound(self) -> asyncio.Timeout:
        """What breaks the attempt off when its lease ends; to be entered once."""
        self._bound = asyncio.timeout(self._seconds)
        return self._bound

    async def arm(self, name: str, answers: Mapping[str, Any]) -> Deadline:
        """See `core.session.Journal`."""
        return await self._ledger.arm(self._taken, dict(answers))

    async def remember(self, answers: Mapping[str, Any]) -> None:
        """See `core.session.Journal`."""
        await self._ledger.remember(self._taken, dict(answers))

    async def hold(self) -> None:
        """See `core.session.Journal`; the lease is prolonged when a third of it has passed."""
        now = elapsed()
        if now - self._start > MOST_SECONDS:
            raise Unavailable(f"The platform did not take the file within {MOST_SECONDS / 60:g} minutes.")
        if now - self._held < self._seconds / 3:
            return
        self._held = now
        await self._ledger.prolong(self._taken)
        if self._bound is not None:
            self._bound.reschedule(asyncio.get_running_loop().time() + self._seconds)
