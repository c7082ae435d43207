"""The JSON Schema of a block and the check agree on what is valid, apart from rules and from what only we know."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.convert import convert
from core.describe import schema
from core.registry import Registry

REGISTRY = Registry.installed()
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.just("x" * 5000), st.lists(st.text(max_size=3))
)


def fitting(declared: dict[str, Any], named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema, as far as blocks have any of it; what a pattern wants is not cut to a length."""
    if "$ref" in declared:
        return fitting(named[declared["$ref"].rpartition("/")[2]], named)
    if "anyOf" in declared:
        return st.one_of([fitting(each, named) for each in declared["anyOf"]])
    if "enum" in declared:
        return st.sampled_from(declared["enum"])
    least, most = declared.get("minLength", 0), declared.get("maxLength", 60)
    match declared.get("type"):
        case "string" if "pattern" in declared:
            return st.from_regex(declared["pattern"], alphabet=st.characters(codec="ascii"))
        case "string":
            return st.text(min_size=least, max_size=max(least, min(most, 60)))
        case "array":
            items = fitting(declared.get("items", {}), named)
            return st.lists(items, min_size=declared.get("minItems", 0), max_size=min(declared.get("maxItems", 3), 3))
        case "integer":
            return st.integers(declared.get("minimum", -9), declared.get("maximum", 9))
        case "boolean":
            return st.booleans()
        case "object":
            fields = {name: fitting(each, named) for name, each in declared.get("properties", {}).items()}
            needed = {name: fields.pop(name) for name in declared.get("required", ())}
            return st.fixed_dictionaries(needed, optional=fields)
    return st.none()


def blocks(declared: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Blocks that fit, and such as fit but for a field or two."""
    sound = fitting(declared, declared.get("$defs", {}))
    names = st.sampled_from(sorted(declared["properties"])) | st.text(max_size=5)
    return st.tuples(sound, st.dictionaries(names, ODD, max_size=2)).map(lambda both: {**both[0], **both[1]})


@pytest.mark.parametrize("platform", sorted(REGISTRY))
def test_what_fits_the_schema_of_a_block_is_sound_and_what_does_not_is_not(platform: str) -> None:
    adapter = REGISTRY[platform]
    declared = schema(adapter)
    # Limits of texts stand in the schema as well; the conversion knows a field's own bounds alone.
    texts = {limit.field for limit in adapter.limits.texts}
    validator = jsonschema_rs.Draft202012Validator(declared)

    @settings(max_examples=40, derandomize=True, database=None)
    @given(blocks(declared))
    def agree(block: dict[str, Any]) -> None:
        if "\0" in str(block) or "\\x00" in repr(block):
            return
        _, findings = convert(adapter.block, block)
        faulty = {finding.path[0] for finding in findings if finding.severity == "error"}
        told = {str(each.instance_path[0]) for each in validator.iter_errors(block) if each.instance_path}
        assert told - texts <= faulty
        assert bool(faulty) <= (not validator.is_valid(block))

    agree()
