"""The uploads of a team: taken in, probed, kept once for each content, found again and let go."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, InvalidUpload, NotFound
from core.ids import new_id
from core.limits import MediaKind
from core.media.facts import Probe
from core.media.formats import EXTENSIONS
from core.media.processes import MediaProcesses
from core.media.recipe import Recipe
from core.uploads.arrival import Incoming
from core.uploads.download import download
from core.uploads.events import tell
from core.uploads.keys import storage_key
from core.uploads.links import Links
from core.uploads.storage import Storage
from core.uploads.upload import Upload, clean_name, name_in, upload_of

MAX_BYTES = 5 * 1024**3
"""The largest file that is taken unless it is set otherwise, in bytes."""

QUOTA_BYTES = 200 * 1024**3
"""How many bytes the uploads of one team may hold unless it is set otherwise."""

FETCH_SECONDS = 600.0
"""How long fetching a file from a URL may take."""


class Uploads:
    """Every way in and out of the uploads; each call carries its tenant, and a stranger's id finds nothing.

    `client` fetches from URLs and must stand on a guarded transport. `probe` says what a file is, and `links` makes
    the public URLs; without them there is a process for the first, and none of the second.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        storage: Storage,
        client: httpx.AsyncClient,
        *,
        probe: Callable[[Path], Awaitable[Probe]] | None = None,
        links: Links | None = None,
        max_bytes: int = MAX_BYTES,
        quota: int = QUOTA_BYTES,
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._pool = pool
        self.storage = storage
        self._client = client
        self._probe = probe or MediaProcesses(1).probe
        self._links = links
        self._max_bytes = max_bytes
        self._quota = quota
        self._fetch_seconds = fetch_seconds
        self._sql = queries("core.uploads")

    def receive(self, chunks: AsyncIterable[bytes]) -> AbstractAsyncContextManager[Incoming]:
        """Take a file in as it streams, to be given to `take_in` before the context ends.

        Raises InvalidUpload for one that is too large.
        """
        return self.storage.receive(chunks, limit=self._max_bytes)

    async def create(
        self,
        organization_id: UUID,
        team_id: UUID,
        chunks: AsyncIterable[bytes],
        file_name: str | None = None,
        alt_text: str | None = None,
    ) -> Upload:
        """Take in a file as it streams; the same content again gives the upload that the team already has.

        Raises InvalidUpload for a file that cannot be taken, NotFound for a team that is not the organization's.
        """
        async with self.receive(chunks) as incoming:
            return await self.take_in(organization_id, team_id, incoming, file_name, alt_text)

    async def take_in(
        self,
        organization_id: UUID,
        team_id: UUID,
        incoming: Incoming,
        file_name: str | None = None,
        alt_text: str | None = None,
    ) -> Upload:
        """Make an upload of a file that has come in whole; see `create`."""
        known = await self._known(organization_id, team_id, incoming, alt_text)
        if known is not None:
            return known
        await self.check_room(organization_id, team_id, incoming.bytes)
        probe = await self._probe(incoming.path)
        id = new_id()
        key = storage_key(team_id, incoming.sha256, id, probe.extension)
        row = {
            **msgspec.structs.asdict(probe),
            "id": id,
            "organization_id": organization_id,
            "team_id": team_id,
            "bytes": incoming.bytes,
            "sha256": incoming.sha256,
            "details": Jsonb(msgspec.to_builtins(probe.details)),
            "alt_text": alt_text,
            "file_name": clean_name(file_name),
            "storage_key": key,
            "quota": self._quota,
        }
        await self.keep(incoming.path, key)
        return await self._insert(row) or await self._lost_race(incoming, row)

    async def create_from_url(
        self, organization_id: UUID, team_id: UUID, url: str, alt_text: str | None = None
    ) -> Upload:
        """Fetch a file and take it in; raises RefusedUrl for where we do not go, and what `create` raises."""
        async with aclosing(self.fetch(url)) as pieces:
            return await self.create(organization_id, team_id, pieces, name_in(url), alt_text)

    def fetch(self, url: str) -> AsyncGenerator[bytes, None]:
        """The file at a URL in pieces; raises RefusedUrl for where we do not go, and InvalidUpload."""
        return download(self._client, url, limit=self._max_bytes, seconds=self._fetch_seconds)

    async def get(self, organization_id: UUID, upload_id: UUID) -> Upload:
        """The upload; raises NotFound, also for one of another organization."""
        found = await self._fetch("upload_by_id", organization_id=organization_id, id=upload_id)
        if not found:
            raise NotFound("There is no such upload.")
        return found[0]

    async def many(self, organization_id: UUID, team_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Upload]:
        """Those of the uploads that the team has, by id; what it has not is left out."""
        wanted = list(ids)
        if not wanted:
            return {}
        found = await self._fetch("uploads_by_ids", organization_id=organization_id, team_id=team_id, ids=wanted)
        return {upload.id: upload for upload in found}

    async def page(
        self,
        organization_id: UUID,
        *,
        team_ids: Sequence[UUID] | None = None,
        kinds: Sequence[MediaKind] = (),
        ids: Sequence[UUID] | None = None,
        used: bool | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[Upload]:
        """A part of the uploads, the newest first; `used` picks those that a post names, or that none does."""
        return await self._fetch(
            "list_uploads",
            organization_id=organization_id,
            team_ids=None if team_ids is None else list(team_ids),
            kinds=list(kinds) or None,
            ids=None if ids is None else list(ids),
            used=used,
            offset=offset,
            limit=limit,
        )

    async def delete(self, organization_id: UUID, ids: Sequence[UUID]) -> list[Upload]:
        """Let uploads go, all of them or none; in the order of `ids`.

        Raises NotFound where one is not the organization's, and Conflict where a post that may still go out names
        one. A post that is live keeps nothing of it but what the platform has.
        """
        wanted = list(dict.fromkeys(ids))
        tenant = {"organization_id": organization_id, "ids": wanted}
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lock_uploads"], tenant)
            if len(await cursor.fetchall()) < len(wanted):
                raise NotFound("There is no such upload.")
            await cursor.execute(self._sql["uploads_waited_for"], tenant)
            if waiting := await cursor.fetchall():
                posts = ", ".join(f"'{row['title'][:60]}' ({row['post_id']})" for row in waiting)
                words = f"A post that has not gone out yet uses it: {posts}. Delete or change that post first."
                raise Conflict(words, code="upload_in_use")
            await cursor.execute(self._sql["delete_uploads"], tenant)
            gone = {upload.id: upload for upload in map(upload_of, await cursor.fetchall())}
            await tell(connection, "upload.deleted", gone.values())
        return [gone[id] for id in wanted]

    async def read(self, upload: Upload) -> bytes:
        """The file's content; raises NotFound where the storage has lost it."""
        return await self.storage.read(upload.storage_key, upload.bytes)

    async def keep(self, path: Path, key: str) -> None:
        """Store a file for which a row is about to be written; without one it is removed again in time."""
        async with single(self._pool) as connection:
            await connection.execute(self._sql["leave"], {"storage_key": key})
        await self.storage.keep(path, key)

    def url_of(self, upload: Upload, recipe: Recipe | None = None) -> str | None:
        """Where anyone can read it for some hours, as it is or made to fit; None without a public address."""
        if self._links is None:
            return None
        extension = EXTENSIONS[recipe.mime] if recipe else upload.extension
        return self._links.media_url(upload.organization_id, upload.id, extension, recipe)

    def linked(self, upload: Upload) -> Upload:
        """The upload with its public URL, where there is one."""
        return msgspec.structs.replace(upload, url=self.url_of(upload))

    async def _known(
        self, organization_id: UUID, team_id: UUID, incoming: Incoming, alt_text: str | None
    ) -> Upload | None:
        tenant = {"organization_id": organization_id, "team_id": team_id}
        found = await self._fetch("touch_upload", **tenant, sha256=incoming.sha256, alt_text=alt_text)
        if not found:
            return None
        (known,) = found
        try:
            stored = await self.storage.size(known.storage_key)
        except NotFound:
            stored = -1
        if stored != incoming.bytes:
            # It was lost, and is back.
            await self.storage.keep(incoming.path, known.storage_key)
        return known

    async def check_room(self, organization_id: UUID, team_id: UUID, more: int) -> None:
        """Raise InvalidUpload where a team has no room for so many bytes more, NotFound where there is no such team."""
        values = {"organization_id": organization_id, "team_id": team_id}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["held_bytes"], values)).fetchone()
        if row is None:
            raise NotFound("There is no such team.")
        if row[0] + more > self._quota:
            raise InvalidUpload(
                f"The uploads of this team hold {row[0]:,} of {self._quota:,} bytes, and this file has {more:,}; "
                "delete uploads that no post uses (GET /api/v1/upload?status=UNUSED lists them).",
                code="upload_quota_reached",
            )

    async def _insert(self, row: dict[str, Any]) -> Upload | None:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lock_team"], row)
            await cursor.execute(self._sql["insert_upload"], row)
            found = await cursor.fetchone()
            made = upload_of(found) if found else None
            if made is not None:
                await tell(connection, "upload.created", [made])
        return self.linked(made) if made is not None else None

    async def _lost_race(self, incoming: Incoming, row: dict[str, Any]) -> Upload:
        """No row was written: the same content was stored in the meantime, or the last room was taken."""
        await self.storage.delete(row["storage_key"])
        tenant = {"organization_id": row["organization_id"], "team_id": row["team_id"]}
        found = await self._fetch("touch_upload", **tenant, sha256=incoming.sha256, alt_text=row["alt_text"])
        if found:
            return found[0]
        await self.check_room(**tenant, more=incoming.bytes)
        raise Conflict("The upload came and went in this very moment; send the file again.")

    async def _fetch(self, name: str, **values: Any) -> list[Upload]:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[name], values)
            return [self.linked(upload_of(row)) for row in await cursor.fetchall()]
