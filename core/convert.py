"""Conversion of JSON into a Struct that reports every fault at once, where msgspec stops at the first."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from core.findings import Finding, Path, nearest
from core.soundness import made_of_sound

S = TypeVar("S", bound=msgspec.Struct)

_NAMES: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number",
    list: "a list", dict: "an object", type(None): "null",
}  # fmt: skip


@cache
def _type_info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def convert(kind: type[S], value: object, path: Path = ()) -> tuple[S | None, list[Finding]]:
    """Convert decoded JSON into `kind`: the Struct, or None with an error for each fault; warnings come with either."""
    if (made := made_of_sound(kind, value)) is not None:
        return made, []
    findings = walked(kind, value, path)
    if any(finding.severity == "error" for finding in findings):
        return None, findings
    return _converted(value, kind), findings


def convert_sound(kind: type[S], value: dict[str, Any], path: Path = ()) -> tuple[S | None, list[Finding]]:
    """Like `convert`, but leaves the faulty fields out and makes the Struct of what is sound, if that is enough."""
    if (made := made_of_sound(kind, value)) is not None:
        return made, []
    findings = walked(kind, value, path)
    faulty = {f.path[len(path)] for f in findings if f.severity == "error" and len(f.path) > len(path)}
    try:
        return _converted({k: v for k, v in value.items() if k not in faulty}, kind), findings
    except msgspec.ValidationError:
        return None, findings


def walked(kind: type[msgspec.Struct], value: object, path: Path = ()) -> list[Finding]:
    """Everything there is to say of decoded JSON that is to be a `kind`."""
    return list(_walk(_type_info(kind), value, path))


def _converted(value: object, kind: type[S]) -> S:
    """What was walked through is of the right types, but for whole numbers that are written as 1.0."""
    return msgspec.convert(value, kind, strict=False)


def _walk(info: inspect.Type, value: object, path: Path) -> Iterator[Finding]:
    extra: dict[str, Any] = {}
    if isinstance(info, inspect.Metadata):
        extra, info = info.extra or {}, info.type
    if "unused" in extra and value is not None:
        yield Finding(code="field_unused", path=path, message=extra["unused"], severity="warning")
    match info:
        case inspect.UnionType():
            yield from _union(info, value, path)
        case inspect.StructType():
            yield from _struct(info, value, path)
        case inspect.ListType():
            yield from _list(info, value, path)
        case inspect.DictType():
            yield from _dict(info, value, path)
        case inspect.StrType():
            yield from _text(info, value, path, extra)
        case inspect.LiteralType():
            yield from _literal(info, value, path)
        case inspect.IntType() | inspect.FloatType():
            yield from _number(info, value, path)
        case inspect.BoolType():
            if not isinstance(value, bool):
                yield _wrong_type("true or false", value, path)
        case inspect.AnyType():
            yield from _any(value, path)
        case _:  # pragma: no cover - a declaration this module does not know is a bug in an adapter
            raise TypeError(f"a block cannot hold {info!r}")


def _union(info: inspect.UnionType, value: object, path: Path) -> Iterator[Finding]:
    if value is None and info.includes_none:
        return
    kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
    tries = [list(_walk(kind, value, path)) for kind in kinds]
    if all(any(f.severity == "error" for f in findings) for findings in tries):
        yield from min(tries, key=len)
    else:
        yield from next(t for t in tries if all(f.severity != "error" for f in t))


def _struct(info: inspect.StructType, value: object, path: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _wrong_type("an object", value, path)
        return
    fields = {field.encode_name: field for field in info.fields}
    for name in value:
        if name not in fields:
            yield Finding(
                code="unknown_field",
                path=(*path, name),
                message=f"There is no field '{shortened(name)}' here{nearest(name, fields) or '; take it out.'}",
            )
    for name, field in fields.items():
        if name in value:
            yield from _walk(field.type, value[name], (*path, name))
        elif field.required:
            yield Finding(code="missing_field", path=(*path, name), message=f"'{name}' is required; add it.")


def _list(info: inspect.ListType, value: object, path: Path) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _wrong_type("a list", value, path)
        return
    if info.min_length is not None and len(value) < info.min_length:
        yield Finding(code="too_few", path=path, message=f"Needs at least {info.min_length}, has {len(value)}.")
    if info.max_length is not None and len(value) > info.max_length:
        yield Finding(
            code="too_many",
            path=path,
            message=f"At most {info.max_length} fit; take {len(value) - info.max_length} out.",
        )
    for index, item in enumerate(value):
        yield from _walk(info.item_type, item, (*path, index))


def _dict(info: inspect.DictType, value: object, path: Path) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield _wrong_type("an object", value, path)
        return
    for name, item in value.items():
        yield from _storable(name, (*path, name))
        yield from _walk(info.value_type, item, (*path, name))


def _text(info: inspect.StrType, value: object, path: Path, extra: dict[str, Any]) -> Iterator[Finding]:
    if not isinstance(value, str):
        yield _wrong_type("text", value, path)
        return
    yield from _storable(value, path)
    if info.min_length is not None and len(value) < info.min_length:
        words = "Must not be empty." if info.min_length == 1 else f"Needs at least {info.min_length} characters."
        yield Finding(code="too_short", path=path, message=words)
    elif info.max_length is not None and len(value) > info.max_length:
        over = len(value) - info.max_length
        yield Finding(
            code="too_long",
            path=path,
            message=f"{len(value)} characters are too long; at most {info.max_length} fit: shorten it by {over}.",
        )
    elif info.pattern is not None and not re.search(re.sub(r"\$$", r"\\Z", info.pattern), value):
        wanted = extra.get("expects", f"text that matches {info.pattern}")
        yield Finding(
            code="bad_format",
            path=path,
            message=f"'{shortened(value)}' will not do: this has to be {wanted}.",
        )


def _literal(info: inspect.LiteralType, value: object, path: Path) -> Iterator[Finding]:
    if not isinstance(value, str) or value not in info.values:
        choices = ", ".join(map(str, info.values))
        hint = nearest(value, map(str, info.values)) if isinstance(value, str) else ""
        yield Finding(code="not_a_choice", path=path, message=f"Has to be one of {choices}{hint or '.'}")


def _number(info: inspect.IntType | inspect.FloatType, value: object, path: Path) -> Iterator[Finding]:
    whole = isinstance(info, inspect.IntType)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and not _is_whole(value)):
        yield _wrong_type("a whole number" if whole else "a number", value, path)
        return
    if info.ge is not None and value < info.ge:
        yield Finding(code="too_small", path=path, message=f"{value} is too small; give at least {info.ge:,}.")
    if info.gt is not None and value <= info.gt:
        yield Finding(code="too_small", path=path, message=f"{value} is too small; give more than {info.gt:,}.")
    if info.le is not None and value > info.le:
        yield Finding(code="too_large", path=path, message=f"{value} is too large; give at most {info.le:,}.")
    if info.lt is not None and value >= info.lt:
        yield Finding(code="too_large", path=path, message=f"{value} is too large; give less than {info.lt:,}.")


def _is_whole(value: int | float) -> bool:
    """JSON Schema takes 1.0 for a whole number; beyond 2^53 nobody knows which one is meant."""
    return isinstance(value, int) or (value.is_integer() and abs(value) <= 2**53)


def _any(value: object, path: Path) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from _storable(value, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _storable(name, (*path, name))
            yield from _any(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _any(item, (*path, index))


def _storable(text: str, path: Path) -> Iterator[Finding]:
    if "\0" in text:
        yield Finding(code="null_character", path=path, message="Contains the character U+0000; take it out.")


def _wrong_type(wanted: str, value: object, path: Path) -> Finding:
    return Finding(
        code="wrong_type",
        path=path,
        message=f"Has to be {wanted}, not {_NAMES.get(type(value), 'something else')}.",
    )


def shortened(text: str) -> str:
    """At most 60 characters of what a client wrote, fit to be quoted in an answer."""
    return text if len(text) <= 60 else text[:57] + "…"
