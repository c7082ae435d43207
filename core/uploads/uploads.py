"""The uploads of a team: taken in, probed, kept once for each content, and found again."""

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import httpx
import msgspec
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.ids import new_id
from core.post import Media
from core.uploads.download import download
from core.uploads.probe import Kind, Probe, ThreadedProber
from core.uploads.storage import Incoming, Storage, storage_key

MAX_BYTES = 25 * 1024 * 1024
"""The largest file that is taken, in bytes."""

FETCH_SECONDS = 60.0
"""How long fetching a file from a URL may take."""

# What no file name needs, and what PostgreSQL or a terminal would choke on.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A media file that we hold: sizes in pixels as seen, `bytes` its length, `seconds` the length of a film."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    kind: Kind
    mime: str
    extension: str
    sha256: bytes
    bytes: int
    width: int | None
    height: int | None
    seconds: float | None
    file_name: str | None
    storage_key: str
    created_at: datetime
    updated_at: datetime

    @property
    def media(self) -> Media:
        """What a draft and its check need to know of it."""
        return Media(
            upload_id=str(self.id),
            kind=self.kind,
            mime=self.mime,
            bytes=self.bytes,
            width=self.width,
            height=self.height,
        )


class Uploads:
    """Every way in and out of the uploads; each call carries its tenant, and a stranger's id finds nothing.

    `client` fetches from URLs and must stand on a guarded transport. `probe` says what a file is.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        storage: Storage,
        client: httpx.AsyncClient,
        *,
        probe: Callable[[Path], Awaitable[Probe]] | None = None,
        max_bytes: int = MAX_BYTES,
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._pool = pool
        self._storage = storage
        self._client = client
        self._probe = probe or ThreadedProber()
        self._max_bytes = max_bytes
        self._fetch_seconds = fetch_seconds

    async def create(
        self, organization_id: UUID, team_id: UUID, chunks: AsyncIterable[bytes], file_name: str | None = None
    ) -> Upload:
        """Take in a file as it streams; the same content again gives the upload that the team already has.

        Raises InvalidUpload for a file that cannot be taken, NotFound for a team that is not the organization's.
        """
        async with self._storage.receive(chunks, limit=self._max_bytes) as incoming:
            known = await self._by_content(organization_id, team_id, incoming.sha256)
            if known is not None:
                # Its file is written all the same: should it have been lost, it is back.
                await self._storage.keep(incoming, known.storage_key)
                return known
            probe = await self._probe(incoming.path)
            key = storage_key(team_id, incoming.sha256, probe.extension)
            await self._storage.keep(incoming, key)
            return await self._insert(organization_id, team_id, incoming, probe, key, _clean(file_name))

    async def create_from_url(self, organization_id: UUID, team_id: UUID, url: str) -> Upload:
        """Fetch a file and take it in; raises RefusedUrl for where we do not go, and what `create` raises."""
        fetching = download(self._client, url, limit=self._max_bytes, seconds=self._fetch_seconds)
        async with aclosing(fetching) as pieces:
            return await self.create(organization_id, team_id, pieces, _name_in(url))

    async def get(self, organization_id: UUID, upload_id: UUID) -> Upload:
        """The upload; raises NotFound, also for one of another organization."""
        found = await self._fetch("upload_by_id", organization_id=organization_id, id=upload_id)
        if not found:
            raise NotFound("There is no such upload.")
        return found[0]

    async def many(self, organization_id: UUID, team_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Upload]:
        """Those of the uploads that the team has, by id; what it has not is left out."""
        found = await self._fetch("uploads_by_ids", organization_id=organization_id, team_id=team_id, ids=list(ids))
        return {upload.id: upload for upload in found}

    async def read(self, upload: Upload) -> bytes:
        """The file's content; raises NotFound where the storage has lost it."""
        return await self._storage.read(upload.storage_key, upload.bytes)

    async def _by_content(self, organization_id: UUID, team_id: UUID, sha256: bytes) -> Upload | None:
        tenant = {"organization_id": organization_id, "team_id": team_id}
        found = await self._fetch("upload_by_content", **tenant, sha256=sha256)
        return found[0] if found else None

    async def _insert(
        self, organization_id: UUID, team_id: UUID, incoming: Incoming, probe: Probe, key: str, file_name: str | None
    ) -> Upload:
        found = await self._fetch(
            "insert_upload",
            id=new_id(),
            organization_id=organization_id,
            team_id=team_id,
            kind=probe.kind,
            mime=probe.mime,
            extension=probe.extension,
            bytes=incoming.bytes,
            sha256=incoming.sha256,
            width=probe.width,
            height=probe.height,
            seconds=probe.seconds,
            file_name=file_name,
            storage_key=key,
        )
        # None came back: either the same content was stored in the meantime, or the team is a stranger's.
        upload = found[0] if found else await self._by_content(organization_id, team_id, incoming.sha256)
        if upload is None:
            raise NotFound("There is no such team.")
        return upload

    async def _fetch(self, name: str, **values: Any) -> list[Upload]:
        sql = queries("core.uploads")[name]
        async with single(self._pool) as connection, connection.cursor(row_factory=class_row(Upload)) as cursor:
            await cursor.execute(sql, values)
            return await cursor.fetchall()


def _clean(name: str | None) -> str | None:
    """A file name as it may be shown: without folders, control characters and tricks of writing direction."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _UNPRINTABLE.sub("", last).strip()[:255] or None


def _name_in(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return None
