"""What a list of posts may be narrowed down to and ordered by."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from core.convert import convert
from core.dates import parse_date
from core.errors import InvalidPost, NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.posts.places import Order, OrderBy, Place, parse_place

Status = Literal["DRAFT", "SCHEDULED", "POSTED", "ERROR", "DELETED", "PROCESSING", "REVIEW", "RETRYING"]
Platform = Annotated[str, Meta(min_length=1, max_length=100)]


class PostQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/post/`, as bundle.social's clients send it."""

    team_id: Annotated[str, Meta(description="Whose posts.")]
    status: Annotated[Status, Meta(description="Only posts with this status; deleted ones only by DELETED.")] | None = (
        None
    )
    order_by: Annotated[OrderBy, Meta(description="What the list is ordered by.")] = "createdAt"
    order: Annotated[Order, Meta(description="Which way. What lacks the date comes last, by createdAt.")] = "DESC"
    q: Annotated[str, Meta(max_length=500, description="A part of the title, in upper or lower case.")] = ""
    platforms: Annotated[list[Platform], Meta(max_length=50, description="Only posts to one of these.")] = []
    post_date_from: Annotated[str, Meta(description="Only posts dated then or later; ISO 8601.")] | None = None
    post_date_to: Annotated[str, Meta(description="Only posts dated then or earlier; ISO 8601.")] | None = None
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, description="How many are passed over.")] = 0
    limit: Annotated[int, Meta(ge=1, le=100, description="How many are answered.")] = 10
    after: Annotated[
        str,
        Meta(max_length=500, description="`next` of the answer before, instead of an offset: what comes behind it."),
    ] = ""


class InvalidQuery(InvalidPost):
    """The query is at fault; `report` holds every finding. HTTP 400."""

    code = "invalid_query"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """A sound query, ready for the database."""

    team_id: UUID
    query: PostQuery
    date_from: datetime | None
    date_to: datetime | None
    after: Place | None = None


def read_filters(pairs: Iterable[tuple[str, str]]) -> Filters:
    """The filters that a URL's query spells.

    Raises `InvalidQuery` with a finding for each bad value, its path being `["query", name]`, and `NotFound`
    where the team's id is none.
    """
    values, findings = _gathered(pairs)
    query, faults = convert(PostQuery, values, ("query",))
    findings += faults
    date_from = _date(values, "postDateFrom", findings)
    date_to = _date(values, "postDateTo", findings)
    after = _place(query, findings) if query is not None else None
    if query is None or findings:
        raise InvalidQuery(Report(tuple(findings)))
    team_id = parse_id(query.team_id)
    if team_id is None:
        raise NotFound("There is no such team.")
    return Filters(team_id=team_id, query=query, date_from=date_from, date_to=date_to, after=after)


def _place(query: PostQuery, findings: list[Finding]) -> Place | None:
    if not query.after:
        return None
    place, at = parse_place(query.after), ("query", "after")
    if place is None:
        findings.append(
            Finding(code="bad_format", path=at, message="This is no place in a list; give `next` of an answer.")
        )
    elif (place.order_by, place.order) != (query.order_by, query.order):
        words = f"This place is in a list by {place.order_by} {place.order}; ask for the same order again."
        findings.append(Finding(code="bad_format", path=at, message=words))
    elif query.offset:
        words = "With `after` an offset has no meaning; give one of the two."
        findings.append(Finding(code="bad_format", path=("query", "offset"), message=words))
    return place


def _gathered(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, Any], list[Finding]]:
    """Values by name: lists where several are meant, numbers where digits stand."""
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, text in pairs:
        if name == "platforms":
            values.setdefault(name, []).append(text)
        elif name in values:
            words = f"'{name[:60]}' is given more than once; give it once."
            findings.append(Finding(code="duplicate", path=("query", name), message=words))
        else:
            values[name] = int(text) if name in ("offset", "limit") and _is_number(text) else text
    return values, findings


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20


def _date(values: dict[str, Any], name: str, findings: list[Finding]) -> datetime | None:
    if name not in values:
        return None
    parsed = parse_date(values[name], ("query", name))
    if isinstance(parsed, Finding):
        findings.append(parsed)
        return None
    return parsed
