"""What a list of uploads may be narrowed down to."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from core.convert import convert
from core.errors import NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.limits import MediaKind
from core.posts.filters import InvalidQuery

_LISTS = ("types", "ids")
_NUMBERS = ("offset", "limit")


class UploadQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/upload/`, as bundle.social's clients send it."""

    team_id: Annotated[str, Meta(description="Whose uploads; left out, those of all teams.")] | None = None
    type: Annotated[MediaKind, Meta(description="Only files of this kind.")] | None = None
    types: Annotated[list[MediaKind], Meta(max_length=3, description="Only files of one of these kinds.")] = []
    ids: Annotated[list[str], Meta(max_length=1000, description="Only these.")] = []
    status: (
        Annotated[Literal["USED", "UNUSED"], Meta(description="Only those that a post names, or that none does.")]
        | None
    ) = None
    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, description="How many are passed over.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many are answered.")] = 100


class UploadFilters(msgspec.Struct, frozen=True, kw_only=True):
    """A sound query, ready for the database."""

    team_id: UUID | None
    query: UploadQuery

    @property
    def kinds(self) -> list[MediaKind]:
        """Every kind that is asked for."""
        return [*self.query.types, *([self.query.type] if self.query.type else [])]

    @property
    def ids(self) -> list[UUID] | None:
        """The ids that are asked for; what is no id is nobody's."""
        return [id for text in self.query.ids if (id := parse_id(text))] if self.query.ids else None

    @property
    def used(self) -> bool | None:
        """Whether a post has to name it."""
        return None if self.query.status is None else self.query.status == "USED"


def read_upload_filters(pairs: Iterable[tuple[str, str]]) -> UploadFilters:
    """The filters that a URL's query spells.

    Raises `InvalidQuery` with a finding for each bad value, and `NotFound` where the team's id is none.
    """
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, text in pairs:
        if name in _LISTS:
            values.setdefault(name, []).append(text)
        elif name in values:
            words = f"'{name[:60]}' is given more than once; give it once."
            findings.append(Finding(code="duplicate", path=("query", name), message=words))
        elif text or name not in UploadQuery.__struct_encode_fields__:
            is_number = name in _NUMBERS and text.isascii() and text.isdigit() and len(text) < 20
            values[name] = int(text) if is_number else text
    query, faults = convert(UploadQuery, values, ("query",))
    findings += faults
    if query is None or findings:
        raise InvalidQuery(Report(tuple(findings)))
    team_id = parse_id(query.team_id) if query.team_id else None
    if query.team_id and team_id is None:
        raise NotFound("There is no such team.")
    return UploadFilters(team_id=team_id, query=query)
