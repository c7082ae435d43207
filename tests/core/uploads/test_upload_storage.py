"""The folder of uploads: files stream in, are kept whole or not at all, and nothing leads out of it."""

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from core.errors import InvalidUpload, Misconfigured, NotFound, Unready
from core.settings import Settings
from core.uploads.keys import storage_key
from core.uploads.storage import FolderStorage, Storage, open_storage
from tests.s3 import S3, s3

__all__ = ["s3"]

TEAM = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
UPLOAD = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
MEGABYTE = 1024 * 1024


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def keep(storage: Storage, content: bytes) -> str:
    async with storage.receive(chunks(content), limit=len(content)) as incoming:
        key = storage_key(TEAM, incoming.sha256, UPLOAD, "png")
        await storage.keep(incoming.path, key)
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
    assert key == f"{TEAM}/{digest[:2]}/{digest}-{UPLOAD}.png"
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
            key = storage_key(TEAM, incoming.sha256, UPLOAD, "png")
            await storage.keep(incoming.path, key)
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
        await storage.keep(tmp_path, key)


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The same promises in both places."""
    if request.param == "folder":
        return FolderStorage(tmp_path / "kept")
    server: S3 = request.getfixturevalue("s3")
    return server.storage(tmp_path / "spool")


async def test_what_is_kept_reads_back_whole_and_in_parts(storage: Storage, tmp_path: Path) -> None:
    content = os.urandom(9 * MEGABYTE + 7)
    key = await keep(storage, content)
    assert await storage.size(key) == len(content)
    assert await storage.read(key, len(content)) == content
    for start, stop in ((0, 5), (100, 100), (MEGABYTE, 3 * MEGABYTE), (len(content) - 3, None), (0, None)):
        part = b"".join([piece async for piece in storage.open(key, start, stop)])
        assert part == content[start:stop]
    async with storage.at_hand(key) as path:
        assert path.read_bytes() == content
    async with storage.scratch() as path:
        path.write_bytes(b"made")
    await storage.delete(key)
    await storage.delete(key)
    for missing in (storage.read(key, 1), storage.size(key), anext(storage.open(key))):
        with pytest.raises(NotFound):
            await missing
    assert not [path for path in files(tmp_path) if path.suffix in (".part", ".made")]


async def test_a_store_that_speaks_s3_gives_an_address_to_put_to_and_a_folder_none(s3: S3, tmp_path: Path) -> None:
    storage, key = s3.storage(tmp_path), f"incoming/{TEAM}/{UPLOAD}"
    url = await storage.put_url(key, 60)
    assert url is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.put(url, content=b"by itself")).status_code == 200
    assert await storage.read(key, 100) == b"by itself"
    assert await FolderStorage(tmp_path).put_url(key, 60) is None


async def test_a_store_that_is_away_says_so_without_its_address(tmp_path: Path) -> None:
    storage = S3(url="http://127.0.0.1:9").storage(tmp_path)
    with pytest.raises(Unready) as away:
        await storage.size(f"incoming/{TEAM}/{UPLOAD}")
    assert away.value.code == "storage_away"
    assert "127.0.0.1" not in away.value.message


async def test_what_a_crash_left_half_way_is_swept_when_it_is_old(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    old, young = incoming / "old.part", incoming / "young.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert await storage.sweep() == 1
    assert [path.name for path in files(tmp_path)] == ["young.part"]


@pytest.mark.parametrize("url", ["https://bucket", "s3://", "s3:///path", "/srv/files"])
def test_a_storage_that_cannot_be_is_refused_with_the_setting(url: str) -> None:
    settings = Settings(database_url="", redis_url="", master_keys="", state="/tmp", storage_url=url)
    with pytest.raises(Misconfigured, match="FINGERPOST_STORAGE_URL"):
        open_storage(settings)
