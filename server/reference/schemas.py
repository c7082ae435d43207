"""JSON Schemas as HTML: what a value is, in one line, and a table of an object's fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.post import EXPECTED_URL, URL_PATTERN
from server.html import Child, Html, element

Schema = Mapping[str, Any]

_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "pattern": "{}",
    "default": "default {}",
    "format": "{}",
}


def kind(schema: Schema) -> list[Child]:
    """What a value is: its type, with links to the objects that have a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [element("a", name, href=f"#schema-{name}")]
    if "const" in schema:
        return [element("code", str(schema["const"]))]
    if "enum" in schema:
        return [*_between([element("code", str(value)) for value in schema["enum"]], " or ")]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return [part for group in _between_groups([kind(each) for each in schema[word]], " or ") for part in group]
    types = schema.get("type", "any value")
    if types == "array":
        return ["list of ", *kind(schema.get("items", {}))]
    if types == "object" and isinstance(schema.get("additionalProperties"), dict):
        return ["object of ", *kind(schema["additionalProperties"])]
    return [" or ".join(types) if isinstance(types, list) else str(types)]


def bounds(schema: Schema) -> str:
    """The bounds of a value, in words."""
    inner = [schema, *schema.get("anyOf", [])]
    return "; ".join(
        EXPECTED_URL if each[name] == URL_PATTERN else words.format(each[name])
        for each in inner
        for name, words in _BOUNDS.items()
        if name in each
    )


def fields(schema: Schema) -> Html | None:
    """A table of the fields of an object; nothing for what has none."""
    properties = schema.get("properties")
    if not properties:
        return None
    needed = schema.get("required", ())
    rows = [
        element(
            "tr",
            element("td", element("code", name), " required" if name in needed else None),
            element("td", *kind(each)),
            element("td", described(each)),
            element("td", bounds(each)),
        )
        for name, each in properties.items()
    ]
    return table(("field", "type", "what it is", "bounds"), rows)


def table(heads: tuple[str, ...], rows: list[Html]) -> Html:
    """A table that scrolls by itself where it is too wide."""
    head = element("tr", [element("th", word, scope="col") for word in heads])
    return element("div", element("table", element("thead", head), element("tbody", rows)), class_="table")


def described(schema: Schema) -> str:
    """What is said of a value, be it of the value itself or of one of the kinds that it may be."""
    inner = [schema, *schema.get("anyOf", [])]
    return " ".join(" ".join(str(each["description"]).split()) for each in inner if "description" in each)


def _between(parts: list[Html], word: str) -> Iterator[Child]:
    for index, part in enumerate(parts):
        if index:
            yield word
        yield part


def _between_groups(groups: list[list[Child]], word: str) -> Iterator[list[Child]]:
    for index, group in enumerate(groups):
        yield [word, *group] if index else group
