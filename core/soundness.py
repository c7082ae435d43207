"""Soundness: decoded JSON of which there is nothing to say is told at once, and nearly all is so."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

S = TypeVar("S", bound=msgspec.Struct)

_Look = Callable[[Any], Any]
"""Whether there is nothing to say of a value that converts and is not null; truth tells."""


def made_of_sound(kind: type[S], value: object, plain: bool = False) -> S | None:
    """The Struct, where there is certainly nothing to say; None where the value has to be walked through.

    msgspec itself lets some things pass of which there is something to say: fields that are unknown, where the Struct
    does not forbid them, or of no use; U+0000 in a text; and a line end behind what a pattern says is the end. With
    `plain` it is known that neither of the last two is there.
    """
    try:
        made = msgspec.convert(value, kind)
        plain = plain or is_plain(msgspec.json.encode(value))
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError):
        return None
    look = _looks[kind]
    return made if plain and (look is None or look(value)) else None


def is_plain(raw: bytes) -> bool:
    """Whether no text in JSON holds U+0000 or ends with a line end; where it only looks as if one might, it is not.

    Both can be written with a backslash alone (RFC 8259 §7), as `\\u0000`, `\\n` and `\\u000a`.
    """
    return b"\\" not in raw or not (b"\\u000" in raw or b'\\n"' in raw)


def is_plain_text(text: str) -> bool:
    """The same of a text."""
    return "\0" not in text and not text.endswith("\n")


class _Looks(dict[type, _Look | None]):
    """How the values of each type are looked at, made out when it is met first."""

    def __missing__(self, kind: type) -> _Look | None:
        look = self[kind] = _look(inspect.type_info(kind))
        return look


_looks = _Looks()


def _look(info: inspect.Type) -> _Look | None:
    """How values of a type are looked at; None where there is nothing to look for in them."""
    match info:
        case inspect.Metadata():
            return _is_told if "unused" in (info.extra or {}) else _look(info.type)
        case inspect.StructType():
            return _look_at_fields(info)
        case inspect.ListType():
            return _look_at_each(_look(info.item_type), list)
        case inspect.DictType():
            return _look_at_each(_look(info.value_type), dict.values)
        case inspect.UnionType():
            looks = [look for kind in info.types if (look := _look(kind)) is not None]
            several = sum(not isinstance(kind, inspect.NoneType) for kind in info.types) > 1
            # Of several shapes nobody knows here which is meant.
            return (_is_told if several else looks[0]) if looks else None
    return None


def _is_told(value: object) -> bool:
    return False


def _look_at_each(look: _Look | None, within: Callable[[Any], Iterable[Any]]) -> _Look | None:
    if look is None:
        return None

    def look_at(values: Any) -> bool:
        for value in within(values):  # noqa: SIM110 - a generator would cost more than all of its looks
            if value is not None and not look(value):
                return False
        return True

    return look_at


def _look_at_fields(info: inspect.StructType) -> _Look | None:
    if info.array_like or info.tag is not None:
        return _is_told
    names = {field.encode_name for field in info.fields}
    within = [(field.encode_name, look) for field in info.fields if (look := _look(field.type)) is not None]
    forbids = info.forbid_unknown_fields
    if forbids and all(look is _is_told for _, look in within):
        return frozenset(name for name, _ in within).isdisjoint if within else None

    def look_at(value: Any) -> bool:
        if not isinstance(value, dict) or not (forbids or value.keys() <= names):
            return False
        for name, look in within:  # noqa: SIM110 - as above
            if (held := value.get(name)) is not None and not look(held):
                return False
        return True

    return look_at
