"""Conversion that tells every fault."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from core.convert import convert, convert_sound
from core.findings import Finding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=1, le=9)]
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5


class Thing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    name: Annotated[str, Meta(min_length=2, max_length=5)]
    colour: Annotated[str, Meta(pattern="^#[0-9]+$", extra={"expects": "a colour"})] | None = None
    kind: Literal["a", "b"] = "a"
    many: Annotated[list[Inner], Meta(min_length=1, max_length=2)] | None = None
    by_name: dict[str, str | None] = {}
    old: Annotated[str, Meta(extra={"unused": "Not used any more."})] | None = None
    is_on: bool = False
    anything: Any = None


def told(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(finding.code, ".".join(map(str, finding.path)), finding.severity) for finding in findings}


def test_what_is_sound_becomes_the_struct() -> None:
    value = {"name": "Anna", "many": [{"count": 3}], "byName": {"x": None}, "isOn": True, "anything": [{"a": 1}]}
    assert convert(Thing, value) == (msgspec.convert(value, Thing), [])


def test_every_fault_is_told_with_its_place() -> None:
    value = {
        "name": "x",
        "colour": "red",
        "kind": "c",
        "many": [{"count": 0, "share": 1}, {"count": "1"}, {"count": 10, "shar": 0.2}],
        "byName": {"a\0": 5},
        "isOn": 1,
        "old": "x",
        "anything": {"deep": ["\0"]},
        "nmae": 1,
    }
    thing, findings = convert(Thing, value, ("body",))
    assert thing is None
    assert told(findings) == {
        ("too_short", "body.name", "error"),
        ("bad_format", "body.colour", "error"),
        ("not_a_choice", "body.kind", "error"),
        ("too_many", "body.many", "error"),
        ("too_small", "body.many.0.count", "error"),
        ("too_large", "body.many.0.share", "error"),
        ("wrong_type", "body.many.1.count", "error"),
        ("too_large", "body.many.2.count", "error"),
        ("unknown_field", "body.many.2.shar", "error"),
        ("null_character", "body.byName.a\0", "error"),
        ("wrong_type", "body.byName.a\0", "error"),
        ("wrong_type", "body.isOn", "error"),
        ("field_unused", "body.old", "warning"),
        ("null_character", "body.anything.deep.0", "error"),
        ("unknown_field", "body.nmae", "error"),
    }
    words = {finding.path[-1]: finding.message for finding in findings}
    assert "'name'" in words["nmae"]
    assert "a colour" in words["colour"]


def test_what_is_missing_is_told() -> None:
    assert told(convert(Thing, {})[1]) == {("missing_field", "name", "error")}


@pytest.mark.parametrize("value", [None, [], "x", 5, True])
def test_only_an_object_can_be_a_struct(value: object) -> None:
    thing, findings = convert(Thing, value)
    assert thing is None
    assert told(findings) == {("wrong_type", "", "error")}


@pytest.mark.parametrize(("value", "fits"), [(True, False), (1.0, True), (1.5, False), (1, True), ("1", False)])
def test_a_number_is_what_json_schema_takes_for_one(value: object, fits: bool) -> None:
    assert (convert(Inner, {"count": value})[0] is not None) == fits


def test_a_warning_stops_nothing() -> None:
    thing, findings = convert(Thing, {"name": "Anna", "old": "x"})
    assert thing is not None
    assert told(findings) == {("field_unused", "old", "warning")}


def test_what_is_sound_is_kept_where_something_is_not() -> None:
    thing, findings = convert_sound(Thing, {"name": "Anna", "kind": "z", "more": 1})
    assert thing == Thing(name="Anna")
    assert told(findings) == {("not_a_choice", "kind", "error"), ("unknown_field", "more", "error")}
    assert convert_sound(Thing, {"name": 1})[0] is None


@given(JSON | st.dictionaries(st.sampled_from(["name", "colour", "kind", "many", "byName", "old", "isOn"]), JSON))
def test_it_agrees_with_msgspec_and_never_raises(value: object) -> None:
    """But for what msgspec lets through and we do not: unknown fields and U+0000."""
    thing, findings = convert(Thing, value)
    assert (thing is None) == any(finding.severity == "error" for finding in findings)
    try:
        theirs = msgspec.convert(value, Thing)
    except msgspec.ValidationError:
        assert thing is None
    else:
        assert thing == theirs or {finding.code for finding in findings} & {
            "unknown_field", "null_character", "wrong_type",
        }  # fmt: skip
