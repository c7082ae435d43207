"""Where the bytes of uploads lie: what a storage must do, and the one that is a folder on this machine."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID, uuid4

import msgspec

from core.errors import InvalidUpload, NotFound

_PIECE = 1024 * 1024
_KEY = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,8}")


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A file that has come in whole and is not kept yet: where it lies for now, its size and its SHA-256."""

    path: Path
    sha256: bytes
    bytes: int


class Storage(Protocol):
    """What a place for uploads must do. Keys are made by `storage_key` and mean the same in every place."""

    def receive(self, chunks: AsyncIterable[bytes], *, limit: int) -> AbstractAsyncContextManager[Incoming]:
        """Take a file in as it streams, hashing and counting; what is not kept is gone when the context ends.

        Raises InvalidUpload beyond `limit` bytes.
        """
        ...

    async def keep(self, incoming: Incoming, key: str) -> None:
        """Keep a received file under its key, whole or not at all; on return it survives a crash of the machine."""
        ...

    def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces; raises NotFound."""
        ...

    async def read(self, key: str, limit: int) -> bytes:
        """The whole file; raises NotFound, or InvalidUpload where it holds more than `limit` bytes."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the file; one that is not there is no error."""
        ...


def storage_key(team_id: UUID, sha256: bytes, extension: str) -> str:
    """The key of a content within a team: `<team>/<aa>/<sha256>.<ext>`, so that equal contents are one file."""
    digest = sha256.hex()
    return f"{team_id}/{digest[:2]}/{digest}.{extension}"


def too_large(limit: int) -> InvalidUpload:
    """The error for a file of more than `limit` bytes."""
    size = f"{limit / 1024 / 1024:.3g} MB" if limit >= 1024 * 1024 else f"{limit} bytes"
    return InvalidUpload(f"The file is too large; at most {size} are taken.", code="file_too_large")


class FolderStorage:
    """A storage in a folder; the folder is made when first needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def receive(self, chunks: AsyncIterable[bytes], *, limit: int) -> AsyncIterator[Incoming]:
        """See `Storage.receive`; the part file lies in `incoming/`, on the file system of the kept ones."""
        path = self._root / "incoming" / f"{uuid4().hex}.part"
        try:
            yield await _write(path, chunks, limit)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def keep(self, incoming: Incoming, key: str) -> None:
        """See `Storage.keep`; a rename, made durable."""
        await asyncio.to_thread(_move, incoming.path, self._path(key), self._root)

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """See `Storage.open`."""
        file = await self._open(key)
        try:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece
        finally:
            file.close()

    async def read(self, key: str, limit: int) -> bytes:
        """See `Storage.read`."""
        file = await self._open(key)
        try:
            content = await asyncio.to_thread(file.read, limit + 1)
        finally:
            file.close()
        if len(content) > limit:
            raise too_large(limit)
        return content

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def _open(self, key: str) -> BinaryIO:
        try:
            return await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            raise NotFound("The file of this upload is no longer stored.") from None

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no storage key")
        return self._root / key


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
            if len(waiting) >= _PIECE:
                await asyncio.to_thread(flush, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(flush, bytes(waiting))
    finally:
        await asyncio.to_thread(file.close)
    return Incoming(path=path, bytes=count, sha256=digest.digest())


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _move(source: Path, target: Path, root: Path) -> None:
    """Rename so that after a power cut there is the whole file under its key, or none."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sync(source)
    source.replace(target)
    for folder in (target.parent, target.parent.parent, root):
        # Some network file systems cannot sync a folder.
        with suppress(OSError):
            _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
