"""Slots: a place that is made ready, into which a client puts a file by itself, and from which it is taken in."""

from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import InvalidUpload, NotFound
from core.ids import new_id, parse_id
from core.uploads.arrival import too_large
from core.uploads.keys import slot_key
from core.uploads.links import Links, SlotLink
from core.uploads.upload import Upload, clean_name
from core.uploads.uploads import Uploads

SECONDS = 4 * 3600.0
"""For how long a file may be put into a slot and taken in from there."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that was made ready: `path` names it, and to `url` the file is sent with PUT."""

    url: str
    path: str


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    organization_id: UUID
    team_id: UUID
    file_name: str | None
    bytes: int | None
    alt_text: str | None
    upload_id: UUID | None


class Slots:
    """The slots of one database, over the uploads they become."""

    def __init__(self, pool: AsyncConnectionPool, uploads: Uploads, links: Links, *, max_bytes: int) -> None:
        self._pool = pool
        self._uploads = uploads
        self._links = links
        self._max_bytes = max_bytes
        self._sql = queries("core.uploads")

    async def open(
        self,
        organization_id: UUID,
        team_id: UUID,
        *,
        file_name: str,
        bytes: int | None,
        alt_text: str | None,
        server_url: str,
    ) -> Slot:
        """Make a slot ready. The store's own address is given where it has one, else one of `server_url`.

        Raises InvalidUpload for a file that would be too large, NotFound for a team that is not the organization's.
        """
        if bytes is not None and bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        id = new_id()
        values = {"organization_id": organization_id, "team_id": team_id, "id": id, "seconds": SECONDS}
        values |= {"file_name": clean_name(file_name), "bytes": bytes, "alt_text": alt_text}
        if await self._row("insert_slot", values) is None:
            raise NotFound("There is no such team.")
        key = slot_key(team_id, id)
        url = await self._uploads.storage.put_url(key, SECONDS)
        return Slot(url=url or self._links.slot_url(organization_id, id, SECONDS, server_url), path=key)

    async def put(self, token: str, chunks: AsyncIterable[bytes]) -> None:
        """Put a file into the slot that a link of ours names; another one takes its place. Raises NotFound."""
        link = self._links.read(token, SlotLink)
        slot = await self._slot(link.organization_id, link.slot_id)
        if slot.upload_id is not None:
            raise NotFound("The file of this address was taken in already; begin anew for another one.")
        async with self._uploads.receive(chunks) as incoming:
            await self._stage(slot, 0)
            await self._uploads.check_room(slot.organization_id, slot.team_id, incoming.bytes)
            await self._uploads.storage.keep(incoming.path, slot_key(slot.team_id, slot.id))
            await self._stage(slot, incoming.bytes)

    async def finalize(self, organization_id: UUID, team_id: UUID, path: str) -> Upload:
        """Take the file in a slot in; once more gives the same upload.

        Raises NotFound for a path that is no slot of the team's or has expired, InvalidUpload with
        `nothing_was_put` where no file came, and what `Uploads.create` raises.
        """
        slot = await self._slot(organization_id, parse_id(path.rpartition("/")[2]))
        if path != slot_key(team_id, slot.id) or slot.team_id != team_id:
            raise _no_slot()
        if slot.upload_id is not None:
            return await self._uploads.get(organization_id, slot.upload_id)
        storage = self._uploads.storage
        try:
            size = await storage.size(path)
        except NotFound:
            words = "No file was put there yet; send it with PUT to the `url` that came with this path."
            raise InvalidUpload(words, code="nothing_was_put") from None
        if slot.bytes is not None and size != slot.bytes:
            words = f"{size:,} bytes came and {slot.bytes:,} were announced; send the file again, whole."
            raise InvalidUpload(words, code="size_differs")
        if size > self._max_bytes:
            await storage.delete(path)
            raise too_large(self._max_bytes)
        # From here on it is counted as what it becomes.
        await self._stage(slot, 0)
        async with aclosing(storage.open(path)) as pieces:
            upload = await self._uploads.create(organization_id, team_id, pieces, slot.file_name, slot.alt_text)
        await self._row("fill_slot", {"organization_id": organization_id, "id": slot.id, "upload_id": upload.id})
        await storage.delete(path)
        return upload

    async def _stage(self, slot: _Row, bytes: int) -> None:
        await self._row("stage", {"organization_id": slot.organization_id, "id": slot.id, "bytes": bytes})

    async def _slot(self, organization_id: UUID, id: UUID | None) -> _Row:
        row = await self._row("slot", {"organization_id": organization_id, "id": id}) if id else None
        if row is None:
            raise _no_slot()
        return msgspec.convert(row, _Row)

    async def _row(self, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[name], values)
            return await cursor.fetchone() if cursor.description else None


def _no_slot() -> NotFound:
    return NotFound("There is no such path, or its time is over; begin anew with POST /api/v1/upload/init.")
