"""Moves: the one way in which a delivery changes its state, with its attempt, its events and its post."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database.queries import queries
from core.events.data import DeliveryData, EventError
from core.events.events import Event, post_event, record, standing
from core.ledger.states import INWARD, State, may_follow


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Why something did not go out, as it is stored and shown."""

    code: str
    message: str
    hint: str = ""
    platform_code: str | None = None
    http_status: int | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery that moves, as the mover knows it: `fence` and `state` guard the move."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    post_id: UUID
    social_account_id: UUID
    platform: str
    fence: int
    state: State


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery: its next state, when it falls due again (seconds from now), and why.

    `steps` are answers that are remembered with it, for later attempts. `anew` starts the count of failures again; it
    then fails as too late `patience` seconds after it is due.
    """

    state: State
    due_in: float | None = None
    failed: bool = False
    looked: bool = False
    anew: bool = False
    patience: float = 0.0
    pending: dict[str, Any] | None = None
    steps: dict[str, Any] = {}
    external_id: str | None = None
    permalink: str | None = None
    certain: bool = True
    error: Failure | None = None
    http_status: int | None = None
    answer: str | None = None


Move = tuple[Subject, Outcome]

_ENDINGS = {"POSTED": "post.published", "ERROR": "post.failed"}
"""What is told of a post when its last delivery has ended, by its status then."""


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """Statuses of posts before and, where they followed, after; of what moved, when it is due and was published."""

    before: dict[UUID, str]
    moved: dict[UUID, tuple[Any, Any]]
    after: dict[UUID, str]
    ended: list[dict[str, Any]]


async def move(connection: AsyncConnection[Any], moves: Sequence[Move]) -> list[bool]:
    """Carry moves out inside the caller's transaction; says for each whether it was made.

    A move that came too late (another fence, another state) changes nothing and is answered False.
    Raises ValueError for one that the table of states does not have.
    """
    for subject, outcome in moves:
        if not may_follow(subject.state, outcome.state):
            raise ValueError(f"a delivery cannot go from {subject.state} to {outcome.state}")
    evictions = await _evictions(connection, moves)
    found = await _carried_out(connection, evictions, moves)
    made = [(subject, outcome) for subject, outcome in (*evictions, *moves) if subject.id in found.moved]
    # The status of a post that was put away changes no more.
    words = {**found.before, **found.after}
    types = _post_types(made, found.before, found.after)
    events = [
        _delivery_event(subject, outcome, words[subject.post_id], *found.moved[subject.id])
        for subject, outcome in made
        if outcome.state not in INWARD
    ]
    events += [post_event(types[row["id"]], row) for row in found.ended if row["id"] in types]
    await record(connection, events)
    return [subject.id in found.moved for subject, _ in moves]


async def _carried_out(connection: AsyncConnection[Any], evictions: Sequence[Move], moves: Sequence[Move]) -> _Found:
    """Lock the posts, move the deliveries, and let the posts' statuses follow.

    All in one round trip: nothing more can be written meanwhile, and a worker's loop is busy when an answer comes in.
    """
    sql = queries("core.ledger")
    post_ids = sorted({subject.post_id for subject, _ in (*evictions, *moves)})
    async with connection.pipeline():
        locked = await connection.execute(sql["lock_posts"], {"ids": post_ids})
        # In this order: an id has to be free before another delivery gets it.
        updates = [
            await connection.execute(
                sql["move"], {"moves": Jsonb([_row(subject, outcome) for subject, outcome in some])}
            )
            for some in (evictions, moves)
            if some
        ]
        refreshed = await connection.execute(sql["refresh_posts"], {"ids": post_ids})
        ended = await standing(connection, post_ids, list(_ENDINGS))
    return _Found(
        before={row[0]: row[1] async for row in locked},
        moved={row[0]: (row[1], row[2]) for update in updates async for row in update},
        after={row[0]: row[1] async for row in refreshed},
        ended=await ended.fetchall(),
    )


async def _evictions(connection: AsyncConnection[Any], moves: Sequence[Move]) -> list[Move]:
    """A twin's certain answer takes back what another delivery only found: that one has to look again."""
    rows = [_row(subject, outcome) for subject, outcome in moves if outcome.external_id and outcome.certain]
    if not rows:
        return []
    error = Failure(
        code="outcome_unknown",
        message="What was found on the platform turned out to be another delivery of the same content.",
        hint="It is looked up again before anything is sent.",
    )
    outcome = Outcome(state=State.UNCONFIRMED, due_in=0.0, error=error)
    async with connection.pipeline():
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(queries("core.ledger")["rivals"], {"moves": Jsonb(rows)})
    return [(msgspec.convert(row, Subject), outcome) async for row in cursor]


def _row(subject: Subject, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": str(subject.id),
        "fence": subject.fence,
        "before": subject.state,
        **msgspec.to_builtins(outcome),
        "failed": int(outcome.failed),
        "looked": int(outcome.looked),
        "error": msgspec.to_builtins(outcome.error),
    }


def _delivery_event(subject: Subject, outcome: Outcome, post_status: str, due_at: Any, published_at: Any) -> Event:
    data = DeliveryData(
        delivery_id=subject.id,
        post_id=subject.post_id,
        team_id=subject.team_id,
        platform=subject.platform,
        social_account_id=subject.social_account_id,
        state=outcome.state,
        post_status=post_status,
        external_id=outcome.external_id,
        permalink=outcome.permalink,
        published_at=published_at if outcome.state is State.PUBLISHED else None,
        error=EventError(**msgspec.structs.asdict(outcome.error)) if outcome.error else None,
        next_at=due_at if outcome.due_in is not None else None,
    )
    return Event(
        organization_id=subject.organization_id,
        team_id=subject.team_id,
        type=f"delivery.{outcome.state}",
        subject=subject.post_id,
        data=data,
    )


def _post_types(made: Sequence[Move], before: Mapping[UUID, str], after: Mapping[UUID, str]) -> dict[UUID, str]:
    """`post.published` or `post.failed`, when the last delivery of a post has ended."""
    statuses = {subject.post_id: after[subject.post_id] for subject, _ in made if subject.post_id in after}
    return {id: _ENDINGS[status] for id, status in statuses.items() if status in _ENDINGS and status != before[id]}
