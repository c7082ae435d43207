"""Making ready: pictures of posts that are due soon are made to fit before a worker needs them."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter, drafted
from core.errors import FingerpostError
from core.post import Shared
from core.uploads.renditions import Renditions
from core.uploads.upload import Upload, upload_of

AHEAD_SECONDS = 600.0
"""How long before its date a post's pictures are made ready."""

BATCH = 200


class _Soon(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that is due soon, and the uploads of its post."""

    platform: str
    block: dict[str, Any]
    content: dict[str, Any]
    uploads: list[Upload]


class Readying:
    """Looks for deliveries that are due soon, and makes what their adapters' bounds ask for."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        adapters: Mapping[str, AnyAdapter],
        renditions: Renditions,
    ) -> None:
        self._pool = pool
        self._adapters = adapters
        self._renditions = renditions
        self._log = structlog.get_logger(__name__)

    async def ready(self, *, ahead_seconds: float = AHEAD_SECONDS) -> int:
        """Make ready what is due within `ahead_seconds`; how many pictures that were.

        What cannot be made is left to the delivery, which tells it.
        """
        values = {"seconds": ahead_seconds, "limit": BATCH}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(queries("core.uploads")["due_soon"], values)
            rows = await cursor.fetchall()
        count = 0
        for row in rows:
            uploads = [upload_of(held) for held in row["uploads"]]
            soon = _Soon(platform=row["platform"], block=row["block"], content=row["content"], uploads=uploads)
            count += await self._make(soon)
        return count

    async def _make(self, soon: _Soon) -> int:
        adapter = self._adapters.get(soon.platform)
        if adapter is None:
            return 0
        held = {str(upload.id): upload for upload in soon.uploads}
        media = {id: upload.media for id, upload in held.items()}
        made = drafted(adapter, Shared.of(soon.content), soon.block, path=(), account=None, uploads=media)
        count = 0
        for item in made.draft.media if made.draft else ():
            if item.recipe is None or item.upload_id is None:
                continue
            try:
                await self._renditions.of(held[item.upload_id], item.recipe)
            except FingerpostError as error:
                self._log.warning("not_made_ready", upload=item.upload_id, code=error.code)
            else:
                count += 1
        return count
