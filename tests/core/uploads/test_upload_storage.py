"""The folder of uploads: files stream in, are kept whole or not at all, and nothing leads out of it."""

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from core.errors import InvalidUpload, NotFound
from core.uploads.storage import FolderStorage, Incoming, Storage, storage_key

TEAM = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
MEGABYTE = 1024 * 1024


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def keep(storage: Storage, content: bytes) -> str:
    async with storage.receive(chunks(content), limit=len(content)) as incoming:
        key = storage_key(TEAM, incoming.sha256, "png")
        await storage.keep(incoming, key)
    return key


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_a_file_is_hashed_and_counted_as_it_streams_in(tmp_path: Path) -> None:
    storage: Storage = FolderStorage(tmp_path / "uploads")
    parts = [os.urandom(size) for size in (0, 1, 70_000, MEGABYTE, 3 * MEGABYTE + 5)]
    content = b"".join(parts)
    async with storage.receive(chunks(*parts), limit=len(content)) as incoming:
        assert incoming.bytes == len(content)
        assert incoming.sha256 == hashlib.sha256(content).digest()
        assert incoming.path.read_bytes() == content


async def test_a_kept_file_lies_under_its_team_and_hash_and_reads_back(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    content = os.urandom(2 * MEGABYTE + 7)
    key = await keep(storage, content)
    digest = hashlib.sha256(content).hexdigest()
    assert key == f"{TEAM}/{digest[:2]}/{digest}.png"
    assert files(tmp_path) == [tmp_path / key]
    assert (tmp_path / key).stat().st_mode & 0o077 == 0
    pieces = [piece async for piece in storage.open(key)]
    assert len(pieces) > 1
    assert b"".join(pieces) == content
    assert await storage.read(key, len(content)) == content


async def test_what_is_not_kept_is_gone(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    async with storage.receive(chunks(b"abc"), limit=10):
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []


async def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        async with FolderStorage(tmp_path).receive(breaks(), limit=10):
            pass
    assert files(tmp_path) == []


async def test_a_file_beyond_the_limit_is_refused_without_reading_on(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(MEGABYTE)

    with pytest.raises(InvalidUpload, match="at most 3 MB") as raised:
        async with FolderStorage(tmp_path).receive(endless(), limit=3 * MEGABYTE):
            pass
    assert raised.value.code == "file_too_large"
    assert read == 4
    assert files(tmp_path) == []


async def test_a_large_file_is_never_held_in_memory(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    piece = os.urandom(64 * 1024)

    async def fifty_megabytes() -> AsyncIterator[bytes]:
        for _ in range(800):
            yield bytes(piece)

    tracemalloc.start()
    try:
        async with storage.receive(fifty_megabytes(), limit=50 * MEGABYTE) as incoming:
            key = storage_key(TEAM, incoming.sha256, "png")
            await storage.keep(incoming, key)
        size = 0
        async for part in storage.open(key):
            size += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == incoming.bytes == 50 * MEGABYTE
    assert peak < 8 * MEGABYTE


async def test_the_same_content_kept_twice_is_one_file(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    assert await keep(storage, b"same") == await keep(storage, b"same")
    assert len(files(tmp_path)) == 1


async def test_a_reader_is_not_disturbed_by_the_same_content_kept_again(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    content = os.urandom(3 * MEGABYTE)
    key = await keep(storage, content)
    reading = storage.open(key)
    first = await anext(reading)
    await keep(storage, content)
    assert first + b"".join([piece async for piece in reading]) == content


async def test_a_deleted_file_is_not_found_and_deleting_twice_is_no_error(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    key = await keep(storage, b"abc")
    await storage.delete(key)
    await storage.delete(key)
    with pytest.raises(NotFound):
        await storage.read(key, 10)
    with pytest.raises(NotFound):
        await anext(storage.open(key))


async def test_reading_is_bounded(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    key = await keep(storage, b"abc")
    with pytest.raises(InvalidUpload):
        await storage.read(key, 2)


@pytest.mark.parametrize("key", ["", "../x", "/etc/passwd", f"{TEAM}/../../etc/passwd", f"{TEAM}/aa/x.png", "a\0b"])
async def test_a_key_that_is_not_ours_opens_nothing(tmp_path: Path, key: str) -> None:
    storage = FolderStorage(tmp_path)
    for call in (storage.read(key, 10), storage.delete(key), anext(storage.open(key))):
        with pytest.raises(ValueError, match="no storage key"):
            await call
    with pytest.raises(ValueError, match="no storage key"):
        await storage.keep(Incoming(path=tmp_path, bytes=0, sha256=b""), key)
