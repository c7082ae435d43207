"""Renditions: pictures made to fit by a recipe, each made once and then found again."""

from collections.abc import Mapping
from typing import Any

import msgspec
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.media.processes import MediaProcesses
from core.media.recipe import Recipe
from core.post import Draft, Media
from core.uploads.keys import rendition_key
from core.uploads.upload import Upload
from core.uploads.uploads import Uploads


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file that was made of an upload."""

    mime: str
    extension: str
    bytes: int
    width: int
    height: int
    storage_key: str


class Renditions:
    """Makes and finds renditions of uploads."""

    def __init__(self, pool: AsyncConnectionPool, uploads: Uploads, processes: MediaProcesses) -> None:
        self._pool = pool
        self._uploads = uploads
        self._processes = processes
        self._sql = queries("core.uploads")

    async def of(self, upload: Upload, recipe: Recipe) -> Rendition:
        """The upload made to fit; made now if that was not done before.

        Raises InvalidUpload where it cannot be done, and NotFound where the upload or its file has gone.
        """
        values = {"organization_id": upload.organization_id, "upload_id": upload.id, "recipe": recipe.key}
        row = await self._row("rendition", values)
        return msgspec.convert(row, Rendition) if row else await self._make(upload, recipe)

    def handed_over(self, draft: Draft[Any], uploads: Mapping[str, Upload]) -> Draft[Any]:
        """The draft with public URLs of its pictures as they will be; they are made when somebody asks for them."""
        media = tuple(self._handed_over(item, uploads) for item in draft.media)
        return msgspec.structs.replace(draft, media=media)

    def _handed_over(self, media: Media, uploads: Mapping[str, Upload]) -> Media:
        upload = uploads.get(media.upload_id or "")
        if upload is None or media.recipe is None:
            return media
        return msgspec.structs.replace(media, public_url=self._uploads.url_of(upload, media.recipe))

    async def _make(self, upload: Upload, recipe: Recipe) -> Rendition:
        storage = self._uploads.storage
        async with storage.at_hand(upload.storage_key) as source, storage.scratch() as target:
            fitted = await self._processes.mend(source, target, recipe)
            key = rendition_key(upload.storage_key, recipe.key, fitted.extension)
            await self._uploads.keep(target, key)
        values = {"organization_id": upload.organization_id, "upload_id": upload.id, "recipe": recipe.key}
        made = Rendition(storage_key=key, **msgspec.structs.asdict(fitted))
        if await self._row("insert_rendition", {**values, **msgspec.structs.asdict(made)}) is None:
            raise NotFound("The upload was deleted in this very moment.")
        return made

    async def _row(self, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[name], values)
            return await cursor.fetchone()
