"""Expiry: uploads that nobody uses, slots that were left, and files without a row go."""

from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, NotFound
from core.uploads.uploads import Uploads

BATCH = 500
"""How many of each are looked at in one sweep."""

SETTLE_SECONDS = 6 * 3600.0
"""How long a file may be without a row: longer than any is on its way."""


class Expiry:
    """Sweeps what has outlived its use; several at once do no harm."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], uploads: Uploads, *, days: float) -> None:
        self._pool = pool
        self._uploads = uploads
        self._days = days
        self._sql = queries("core.uploads")
        self._log = structlog.get_logger(__name__)

    async def sweep(self, *, settle_seconds: float = SETTLE_SECONDS) -> None:
        """Remove a batch of everything that is due."""
        expired = await self._expired()
        async with single(self._pool) as connection:
            await connection.execute(self._sql["expire_slots"], {"limit": BATCH})
        files = await self._clear(settle_seconds)
        parts = await self._uploads.storage.sweep()
        if expired or files or parts:
            self._log.info("uploads_swept", uploads=expired, files=files, parts=parts)

    async def _expired(self) -> int:
        """Each by itself: one that a post comes to name in this moment stays."""
        values = {"days": self._days, "limit": BATCH}
        async with single(self._pool) as connection:
            rows = await (await connection.execute(self._sql["expired_uploads"], values)).fetchall()
        count = 0
        for organization_id, id in rows:
            count += await self._let_go(organization_id, id)
        return count

    async def _let_go(self, organization_id: UUID, id: UUID) -> int:
        try:
            return len(await self._uploads.delete(organization_id, [id]))
        except (Conflict, NotFound):
            return 0

    async def _clear(self, settle_seconds: float) -> int:
        values = {"seconds": settle_seconds, "limit": BATCH}
        async with single(self._pool) as connection:
            rows = await (await connection.execute(self._sql["left_behind"], values)).fetchall()
        keys = [key for (key,) in rows]
        for key in keys:
            await self._uploads.storage.delete(key)
        if keys:
            async with single(self._pool) as connection:
                await connection.execute(self._sql["gone"], {"storage_keys": keys})
        return len(keys)
