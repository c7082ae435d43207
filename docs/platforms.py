"""A page for each platform, from the declaration of its adapter."""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from core.describe import describe
from core.drafting import AnyAdapter
from docs.errors import refusals
from docs.markdown import code, listed, page, table

CERTAINTY = {
    "key": "The platform drops a repeated idempotency key, so an unclear create is simply sent again under its key.",
    "two-phase": "The evidence of a create survives on the platform and is looked up.",
    "read-back": "There is no idempotency key. An unclear create is looked up on the platform, at the seconds of "
    "`FINGERPOST_READBACK`, and only after the last look that finds nothing it is sent again.",
    "none": "The platform can neither drop a repetition nor be read: after an unclear create a person has to look.",
}

QUOTAS = """\
What the platform allows, as declared. Nothing here keeps to it in advance yet: a call that the platform refuses for
its quota is deferred until the time that the platform names.
"""


def platform_page(adapter: AnyAdapter) -> str:
    """The page."""
    told = describe(adapter)
    parts = [f"`{adapter.platform}` in `socialAccountTypes`, and the key of its block in `data`.\n"]
    parts += ["## Fields\n", table(("field", "type", "bounds", "what it is"), _fields(adapter, told["schema"]))]
    parts += ["## Media\n", table(("bound", "value"), _media(told["limits"]["media"]))]
    if told["rules"]:
        parts += ["## Rules\n", table(("code", "at", "severity", "says"), _rules(told["rules"]))]
    parts += ["## Unclear outcomes\n", f"{code(adapter.certainty)}: {CERTAINTY[adapter.certainty]}\n"]
    if told["quotas"]:
        parts += ["## Quotas\n", QUOTAS, table(("calls", "seconds", "category", "for each"), _quotas(told["quotas"]))]
    if found := refusals(adapter):
        parts += ["## Refusals\n", table(("code", "hint"), [[code(name), hint] for name, hint in found])]
    if example := adapter.example("<board id>", "https://example.com/picture.png"):
        parts += ["## Example\n", f"```json\n{json.dumps(example, indent=2)}\n```\n"]
    return page(adapter.label, *parts)


def _fields(adapter: AnyAdapter, schema: dict[str, Any]) -> Iterator[list[str]]:
    needed = schema.get("required", ())
    unused = _unused(adapter)
    for name, declared in schema["properties"].items():
        (kind,) = (kind for kind in declared.get("anyOf", [declared]) if kind.get("type") != "null")
        type_ = f"list of {kind['items']['type']}" if kind.get("type") == "array" else str(kind.get("type", "any"))
        words = " ".join(filter(None, [str(kind.get("description", "")), unused.get(name)]))
        yield [code(name), type_ + (", required" if name in needed else ""), _bounds(kind), words]


def _unused(adapter: AnyAdapter) -> dict[str, str]:
    """Why a field is taken and has no effect; the JSON Schema does not carry it."""
    block = inspect.type_info(adapter.block)
    assert isinstance(block, inspect.StructType)
    kinds = [
        (field.encode_name, kind)
        for field in block.fields
        for kind in (field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,))
    ]
    return {
        name: kind.extra["unused"]
        for name, kind in kinds
        if isinstance(kind, inspect.Metadata) and kind.extra and "unused" in kind.extra
    }


def _bounds(kind: dict[str, Any]) -> str:
    names = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {}",
        "maxItems": "at most {}",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "pattern": "`{}`",
    }
    return "; ".join(words.format(kind[name]) for name, words in names.items() if name in kind)


def _media(media: dict[str, Any]) -> Iterator[list[str]]:
    fewest, most = media["count"]
    yield ["files", f"{fewest} to {most}" if fewest != most else str(most)]
    for name, label in (("kinds", "kinds"), ("mimes", "types")):
        if media[name]:
            yield [label, listed(media[name])]
    if media["bytes_max"]:
        yield ["bytes at most", f"{media['bytes_max']:,}"]
    for name, label in (("pixels_min", "pixels at least"), ("pixels_advised", "pixels advised")):
        if media[name]:
            yield [label, "×".join(map(str, media[name]))]
    if media["ratio"]:
        yield ["width divided by height", " to ".join(map(str, media["ratio"]))]


def _rules(rules: list[dict[str, Any]]) -> Iterator[list[str]]:
    for rule in rules:
        yield [code(rule["id"]), listed(rule["at"]), rule["severity"], rule["says"]]


def _quotas(quotas: list[dict[str, Any]]) -> Iterator[list[str]]:
    for quota in quotas:
        yield [f"{quota['calls']:,}", f"{quota['seconds']:,}", code(quota["category"]), quota["scope"]]
