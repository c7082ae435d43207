"""The feed of the API: everything that happened, for those who come and ask."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from msgspec import Meta

from core.convert import convert
from core.errors import NotFound
from core.events.feed import BEGINNING, Cursor, Feed, Told, Wanted, parse_cursor
from core.findings import Finding, Report, nearest
from core.ids import parse_id
from core.posts.filters import InvalidQuery
from core.posts.views import timestamp
from core.tenants.callers import Caller
from core.webhooks.event_types import EVENT_TYPES
from server.auth import access

LATEST = "latest"
"""The cursor of whoever wants only what happens from now on."""

_LISTS = ("types", "platforms")
Name = Annotated[str, Meta(max_length=100)]


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/event`."""

    after: Annotated[
        str,
        Meta(description="`next` of the answer before; `latest` for what happens from now on; empty: from the start."),
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many are answered.")] = 100
    types: Annotated[list[Name], Meta(max_length=100, description="Only these events.")] = []
    platforms: Annotated[list[Name], Meta(max_length=100, description="Only events of these platforms.")] = []
    team_id: Annotated[str, Meta(description="Only events of this team.")] | None = None


class EventView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event, with the same words as in a webhook; `previousSequence` is that of the last one of its subject here."""

    id: str
    type: str
    version: int
    timestamp: str
    team_id: str | None
    subject: str
    sequence: int
    previous_sequence: int | None
    data: dict[str, Any]


class EventPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Some events, and where to go on: ask again with `after` = `next`, at once if there is `more`."""

    items: list[EventView]
    next: str
    more: bool


class EventController(Controller):
    """`/api/v1/event`, ours: the vendor has no such call."""

    path = "/api/v1/event"
    tags = ("Events",)

    @get(operation_id="eventGetList", summary="Read the feed of events", opt=access("read", "team"))
    async def page(self, request: Request[Caller, None, State], feed: NamedDependency[Feed]) -> EventPage:
        """What happened behind a cursor: nothing is passed over and nothing comes twice.

        Events come in the order of their transactions; among those of one subject `sequence` says which came first.
        """
        query = read_query(request.query_params.multi_items())
        wanted = Wanted(types=query.types, platforms=query.platforms, team_id=_team(query, request.user))
        if query.after == LATEST:
            return EventPage(items=[], next=str(await feed.now()), more=False)
        after = parse_cursor(query.after) if query.after else BEGINNING
        assert after is not None
        found = await feed.read(
            request.user.organization_id, after, query.limit, wanted=wanted, within=request.user.reach
        )
        next: Cursor = found[-1].cursor if found else after
        return EventPage(items=[_view(told) for told in found], next=str(next), more=len(found) == query.limit)


def read_query(pairs: Iterable[tuple[str, str]]) -> EventQuery:
    """The query that a URL spells. Raises `InvalidQuery` with every fault."""
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in _LISTS:
            values.setdefault(name, []).append(text)
        else:
            values[name] = (
                int(text) if name == "limit" and text.isascii() and text.isdigit() and len(text) < 10 else text
            )
    query, findings = convert(EventQuery, values, ("query",))
    findings += list(_faults(query)) if query else []
    if query is None or findings:
        raise InvalidQuery(Report(tuple(findings)))
    return query


def _faults(query: EventQuery) -> Iterable[Finding]:
    if query.after and query.after != LATEST and parse_cursor(query.after) is None:
        words = f"This is no place in the feed; give `next` of an answer, or `{LATEST}`."
        yield Finding(code="bad_format", path=("query", "after"), message=words)
    for name in query.types:
        if name not in EVENT_TYPES:
            known = nearest(name, EVENT_TYPES) or f"; there are {', '.join(EVENT_TYPES)}."
            words = f"There is no event type '{name[:60]}'{known}"
            yield Finding(code="unknown_event_type", path=("query", "types"), message=words)


def _team(query: EventQuery, caller: Caller) -> UUID | None:
    if query.team_id is None:
        return None
    id = parse_id(query.team_id)
    if id is None or not caller.reach.has_team(id):
        raise NotFound("There is no such team.")
    return id


def _view(told: Told) -> EventView:
    return EventView(
        id=str(told.id),
        type=told.type,
        version=told.version,
        timestamp=timestamp(told.created_at),
        team_id=str(told.team_id) if told.team_id else None,
        subject=str(told.subject),
        sequence=told.sequence,
        previous_sequence=told.previous_sequence,
        data=told.data,
    )
