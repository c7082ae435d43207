"""Media work, on a queue of its own: what has outlived its use is removed, and what will be needed is made ready."""

import asyncio

import structlog

from core.uploads.expiry import Expiry
from core.uploads.readying import Readying


class MediaWork:
    """One round at a time; a wake-up that comes during one is spared."""

    def __init__(self, expiry: Expiry, readying: Readying) -> None:
        self._expiry = expiry
        self._readying = readying
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Make ready what is due soon, then sweep; what goes wrong is logged, and met again by the next round."""
        if self._turn.locked():
            return
        async with self._turn:
            for work in (self._readying.ready, self._expiry.sweep):
                try:
                    await work()
                except Exception:  # noqa: BLE001 - logged with its traceback
                    self._log.exception("media_work_failed")
