"""The JSON Schema of a block and the check agree on what is valid, apart from rules and from what only we know."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.check import Facts, check
from core.conformance.specimens import PLAIN
from core.counting import count
from core.describe import schema
from core.drafting import AnyAdapter
from core.post import Account, Draft, Media
from core.registry import Registry

REGISTRY = Registry.installed()
OURS = {"unknown_account", "no_account", "account_ambiguous"}
"""What only our own database knows."""

UNITS = ("x", "é", "\N{GRINNING FACE}", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}", " https://example.com/a-long-page")
LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXT = st.text(LETTERS, max_size=40)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.just("x" * 5000), st.lists(TEXT)
)
URLS = [f"https://example.com/{odd}a" for odd in ("\x1f", "\x85", "\xa0", "\N{IDEOGRAPHIC SPACE}", "\ufeff", "\x7f")]
STRANGE = st.sampled_from(
    ["https://example.com/\n", "１２", "7\n", "#aabbcc\n", "at://a/b/c\n", "at://a/b/\x85", *URLS]
)
"""What dialects of regular expressions may take for another thing."""


class TextLimits:
    """What `x-text-limits` means."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        self.limits = value

    def validate(self, instance: Any) -> None:
        for limit in self.limits if isinstance(instance, str) else ():
            if count(instance, limit["counter"], url=limit["url"]) > limit["most"]:
                raise ValueError(f"more than {limit['most']} {limit['counter']}")


def texts(declared: dict[str, Any]) -> st.SearchStrategy[str]:
    """Texts about as long as they may be."""
    bounds = [(limit["most"], limit["counter"], limit["url"]) for limit in declared.get("x-text-limits", ())]
    bounds += [(declared["maxLength"], "chars", 23)] if "maxLength" in declared else []
    near = [
        unit * ((most + over) // max(count(unit * 2, counter, url=url) - count(unit, counter, url=url), 1))
        for most, counter, url in bounds
        for unit in UNITS
        for over in (-1, 0, 1)
    ]
    return st.sampled_from(near) if near else TEXT


def fitting(declared: dict[str, Any], named: dict[str, Any], *, nearly: bool = False) -> st.SearchStrategy[Any]:
    """Values that fit a schema, or only nearly do, as far as blocks have any of it."""
    if "$ref" in declared:
        return fitting(named[declared["$ref"].rpartition("/")[2]], named, nearly=nearly)
    if "anyOf" in declared:
        return st.one_of([fitting(each, named, nearly=nearly) for each in declared["anyOf"]])
    if "enum" in declared:
        return st.sampled_from(declared["enum"])
    least, most = declared.get("minimum", -9), declared.get("maximum", 9)
    match declared.get("type"):
        case "string" if "pattern" in declared:
            formed = st.from_regex(declared["pattern"], alphabet=st.characters(codec="ascii"))
            return STRANGE if nearly else formed.filter(lambda text: not text.endswith("\n"))
        case "string":
            return texts(declared) if nearly else st.text(LETTERS, min_size=declared.get("minLength", 0), max_size=40)
        case "array":
            items = fitting(declared.get("items", {}), named, nearly=nearly)
            fewest, longest = declared.get("minItems", 0), declared.get("maxItems", 3) + nearly
            return st.lists(
                items, min_size=longest if nearly else fewest, max_size=longest if nearly else min(longest, 3)
            )
        case "integer" if nearly:
            return st.sampled_from([least - 1, least, most, most + 1, float(most), most - 0.5])
        case "integer":
            return st.integers(least, most)
        case "boolean":
            return st.booleans()
        case "object":
            fields = {name: fitting(each, named, nearly=nearly) for name, each in declared["properties"].items()}
            needed = {name: fields.pop(name) for name in declared.get("required", ())}
            return st.fixed_dictionaries(needed, optional=fields)
    return st.none()


def blocks(declared: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Blocks that fit, such as have a field that nearly does, and such as have fields of any kind."""
    named, properties = declared.get("$defs", {}), declared["properties"]
    near = [
        st.fixed_dictionaries({name: fitting(each, named, nearly=True)})
        for name, each in properties.items()
        if "anyOf" in each or each["type"] not in ("boolean", "object")
    ]
    odd = st.dictionaries(st.sampled_from(sorted(properties)) | TEXT, ODD, min_size=1, max_size=2)
    ways: list[st.SearchStrategy[dict[str, Any]]] = [st.just({}), st.one_of(near), odd]
    beside = st.sampled_from(range(3)).flatmap(ways.__getitem__)
    return st.tuples(fitting(declared, named), beside).map(lambda both: both[0] | both[1])


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
