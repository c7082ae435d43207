"""Changes to a block: held against the adapter's declaration as a post is, every fault told at once."""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.drafting import AnyAdapter, drafted
from core.errors import InvalidPost
from core.findings import Finding, Report, nearest
from core.post import Account, Draft, Shared


def sound_changes(
    adapter: AnyAdapter, sent: object, block: Mapping[str, Any], account: Account
) -> tuple[Draft[Any], list[str]]:
    """A draft of what is to be changed, and the names of its fields. Raises `InvalidPost` with every fault."""
    if not isinstance(sent, dict):
        raise _refused([Finding(code="wrong_type", path=(), message="The body has to be an object.")])
    known = adapter.aftercare.editable if adapter.aftercare is not None else ()
    findings = [_unknown(adapter, name, known) for name in sent if name not in known]
    if not sent:
        words = f"There is nothing to change; what can be changed is {', '.join(known)}."
        findings.append(Finding(code="missing_field", path=(), message=words))
    changes = {name: value for name, value in sent.items() if name in known}
    made = drafted(adapter, Shared(), {**_needed(adapter, block), **changes}, path=(), account=account, uploads={})
    places = {rule.id: rule.at for rule in adapter.rules}
    findings += [
        finding
        for finding in made.findings
        if finding.severity == "error" and set(places.get(finding.code, finding.path[:1])) & changes.keys()
    ]
    if findings or made.draft is None:
        raise _refused(findings)
    return made.draft, list(changes)


def _needed(adapter: AnyAdapter, block: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without which there is no block; the others would say what is not to be changed."""
    names = [field.encode_name for field in msgspec.structs.fields(adapter.block) if field.required]
    return {name: block[name] for name in names if name in block}


def _unknown(adapter: AnyAdapter, name: str, known: tuple[str, ...]) -> Finding:
    if name in {field.encode_name for field in msgspec.structs.fields(adapter.block)}:
        words = f"This cannot be changed once it is published; what can is {', '.join(known)}."
        return Finding(code="not_editable", path=(name,), message=words)
    return Finding(code="unknown_field", path=(name,), message=f"Nobody knows this field{nearest(name, known) or '.'}")


def _refused(findings: list[Finding]) -> InvalidPost:
    return InvalidPost(Report(tuple(findings)))
