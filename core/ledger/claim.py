"""The claim: what is due becomes queued, in fair turns, as far as the allowances of the platforms go."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database.queries import queries
from core.governor.allowance import Exhausted
from core.governor.asks import Answer
from core.ledger.moves import Failure, Move, Outcome, Subject
from core.ledger.states import State


class Due(Subject, frozen=True, kw_only=True):
    """A delivery that is due: its place in the round, its lane's turn, and the calls that it will take."""

    place: int
    lane_id: int
    virtual_time: float
    calls: dict[str, int]
    grant_id: UUID
    app: str
    quotas: list[Any]
    expired: bool


Reserve = Callable[[Sequence[Due]], Awaitable[Sequence[Answer]]]
"""Asks for the calls that deliveries will take; answers for each whether it may go, and when."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A round: the platforms on which something was queued, what was put off, and the database's time.

    `crowded` says that more is due than the queues have room for.
    """

    platforms: Mapping[str, int]
    put_off: Sequence[Move]
    crowded: bool
    at: datetime


async def claim(
    connection: AsyncConnection[Any], reserve: Reserve | None, *, queued: int, lanes: int, each: int
) -> Claimed:
    """One round, inside the caller's transaction: at most `queued` stand in a queue, and `each` of a lane join it."""
    sql = queries("core.ledger")
    await connection.execute(sql["wake"])
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql["due"], {"queued": queued, "lanes": lanes, "each": each})
        due = [msgspec.convert(row, Due) async for row in cursor]
    answers = await reserve(due) if reserve else [Answer(0.0)] * len(due)
    held = [(row, answer) for row, answer in zip(due, answers, strict=True) if answer.held]
    denied = [(row, answer) for row, answer in zip(due, answers, strict=True) if not answer.held and not answer.skipped]
    if held:
        await connection.execute(sql["queue"], {"chosen": Jsonb([_chosen(row, answer) for row, answer in held])})
    if denied:
        # In one order, so that two schedulers do not wait for each other in a circle.
        blocked = sorted([_blocked(row, answer) for row, answer in denied], key=lambda lane: lane["id"])
        await connection.execute(sql["block"], {"lanes": Jsonb(blocked)})
        again = [{"id": str(row.id), "due_in": answer.delay} for row, answer in denied]
        await connection.execute(sql["put_off"], {"rows": Jsonb(again)})
    row = await (await connection.execute(sql["crowded"], {"queued": queued})).fetchone()
    assert row is not None
    counts: dict[str, int] = {}
    for each_due, _ in held:
        counts[each_due.platform] = counts.get(each_due.platform, 0) + 1
    put_off = [_put_off(each_due, answer) for each_due, answer in denied if each_due.state != State.DEFERRED]
    return Claimed(platforms=counts, put_off=put_off, crowded=row[0], at=row[1])


def _chosen(row: Due, answer: Answer) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "platform": row.platform,
        "lane_id": row.lane_id,
        "virtual_time": row.virtual_time,
        "place": row.place,
        "due_in": answer.delay,
    }


def _blocked(row: Due, answer: Answer) -> dict[str, Any]:
    window = f"{row.platform}:{row.app}:{answer.window.name}" if answer.window else None
    return {"id": row.lane_id, "seconds": answer.again, "window": window}


def _put_off(row: Due, answer: Answer) -> Move:
    error = Failure(
        code=Exhausted.code,
        message="The platform's allowance is used up for now.",
        hint="It goes out by itself at its turn, when there is room again.",
    )
    return row, Outcome(state=State.DEFERRED, due_in=answer.delay, error=error)
