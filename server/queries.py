"""The queries of URLs, read field by field, every fault in them told as a finding."""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec
from litestar import Request
from msgspec import inspect

from core.convert import convert
from core.findings import Report
from core.posts.filters import InvalidQuery

S = TypeVar("S", bound=msgspec.Struct)


def read_query(request: Request[Any, Any, Any], kind: type[S]) -> S:
    """The query as `kind`, numbers where digits stand. Raises `InvalidQuery`.

    Of a repeated name the last counts, unless it is a list: that is sent as repeated names.
    """
    values: dict[str, Any] = {}
    lists, numbers = _named(kind, inspect.ListType), _named(kind, inspect.IntType)
    for name, text in request.query_params.multi_items():
        if name in lists:
            values.setdefault(name, []).append(text)
        elif name in numbers and text.isascii() and text.isdigit() and len(text) < 19:
            values[name] = int(text)
        else:
            values[name] = text
    query, findings = convert(kind, values, ("query",))
    if query is None or findings:
        raise InvalidQuery(Report(tuple(findings)))
    return query


@cache
def _named(kind: type[msgspec.Struct], sort: type[inspect.Type]) -> frozenset[str]:
    """The fields of a query that may be of that sort, by their names on the wire."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return frozenset(
        field.encode_name for field in info.fields if any(isinstance(each, sort) for each in _sorts(field.type))
    )


def _sorts(info: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.Metadata):
        yield from _sorts(info.type)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _sorts(each)
    else:
        yield info
