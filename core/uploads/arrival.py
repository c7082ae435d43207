"""Files as they come in: written to this machine's disk in pieces, hashed and counted on the way."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import msgspec

from core.errors import InvalidUpload

PIECE = 1024 * 1024
"""Bytes that are read or written at a time."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has come in whole and is not kept yet: where it lies for now, its size and its SHA-256."""

    path: Path
    sha256: bytes
    bytes: int


def too_large(limit: int) -> InvalidUpload:
    """The error for a file of more than `limit` bytes."""
    units = ((1024**3, "GB"), (1024**2, "MB"))
    size = next((f"{limit / unit:.3g} {name}" for unit, name in units if limit >= unit), f"{limit} bytes")
    return InvalidUpload(f"The file is too large; at most {size} are taken.", code="file_too_large")


@asynccontextmanager
async def received(folder: Path, chunks: AsyncIterable[bytes], limit: int) -> AsyncIterator[Incoming]:
    """Take a file in as it streams, into `folder`; what was not moved away is gone when the context ends.

    Raises InvalidUpload beyond `limit` bytes.
    """
    path = folder / f"{uuid4().hex}.part"
    try:
        yield await _write(path, chunks, limit)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def swept(folder: Path, before: float) -> int:
    """Remove files that were last written before `before` (Unix time); how many there were."""
    count = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()
                count += 1
    return count


async def _write(path: Path, chunks: AsyncIterable[bytes], limit: int) -> Incoming:
    """Write to a new file in pieces of about a megabyte, off the event loop."""
    file = await asyncio.to_thread(_create, path)
    digest = hashlib.sha256()
    count = 0

    def flush(piece: bytes) -> None:
        digest.update(piece)
        file.write(piece)

    try:
        waiting = bytearray()
        async for chunk in chunks:
            count += len(chunk)
            if count > limit:
                raise too_large(limit)
            waiting += chunk
            if len(waiting) >= PIECE:
                await asyncio.to_thread(flush, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(flush, bytes(waiting))
    finally:
        await asyncio.to_thread(file.close)
    return Incoming(path=path, bytes=count, sha256=digest.digest())


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
