"""Everything that holds uploads together, opened from the settings for one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.media.processes import MediaProcesses
from core.settings import Settings
from core.uploads.expiry import Expiry
from core.uploads.links import Links
from core.uploads.renditions import Renditions
from core.uploads.slots import Slots
from core.uploads.storage import Storage
from core.uploads.uploads import Uploads
from core.vault import Vault

PROCESSES = 2
"""How many files a process of ours has looked at or made to fit at a time."""


class MediaRooms(NamedTuple):
    """The parts, over one storage."""

    uploads: Uploads
    slots: Slots
    renditions: Renditions
    links: Links
    expiry: Expiry


@asynccontextmanager
async def open_media(
    settings: Settings,
    pool: AsyncConnectionPool[AsyncConnection[Any]],
    storage: Storage,
    client: httpx.AsyncClient,
    vault: Vault,
) -> AsyncIterator[MediaRooms]:
    """The parts; `client` fetches from URLs and must stand on a guarded transport."""
    processes = MediaProcesses(PROCESSES)
    links = Links(vault, settings.public_url, hours=settings.link_hours)
    uploads = Uploads(
        pool,
        storage,
        client,
        probe=processes.probe,
        links=links,
        max_bytes=settings.upload_bytes,
        quota=settings.upload_quota,
    )
    # What a crash of this very process left half way, on a machine that no worker may run on.
    await storage.sweep()
    try:
        yield MediaRooms(
            uploads=uploads,
            slots=Slots(pool, uploads, links, max_bytes=settings.upload_bytes),
            renditions=Renditions(pool, uploads, processes),
            links=links,
            expiry=Expiry(pool, uploads, days=settings.upload_days),
        )
    finally:
        await processes.aclose()
