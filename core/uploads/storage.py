"""Where the bytes of uploads lie: a folder of this machine, or an object store that speaks S3."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from core.errors import Misconfigured, NotFound, Unready
from core.settings import Settings
from core.uploads.arrival import PIECE, Incoming, received, swept, too_large
from core.uploads.keys import checked

PART_BYTES = 8 * 1024 * 1024
"""A part of a large file on its way to an object store; with `PARTS`, what one transfer holds in memory."""

PARTS = 2

STALE_SECONDS = 24 * 3600.0
"""How old a file is that began to come in and was left: longer than any transfer takes."""


class Storage:
    """A place for files, by key (`core.uploads.keys`), over any store of obstore.

    `folder` is on this machine: what comes in is written there first, and what has to be a file is fetched to it.
    """

    def __init__(self, store: Callable[[], ObjectStore], folder: Path) -> None:
        self._store = store
        self._incoming = folder / "incoming"

    def receive(self, chunks: AsyncIterable[bytes], *, limit: int) -> AbstractAsyncContextManager[Incoming]:
        """Take a file in as it streams, hashing and counting; what is not kept is gone when the context ends.

        Raises InvalidUpload beyond `limit` bytes.
        """
        return received(self._incoming, chunks, limit)

    async def keep(self, path: Path, key: str) -> None:
        """Keep the file at `path` under a key, whole or not at all; on return it survives a crash of the machine."""
        with _told():
            await obstore.put_async(self._store(), checked(key), path, chunk_size=PART_BYTES, max_concurrency=PARTS)

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes from `start` up to `stop` in pieces; raises NotFound."""
        with _told():
            if stop is not None and stop <= start:
                return
            options: obstore.GetOptions = {}
            if stop is not None:
                options = {"range": (start, stop)}
            elif start:
                options = {"range": {"offset": start}}
            found = await obstore.get_async(self._store(), checked(key), options=options)
            async for piece in found.stream(min_chunk_size=PIECE):
                yield bytes(piece)

    async def read(self, key: str, limit: int) -> bytes:
        """The whole file; raises NotFound, or InvalidUpload where it holds more than `limit` bytes."""
        content = bytearray()
        async for piece in self.open(key):
            content += piece
            if len(content) > limit:
                raise too_large(limit)
        return bytes(content)

    async def size(self, key: str) -> int:
        """How many bytes the file has; raises NotFound."""
        with _told():
            return (await obstore.head_async(self._store(), checked(key)))["size"]

    async def delete(self, key: str) -> None:
        """Remove the file; one that is not there is no error."""
        with suppress(NotFound), _told():
            await obstore.delete_async(self._store(), checked(key))

    async def put_url(self, key: str, seconds: float) -> str | None:
        """A URL to which anyone may PUT the file for so long; None where the store has no addresses of its own."""
        store = self._store()
        if not isinstance(store, S3Store):
            return None
        with _told():
            return await obstore.sign_async(store, "PUT", checked(key), timedelta(seconds=seconds))

    @asynccontextmanager
    async def at_hand(self, key: str) -> AsyncIterator[Path]:
        """The file on this machine, for as long as the context lasts; raises NotFound. Only to be read."""
        async with received(self._incoming, self.open(key), 1 << 62) as incoming:
            yield incoming.path

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        """A path at which a file may be made; what is left of it is gone when the context ends."""
        path = self._incoming / f"{uuid4().hex}.made"
        await asyncio.to_thread(self._incoming.mkdir, mode=0o700, parents=True, exist_ok=True)
        try:
            yield path
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def sweep(self) -> int:
        """Remove what began to come in on this machine and was left by a crash; how many files that were."""
        return await asyncio.to_thread(swept, self._incoming, time.time() - STALE_SECONDS)


class FolderStorage(Storage):
    """A storage in a folder; the folder is made when first needed.

    Files are read through obstore like everywhere; they are kept by a rename and made durable, which obstore's own
    way of writing a file does not do.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(partial(LocalStore, root, mkdir=True), root)
        self._root = root

    async def keep(self, path: Path, key: str) -> None:
        """See `Storage.keep`; a rename, made durable."""
        await asyncio.to_thread(_move, path, self._root / checked(key), self._root)

    @asynccontextmanager
    async def at_hand(self, key: str) -> AsyncIterator[Path]:
        """See `Storage.at_hand`; the stored file itself."""
        path = self._root / checked(key)
        if not await asyncio.to_thread(path.is_file):
            raise _missing()
        yield path


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name: a folder in the state folder, unless there is a URL. Raises Misconfigured."""
    if not settings.storage_url:
        return FolderStorage(settings.uploads)
    bucket, _, prefix = settings.storage_url.removeprefix("s3://").rstrip("/").partition("/")
    if not settings.storage_url.startswith("s3://") or not bucket:
        raise Misconfigured("FINGERPOST_STORAGE_URL has to be empty or s3://<bucket>, with a path behind it or not.")
    options: dict[str, object] = {"region": settings.storage_region}
    if settings.storage_key_id:
        options |= {"access_key_id": settings.storage_key_id, "secret_access_key": settings.storage_secret}
    if settings.storage_endpoint:
        options["endpoint"] = settings.storage_endpoint.rstrip("/")
    try:
        store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={
                "allow_http": settings.storage_endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                # For a whole answer, and a film may take its time.
                "timeout": timedelta(minutes=30),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
            **options,  # type: ignore[arg-type]
        )
    except (BaseError, ValueError) as error:
        # The library's own words may name what it was given.
        raise Misconfigured(f"FINGERPOST_STORAGE_… is wrong: {type(error).__name__}.") from None
    return Storage(lambda: store, settings.uploads)


@contextmanager
def _told() -> Iterator[None]:
    """The store's errors as ours; its own words may name keys and addresses."""
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise _missing() from None
    except BaseError as error:
        raise Unready(
            f"The storage of uploads does not answer as it should ({type(error).__name__}).", code="storage_away"
        ) from error


def _missing() -> NotFound:
    return NotFound("The file of this upload is no longer stored.")


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
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
