"""Checks of the declaration: complete, at one with itself, and fit for JSON Schema."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from core.adapter import Adapter
from core.conformance.subject import NotExamined, Subject
from core.connect import Form, ServerOAuth
from core.convert import convert
from core.declared import certainty, names
from core.describe import describe

Tried = str | None
"""What one try brought: None where all is well, else what is wrong."""


async def is_complete(subject: Subject) -> AsyncIterator[Tried]:
    """Every attribute is there and makes sense, and no two contradict each other."""
    for found in (names, certainty, _fills, _quotas, _connecting):
        for tried in found(subject.adapter):
            yield tried


async def has_sound_rules(subject: Subject) -> AsyncIterator[Tried]:
    """Rules are named after the platform, speak of fields that there are, and say what to do."""
    fields = _wire_names(subject.adapter)
    for rule in subject.adapter.rules:
        yield _unless(rule.id.startswith(f"{subject.adapter.platform.lower()}."), f"{rule.id} is not named so")
        yield _unless(re.fullmatch(r"[a-z0-9_]+\.[a-z0-9-]+", rule.id), f"{rule.id} is not platform.kebab-case")
        yield _unless(rule.says.endswith("."), f"{rule.id} does not say a whole sentence")
        unknown = set(rule.at) - fields
        yield _unless(not unknown, f"{rule.id} speaks of {', '.join(sorted(unknown))}, which is no field")


async def has_ways_that_are_known(subject: Subject) -> AsyncIterator[Tried]:
    """Where accounts are connected in several ways, each is declared with its certainty, and the sandbox seeds each."""
    if subject.sandbox is None:
        raise NotExamined("there is no sandbox")
    declared, seeded = set(subject.adapter.ways), set(subject.sandbox.ways)
    for way in sorted(declared - seeded):
        yield f"ways has {way}, and the sandbox seeds no such account"
    if declared and subject.account is not None:
        yield _unless(subject.account.way in declared, f"an account was connected by {subject.account.way!r}, no way")


async def has_rules_that_can_be_broken(subject: Subject) -> AsyncIterator[Tried]:
    """Every rule has an example that breaks it, and no example of a sound post does."""
    for rule in subject.adapter.rules:
        if not rule.breaks:
            yield f"{rule.id} has no example that breaks it; give `breaks`"
            continue
        broken = {f.code for base in subject.blocks() for f in subject.drafted({**base, **rule.breaks}).findings}
        yield _unless(rule.id in broken, f"{rule.id} holds in the example that is to break it: {dict(rule.breaks)}")


async def fits_a_schema(subject: Subject) -> AsyncIterator[Tried]:
    """The description and the JSON Schema go through JSON unchanged and name each field; an example fits its block."""
    schema = msgspec.json.decode(msgspec.json.encode(describe(subject.adapter)))["schema"]
    named = set(schema["properties"])
    yield _unless(named == _wire_names(subject.adapter), "its JSON Schema names other fields than its block")
    for name, declared in schema["properties"].items():
        kinds = declared.get("anyOf", [declared])
        words = any(kind.get("description") for kind in [declared, *kinds])
        yield _unless(words, f"`{name}` says nothing of what it is; give Meta(description=…)")
    for block in subject.blocks():
        made = subject.drafted(block)
        faults = [finding.message for finding in made.findings if finding.severity == "error"]
        yield _unless(not faults, f"its own example is refused: {'; '.join(faults)}")
        if made.draft is not None:
            sent = msgspec.json.decode(msgspec.json.encode(made.draft.block))
            again, _ = convert(subject.adapter.block, sent)
            yield _unless(again == made.draft.block, "its own example is another after a way through JSON")


def _fills(adapter: Adapter[Any]) -> Iterator[Tried]:
    for fill in adapter.fills:
        yield _unless(fill.field in _wire_names(adapter), f"a fill is for `{fill.field}`, which is no field")


def _quotas(adapter: Adapter[Any]) -> Iterator[Tried]:
    every = [*adapter.quotas, *(quota for quotas in adapter.tiers.values() for quota in quotas)]
    for quota in every:
        yield _unless(quota.calls > 0 and quota.seconds > 0, f"the quota of {quota.category} lets nothing through")
    categories = {quota.category for quota in every}
    if every:
        yield _unless(adapter.operations, "there are quotas, and no operations that say what counts")
        counted = set(adapter.operations.values()) | {"all"}
        yield _unless(categories <= counted, f"no operation counts as {', '.join(sorted(categories - counted))}")


def _connecting(adapter: Adapter[Any]) -> Iterator[Tried]:
    way = adapter.connect
    yield _unless(way is not None, "connect is missing: nobody can connect an account")
    if isinstance(way, Form):
        signs_in = type(adapter).sign_in is not Adapter.sign_in or len(way.fields) == 1
        yield _unless(signs_in, "connect is a form of several fields, and there is no sign_in()")
    if isinstance(way, ServerOAuth):
        registers = type(adapter).register is not Adapter.register
        yield _unless(registers, "connect is OAuth at the account's server, and there is no register()")


def _wire_names(adapter: Adapter[Any]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(adapter.block)}


def _unless(holds: object, words: str) -> Tried:
    return None if holds else words
