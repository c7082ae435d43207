"""Events: written in the transaction of what they tell, and addressed to every endpoint that wants them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database.queries import queries
from core.events.data import DeliverySummary, PostData
from core.events.kinds import kind_of
from core.ids import new_id


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to its `subject`; `type` is `delivery.published`, `post.failed` and the like.

    `data` are those of the type's kind, as a Struct or as JSON has it. `platforms` are those that it concerns; left
    out, it is the one that the data name. Without a team it concerns the organization as a whole.
    """

    organization_id: UUID
    team_id: UUID | None
    type: str
    subject: UUID
    data: dict[str, Any] | msgspec.Struct
    platforms: Sequence[str] = ()


async def record(connection: AsyncConnection[Any], events: Sequence[Event]) -> int:
    """Write events, in their order, inside the caller's transaction; answers how many webhooks they cause.

    The caller holds the lock of every post among the subjects, which is what makes the sequence gapless; of every
    other subject it is taken here.
    """
    if not events:
        return 0
    sql = queries("core.events")
    rows = [_row(place, event) for place, event in enumerate(events)]
    async with connection.pipeline():
        await connection.execute(sql["record"], {"events": Jsonb(rows)})
        cursor = await connection.execute(sql["address"], {"ids": [UUID(row["id"]) for row in rows]})
    return cursor.rowcount


async def post_events(connection: AsyncConnection[Any], types: Mapping[UUID, str]) -> list[Event]:
    """An event of that type for each post, telling of it as it stands in the caller's transaction."""
    if not types:
        return []
    return [post_event(types[row["id"]], row) async for row in await standing(connection, list(types))]


async def standing(
    connection: AsyncConnection[Any], post_ids: Sequence[UUID], statuses: Sequence[str] | None = None
) -> AsyncCursor[dict[str, Any]]:
    """How posts stand in the caller's transaction, or those of some statuses; each row makes a `post_event`."""
    cursor = connection.cursor(row_factory=dict_row)
    return await cursor.execute(queries("core.events")["posts"], {"ids": post_ids, "statuses": statuses})


def post_event(type: str, row: dict[str, Any]) -> Event:
    """An event of that type for a post that stands so."""
    data = PostData(
        post_id=row["id"],
        team_id=row["team_id"],
        status=row["status"],
        title=row["title"],
        reference_key=row["reference_key"],
        posted_at=row["posted_at"],
        deliveries=msgspec.convert(row["deliveries"], list[DeliverySummary]),
    )
    return Event(
        organization_id=row["organization_id"],
        team_id=row["team_id"],
        type=type,
        subject=row["id"],
        data=data,
        platforms=row["platforms"],
    )


def _row(place: int, event: Event) -> dict[str, Any]:
    kind = kind_of(event.type)
    row: dict[str, Any] = msgspec.to_builtins(event)
    platform = row["data"].get("platform")
    row["platforms"] = row["platforms"] or ([platform] if platform else [])
    return {"id": str(new_id()), "place": place, "version": kind.version, "vendor_type": kind.vendor, **row}
