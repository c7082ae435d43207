"""What is told of uploads: that they came, and that they went."""

from collections.abc import Iterable
from typing import Any, Literal

from psycopg import AsyncConnection

from core.events.data import UploadData
from core.events.events import Event, record
from core.uploads.upload import Upload


async def tell(
    connection: AsyncConnection[Any], type: Literal["upload.created", "upload.deleted"], uploads: Iterable[Upload]
) -> None:
    """Tell of uploads inside the caller's transaction."""
    await record(connection, [_event(type, upload) for upload in uploads])


def _event(type: str, upload: Upload) -> Event:
    data = UploadData(
        upload_id=upload.id, team_id=upload.team_id, kind=upload.kind, mime=upload.mime, bytes=upload.bytes
    )
    return Event(
        organization_id=upload.organization_id, team_id=upload.team_id, type=type, subject=upload.id, data=data
    )
