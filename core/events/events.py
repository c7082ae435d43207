"""Events: written in the transaction of what they tell, and addressed to every endpoint that wants them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from core.database.queries import queries
from core.ids import new_id


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a post; `type` is `delivery.published`, `post.failed` and the like."""

    organization_id: UUID
    team_id: UUID
    type: str
    subject: UUID
    data: dict[str, Any]


async def record(connection: AsyncConnection[Any], events: Sequence[Event]) -> int:
    """Write events, in their order, inside the caller's transaction; answers how many webhooks they cause.

    The caller holds the lock of every post among the subjects, which is what makes the sequence gapless.
    """
    if not events:
        return 0
    sql = queries("core.events")
    rows = [{"id": str(new_id()), "place": place, **msgspec.to_builtins(event)} for place, event in enumerate(events)]
    await connection.execute(sql["record"], {"events": Jsonb(rows)})
    cursor = await connection.execute(sql["address"], {"ids": [UUID(row["id"]) for row in rows]})
    return cursor.rowcount
