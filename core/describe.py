"""Describing an adapter: its declaration as data, for the API, the documentation and the command line."""

from typing import Any

import msgspec

from core.adapter import Adapter


def describe(adapter: Adapter[Any]) -> dict[str, Any]:
    """Everything declared of a platform, as JSON can carry it; `schema` is the JSON Schema of its block."""
    return {
        "platform": adapter.platform,
        "label": adapter.label,
        "certainty": adapter.certainty,
        "limits": msgspec.to_builtins(adapter.limits),
        "quotas": msgspec.to_builtins(list(adapter.quotas)),
        "rules": [
            {"id": rule.id, "says": rule.says, "at": list(rule.at), "severity": rule.severity} for rule in adapter.rules
        ],
        "fields": [field.encode_name for field in msgspec.structs.fields(adapter.block)],
        "schema": schema(adapter),
    }


def schema(adapter: Adapter[Any]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an adapter's block; a field that nobody knows is refused."""
    (_, components) = msgspec.json.schema_components([adapter.block], ref_template="#/$defs/{name}")
    definition: dict[str, Any] = components[adapter.block.__name__]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **definition, "additionalProperties": False}
