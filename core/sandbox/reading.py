"""What a test sends to steer a sandbox, read so that every mistake in it is named at once."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

import msgspec


class Mistaken(ValueError):
    """Something that a sandbox cannot be told; `mistakes` names everything that is wrong with it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


def fields_of(
    raw: object,
    kind: type[msgspec.Struct],
    mistakes: list[str],
    *,
    at: str = "",
    beside: Collection[str] = (),
) -> dict[str, Any]:
    """The sound fields of `raw`, decoded JSON, as `kind` has them; what is wrong is added to `mistakes`.

    A null means the usual and is left out, as are the names in `beside`, which somebody else reads. `at` is how
    the path of a nested object begins.
    """
    if not isinstance(raw, dict):
        mistakes.append(f"{at.rstrip('.')}: must be a JSON object" if at else "the body must be a JSON object")
        return {}
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in beside:
            continue
        if name not in fields:
            nearest = get_close_matches(name, [*beside, *fields], n=1, cutoff=0.0)
            mistakes.append(f"{at}{name}: no such field; the nearest is {nearest[0]}")
        elif value is not None or fields[name].required:
            _read(fields[name], value, values, mistakes, f"{at}{name}")
    missing = [name for name, field in fields.items() if field.required and name not in raw]
    mistakes.extend(f"{at}{name}: is missing" for name in missing)
    return values


def _read(
    field: msgspec.structs.FieldInfo, value: object, values: dict[str, Any], mistakes: list[str], path: str
) -> None:
    kind = field.type
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        known = len(mistakes)
        inner = fields_of(value, kind, mistakes, at=f"{path}.")
        if len(mistakes) == known:
            values[field.name] = kind(**inner)
        return
    try:
        values[field.name] = msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        mistakes.append(f"{path}: {wrong}")
