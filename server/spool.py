"""The spool: an answer that is written while its reader may still be sending; what waits lies on disk."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator

PIECE = 64 * 1024


class Spool:
    """Takes what is written at once, and gives it to one reader in order and at its own pace."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when it is read to its end
        self._written = self._read = 0
        self._ended = False
        self._news = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Put something behind what is there."""
        os.pwrite(self._file.fileno(), data, self._written)
        self._written += len(data)
        self._news.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self._ended = True
        self._news.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything that is written, until the end."""
        try:
            while True:
                if self._read < self._written:
                    size = min(PIECE, self._written - self._read)
                    piece = os.pread(self._file.fileno(), size, self._read)
                    self._read += len(piece)
                    yield piece
                elif self._ended:
                    return
                else:
                    # All that was written has been read: the disk is free again.
                    self._file.truncate(0)
                    self._written = self._read = 0
                    self._news.clear()
                    await self._news.wait()
        finally:
            self._file.close()
