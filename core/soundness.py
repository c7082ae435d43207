"""Soundness: decoded JSON of which there is nothing to say is told at once, and nearly all is so."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

S = TypeVar("S", bound=msgspec.Struct)

_Look = Callable[[Any], bool]
"""Whether a value that converts has no field that is unknown, nor one that is told to be of no use."""


def made_of_sound(kind: type[S], value: object) -> S | None:
    """The Struct, where there is certainly nothing to say; None where the value has to be walked through.

    msgspec itself lets three things pass of which there is something to say: unknown fields, U+0000 in a text, and a
    line end behind what a pattern says is the end.
    """
    try:
        made = msgspec.convert(value, kind)
        text = msgspec.json.encode(value)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError):
        return None
    plain = b"\\u0000" not in text and b'\\n"' not in text
    return made if plain and _look_of(kind)(value) else None


@cache
def _look_of(kind: type) -> _Look:
    look = _look(inspect.type_info(kind))
    return look if look is not None else lambda _: True


def _look(info: inspect.Type) -> _Look | None:
    """How values of a type are looked at; None where there is nothing to look for in them."""
    match info:
        case inspect.Metadata():
            return (lambda value: value is None) if "unused" in (info.extra or {}) else _look(info.type)
        case inspect.StructType():
            return _look_at_fields({field.encode_name: _look(field.type) for field in info.fields})
        case inspect.ListType():
            return _look_at_each(_look(info.item_type), list)
        case inspect.DictType():
            return _look_at_each(_look(info.value_type), dict.values)
        case inspect.UnionType():
            looks = [look for kind in info.types if (look := _look(kind)) is not None]
            # Of several shapes nobody knows here which is meant.
            return (lambda value: value is None or (len(looks) == 1 and looks[0](value))) if looks else None
    return None


def _look_at_each(look: _Look | None, within: Callable[[Any], Iterable[Any]]) -> _Look | None:
    return None if look is None else lambda value: value is None or all(map(look, within(value)))


def _look_at_fields(fields: dict[str, _Look | None]) -> _Look:
    names = fields.keys()
    within = [(name, look) for name, look in fields.items() if look is not None]

    def look_at(value: Any) -> bool:
        if not isinstance(value, dict) or not value.keys() <= names:
            return False
        return all(look(value[name]) for name, look in within if name in value)

    return look_at
