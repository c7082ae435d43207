"""Soundness: what is taken at once is what the walk has nothing to say of."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from core.convert import walked
from core.describe import schema
from core.post import PostRequest
from core.registry import Registry
from core.soundness import is_plain, is_plain_text, made_of_sound
from tests.blocks import blocks
from tests.core.test_check import FIELDS, MORE, request

REGISTRY = Registry.installed()

TEXT = st.text(st.sampled_from('a\\\n\0"nu00é\N{GRINNING FACE}'), max_size=6)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    name: str = ""


class Whole(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Of everything that msgspec lets pass something."""

    code: Annotated[str, Meta(pattern="^[a-z]+$")] | None = None
    parts: list[Part] = []
    by_name: dict[str, Part | None] = {}
    either: Part | str | None = None
    mixed: dict[str, Part] | str = ""
    row: Row | None = None
    old: Annotated[str, Meta(extra={"unused": "Not used any more."})] | None = None


def texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


@given(JSON, st.booleans())
def test_what_is_plain_holds_neither_a_null_nor_a_line_end_at_the_end_of_a_text(value: Any, ascii: bool) -> None:
    plain = all(map(is_plain_text, texts(value)))
    for raw in (msgspec.json.encode(value), json.dumps(value, ensure_ascii=ascii, indent=1).encode()):
        assert plain or not is_plain(raw)
        assert is_plain(raw) or b"\\" in raw


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (rb'"a\u0000"', False), (rb'"a\n"', False), (rb'"a\u000a"', False), (rb'"a\u000A"', False),
        (rb'"a\nb"', True), (rb'"a\tb\u00e9\""', True), (rb'{"a\n":1}', False), (b'"a"', True), (b"", True),
    ],
)  # fmt: skip
def test_every_spelling_is_known(raw: bytes, plain: bool) -> None:
    assert is_plain(raw) is plain


@pytest.mark.parametrize(
    ("value", "sound"),
    [
        ({}, True), ({"code": "a"}, True), ({"code": "a\n"}, False), ({"code": "A"}, False), ({"cod": "a"}, False),
        ({"parts": [{"name": "a"}, {}]}, True), ({"parts": [{"nam": "a"}]}, False), ({"parts": [5]}, False),
        ({"byName": {"x": {"name": "a"}, "y": None}}, True), ({"byName": {"x": {"nam": "a"}}}, False),
        ({"old": None}, True), ({"old": "a"}, False), ({"parts": [{"name": "\0"}]}, False), ({"row": ["a"]}, False),
        ({"either": "a"}, False), ({"mixed": "a"}, False), ([], False), (None, False),
        ({"code": {"a": object()}}, False),
    ],
)  # fmt: skip
def test_only_what_is_certainly_sound_is_taken(value: object, sound: bool) -> None:
    assert (made_of_sound(Whole, value) is not None) is sound


def agrees(kind: type[msgspec.Struct], value: object) -> bool:
    """Whether a value was taken, which it may only be where the walk has nothing to say."""
    made = made_of_sound(kind, value)
    if all(map(is_plain_text, texts(value))):
        known = made_of_sound(kind, value, plain=True)
        assert made is None or known == made
        made = known
    if made is not None:
        assert walked(kind, value) == []
        assert made == msgspec.convert(value, kind)
    return made is not None


@given(
    st.dictionaries(
        st.sampled_from(["code", "parts", "byName", "either", "mixed", "row", "old", "x"]), JSON, max_size=3
    )
)
def test_it_agrees_with_the_walk_on_anything(value: Any) -> None:
    agrees(Whole, value)


@given(st.dictionaries(st.sampled_from(FIELDS + MORE + ("x",)), JSON, max_size=2))
def test_it_agrees_with_the_walk_on_envelopes(changes: dict[str, Any]) -> None:
    agrees(PostRequest, request(**changes))


@pytest.mark.parametrize("platform", sorted(REGISTRY))
def test_it_agrees_with_the_walk_on_the_blocks_of_every_platform(platform: str) -> None:
    adapter, seen = REGISTRY[platform], {True: 0, False: 0}

    @settings(max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(blocks(schema(adapter)))
    def judge(block: dict[str, Any]) -> None:
        seen[agrees(adapter.block, block)] += 1

    judge()
    assert min(seen.values()) > 10, seen
