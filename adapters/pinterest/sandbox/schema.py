"""Request checks in the words of python-jsonschema, which the live API repeats to its callers."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.refusals import invalid

DIGITS = r"^\d+$"
LARGEST_PAGE = 250
USUAL_PAGE = 25
SPOKEN = 2500
"""Characters of a value that a message repeats at the most; a picture in base64 would make it megabytes."""


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What a string must be like; None allows everything."""

    longest: int | None = None
    pattern: str | None = None
    choice: tuple[str, ...] | None = None
    nullable: bool = False

    def check(self, value: Any) -> None:
        """Raises the refusal that names the first mistake."""
        if value is None and self.nullable:
            return
        if not isinstance(value, str):
            raise invalid(f"{value!r} is not of type 'string'")
        if self.choice is not None and value not in self.choice:
            raise invalid(f"{value!r} is not one of {list(self.choice)!r}")
        if self.longest is not None and len(value) > self.longest:
            raise invalid(f"{_spoken(value)} is too long")
        if self.pattern is not None and re.search(self.pattern, value) is None:
            raise invalid(f"{_spoken(value)} does not match {self.pattern!r}")


def check(value: Any, fields: Mapping[str, Text], required: Sequence[str] = ()) -> dict[str, Any]:
    """`value` as an object whose `fields` are as they must be; fields beyond them are let through."""
    if not isinstance(value, dict):
        raise invalid(f"{value!r} is not of type 'object'")
    for name in required:
        if name not in value:
            raise invalid(f"{name!r} is a required property")
    for name, text in fields.items():
        if name in value:
            text.check(value[name])
    return value


def whole(name: str, value: Any) -> None:
    """Raises the refusal of a value that is no whole number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{value!r} is not of type 'integer'")
    if value < 0:
        raise invalid(f"{name}: {value} is less than the minimum of 0")


async def body_of(request: web.Request, fields: Mapping[str, Text], required: Sequence[str] = ()) -> dict[str, Any]:
    """The checked JSON body of a request."""
    try:
        body = msgspec.json.decode(await request.read())
    except msgspec.DecodeError as wrong:
        raise invalid(f"the body is not JSON: {wrong}") from wrong
    return check(body, fields, required)


def digits_in_path(request: web.Request, name: str) -> str:
    """An id from the path."""
    value = request.match_info[name]
    Text(pattern=DIGITS).check(value)
    return value


def choice_in_query(request: web.Request, name: str, choice: Collection[str], usual: str) -> str:
    """One of several words from the query."""
    value = request.query.get(name, usual)
    Text(choice=tuple(choice)).check(value)
    return value


def page_size(request: web.Request) -> int:
    """How many items a page is to hold."""
    asked = request.query.get("page_size", str(USUAL_PAGE))
    size = int(asked) if re.fullmatch(r"-?[0-9]{1,9}", asked) else None
    if size is None:
        raise invalid(f"{asked!r} is not of type 'integer'")
    if size < 1:
        raise invalid(f"{size} is less than the minimum of 1")
    if size > LARGEST_PAGE:
        raise invalid(f"{size} is greater than the maximum of {LARGEST_PAGE}")
    return size


def _spoken(value: str) -> str:
    return repr(value if len(value) <= SPOKEN else f"{value[:SPOKEN]}…")
