"""What every declaration has to be before it is served: each look at it answers None, or what is wrong."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from msgspec import inspect

from core.adapter import Adapter, Certainty
from core.errors import PublishError

PLATFORM = re.compile(r"[A-Z][A-Z0-9_]*")
"""How platforms are named."""


def names(adapter: Adapter[Any]) -> Iterator[str | None]:
    """What is wrong with its names and addresses."""
    yield _unless(PLATFORM.fullmatch(adapter.platform), f"platform is {adapter.platform!r}, no CAPITALS")
    yield _unless(adapter.label.strip(), "label is empty")
    yield _unless("api" in adapter.hosts, "hosts has no `api`")
    for name, url in adapter.hosts.items():
        yield _unless(re.fullmatch(r"https?://[^/\s]+(/\S*[^/\s])?", url), f"host {name} is {url!r}, no base URL")
    noun = adapter.aftercare.noun if adapter.aftercare is not None else ""
    yield _unless(re.fullmatch(r"[a-z]*", noun), f"its aftercare's noun is {noun!r}, no word in small letters")
    yield _unless(inspect.type_info(adapter.block) is not None, "block is no Struct")


def certainty(adapter: Adapter[Any]) -> Iterator[str | None]:
    """What is wrong with what it says of unclear outcomes and of refusals."""
    known = get_args(Certainty)
    kinds = {adapter.certainty, *adapter.ways.values()}
    for kind in kinds:
        yield _unless(kind in known, f"certainty is {kind!r}, none of {', '.join(known)}")
        looks = kind in ("two-phase", "read-back")
        yield _unless(adapter.finds or not looks, f"certainty is {kind}, and there is no find()")
    keyed = "key" in kinds or adapter.key_seconds is None
    yield _unless(keyed, f"key_seconds is given, and certainty is {adapter.certainty}")
    for row in adapter.refusals:
        sound = issubclass(row.kind, PublishError) and 400 <= row.status < 600 and row.code
        yield _unless(sound, f"the refusal {row.status} {row.code} is no PublishError of status 400 to 599 with a code")
        yield _unless(row.hint, f"the refusal {row.status} {row.code} has no hint")


def _unless(holds: object, words: str) -> str | None:
    return None if holds else words
