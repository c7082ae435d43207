"""The kinds of event: whole, true to who sends them, and as they are described."""

import re
from pathlib import Path

import msgspec

from core.events.data import DeliveryData
from core.events.kinds import KINDS, VENDOR_TYPES, kind_of
from core.ledger.states import INWARD, State
from core.webhooks.event_types import EVENT_TYPES

ROOT = Path(__file__).parents[3]


def test_every_move_that_a_client_cares_for_has_an_event() -> None:
    told = {kind.type for kind in KINDS if kind.data is DeliveryData}
    assert told == {f"delivery.{state}" for state in State if state not in INWARD}
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)


def test_a_kind_is_said_to_be_sent_just_when_somebody_sends_it() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for room in ("core", "server", "workers")
        for path in (ROOT / room).rglob("*.py")
        if path.parent.name != "events" or path.parent.parent.name != "core"
    )
    for kind in KINDS:
        if not kind.type.startswith("delivery."):
            assert (f'"{kind.type}"' in source) == kind.sent, kind.type


def test_every_field_is_described_and_every_shape_is_json() -> None:
    for kind in KINDS:
        _, schemas = msgspec.json.schema_components([kind.data])
        for schema in schemas.values():
            for name, field in schema["properties"].items():
                assert "description" in str(field), f"{schema['title']}.{name}"
        assert re.fullmatch(r"[A-Z].*\.", kind.says)


def test_what_the_vendor_gets_is_among_its_own_events() -> None:
    assert {kind.vendor for kind in KINDS if kind.vendor} | {"comment.published"} == set(VENDOR_TYPES)
    assert kind_of("post.failed").vendor == "post.published"
