"""The JSON Schema of a block and the check agree on what is valid, apart from rules and from what only we know."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from core.check import Facts, check
from core.conformance.specimens import PLAIN
from core.counting import count
from core.describe import schema
from core.drafting import AnyAdapter
from core.post import Account, Draft, Media
from core.registry import Registry
from tests.blocks import blocks

REGISTRY = Registry.installed()
OURS = {"unknown_account", "no_account", "account_ambiguous"}
"""What only our own database knows."""


class TextLimits:
    """What `x-text-limits` means."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        self.limits = value

    def validate(self, instance: Any) -> None:
        for limit in self.limits if isinstance(instance, str) else ():
            if count(instance, limit["counter"], url=limit["url"]) > limit["most"]:
                raise ValueError(f"more than {limit['most']} {limit['counter']}")


def uploads_of(adapter: AnyAdapter, block: Mapping[str, Any]) -> dict[str, Media]:
    """A sound file for each upload that a block names."""
    kinds = adapter.limits.media.kinds
    bounds = adapter.limits.media.of(kinds[0]) if kinds else None
    mime = bounds.mimes[0] if bounds and bounds.mimes else PLAIN[kinds[0] if kinds else "image"]
    ids = block.get("uploadIds")
    file = Media(kind=kinds[0] if kinds else None, mime=mime, bytes=10, width=600, height=900, public_url="https://m/")
    named = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
    return {id: msgspec.structs.replace(file, upload_id=id) for id in named}


def beyond(adapter: AnyAdapter, block: dict[str, Any]) -> bool:
    """Whether a block that fits its schema breaks a limit that is declared of several fields together."""
    sound = msgspec.convert(block, adapter.block, strict=False)
    limits, draft = adapter.limits, Draft[Any](title="", block=sound)
    fewest, most = limits.media.count
    files = len(sound.upload_ids or ()) + len(sound.media_urls or ())
    too_long = any(limit.count(adapter.text_of(draft, limit.field) or "") > limit.most for limit in limits.texts)
    return too_long or not fewest <= files <= most


def agree(platform: str, examples: int) -> None:
    adapter = REGISTRY[platform]
    declared = schema(adapter)
    validator = jsonschema_rs.Draft202012Validator(declared, keywords={"x-text-limits": TextLimits})
    account = Account(id="a", platform=platform, username="anna", external_user="1")
    seen = {True: 0, False: 0}

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(blocks(declared))
    def judge(block: dict[str, Any]) -> None:
        body = {
            "teamId": "t",
            "title": "A post",
            "postDate": "2026-01-01T00:00:00Z",
            "status": "SCHEDULED",
            "socialAccountTypes": [platform],
            "data": {platform: block},
        }
        facts = Facts(accounts=(account,), uploads=uploads_of(adapter, block))
        faults = [
            finding
            for finding in check(body, REGISTRY, facts).report.errors
            if "." not in finding.code and finding.code not in OURS
        ]
        told = [error.message for error in validator.iter_errors(block)]
        valid = not told and not beyond(adapter, block)
        seen[valid] += 1
        assert valid == (not faults), (told, faults)

    judge()
    assert min(seen.values()) > examples // 20, seen


@pytest.mark.parametrize("platform", sorted(REGISTRY))
def test_what_fits_the_schema_of_a_block_is_sound_and_what_does_not_is_not(platform: str) -> None:
    agree(platform, examples=60)


@pytest.mark.big
@pytest.mark.parametrize("platform", sorted(REGISTRY))
def test_at_length_what_fits_the_schema_of_a_block_is_sound(platform: str) -> None:
    agree(platform, examples=5000)
