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
from core.events.events import Event, post_events, record
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


async def move(connection: AsyncConnection[Any], moves: Sequence[Move]) -> list[bool]:
    """Carry moves out inside the caller's transaction; says for each whether it was made.

    A move that came too late (another fence, another state) changes nothing and is answered False.
    Raises ValueError for one that the table of states does not have.
    """
    for subject, outcome in moves:
        if not may_follow(subject.state, outcome.state):
            raise ValueError(f"a delivery cannot go from {subject.state} to {outcome.state}")
    sql = queries("core.ledger")
    evictions = await _evictions(connection, moves)
    every = [*evictions, *moves]
    post_ids = sorted({subject.post_id for subject, _ in every})
    cursor = await connection.execute(sql["lock_posts"], {"ids": post_ids})
    before = {row[0]: row[1] async for row in cursor}
    # In this order: an id has to be free before another delivery gets it.
    moved = await _update(connection, evictions) | await _update(connection, moves)
    cursor = await connection.execute(sql["refresh_posts"], {"ids": post_ids})
    after = {row[0]: row[1] async for row in cursor}
    made = [(subject, outcome) for subject, outcome in every if subject.id in moved]
    told = [(subject, outcome) for subject, outcome in made if outcome.state not in INWARD]
    # The status of a post that was put away changes no more.
    words = {**before, **after}
    events = [
        _delivery_event(subject, outcome, words[subject.post_id], *moved[subject.id]) for subject, outcome in told
    ]
    await record(connection, [*events, *await post_events(connection, _post_types(made, before, after))])
    return [subject.id in moved for subject, _ in moves]


async def _update(connection: AsyncConnection[Any], moves: Sequence[Move]) -> dict[UUID, tuple[Any, Any]]:
    """Guarded updates of deliveries and the ends of their attempts; due and published dates of those that moved."""
    if not moves:
        return {}
    sql = queries("core.ledger")
    rows = Jsonb([_row(subject, outcome) for subject, outcome in moves])
    cursor = await connection.execute(sql["move"], {"moves": rows})
    moved = {row[0]: (row[1], row[2]) async for row in cursor}
    await connection.execute(sql["end_attempts"], {"moves": rows, "moved": list(moved)})
    return moved


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
    async with connection.cursor(row_factory=dict_row) as cursor:
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
    types = {"POSTED": "post.published", "ERROR": "post.failed"}
    statuses = {subject.post_id: after[subject.post_id] for subject, _ in made if subject.post_id in after}
    return {id: types[status] for id, status in statuses.items() if status in types and status != before[id]}
