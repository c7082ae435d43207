"""The page of codes: every one that an answer, a finding, a delivery or a command can bear, and what to do."""

import json
from collections.abc import Iterator

from core.drafting import AnyAdapter
from core.errors import Conflict, FingerpostError, Unready
from core.registry import Registry
from docs.markdown import code, page, sentence, table
from docs.words import ANSWERS, GROUPS, Group
from server.problems import STATUSES

HEAD = """\
Codes are stable; words may change. What happens next hangs on the class of an error, never on its words.
"""


STATUS_OF_CODE = {
    "method_not_allowed": 405,
    "body_too_large": 413,
    "reference_key_taken": STATUSES[Conflict],
    "too_many_endpoints": STATUSES[Conflict],
    "idempotency_key_under_way": STATUSES[Conflict],
    "upload_in_use": STATUSES[Conflict],
    "not_editable": STATUSES[Conflict],
    "in_review": STATUSES[Conflict],
    "not_in_review": STATUSES[Conflict],
    "storage_away": STATUSES[Unready],
    "media_process_away": STATUSES[Unready],
    "public_url_missing": STATUSES[Conflict],
    "post_unknown": STATUSES[Unready],
    "post_not_stored": STATUSES[Unready],
}
"""Codes that no class bears as its own."""


def errors_page(registry: Registry) -> str:
    """The page."""
    parts = [part for group in GROUPS for part in _group(group)]
    return page("Errors", HEAD, *parts, *_rules(registry), *_refusals(registry))


def codes_file() -> str:
    """Every code with its words, for the pages to which the `type` of a problem leads."""
    groups = [
        {
            "title": group.title,
            "where": sentence(group.where),
            "codes": [
                {"code": name, "status": _statuses().get(name) if group is ANSWERS else None, **words._asdict()}
                for name, words in group.codes.items()
            ],
        }
        for group in GROUPS
    ]
    return json.dumps(groups, indent=1, ensure_ascii=False) + "\n"


def refusals(adapter: AnyAdapter) -> list[tuple[str, str]]:
    """Our code and hint for each refusal of a platform."""
    return list(dict.fromkeys((row.code, row.hint) for row in adapter.refusals))


def classes(root: type[FingerpostError] = FingerpostError) -> Iterator[type[FingerpostError]]:
    """The tree of errors, as far as it is imported, the root first."""
    yield root
    for below in root.__subclasses__():
        yield from classes(below)


def _group(group: Group) -> list[str]:
    heads = ("code", *(["HTTP"] if group is ANSWERS else []), "means", "what to do")
    statuses = _statuses() if group is ANSWERS else {}
    rows = [
        [code(name), *([str(statuses[name])] if statuses else []), words.means, words.do]
        for name, words in group.codes.items()
    ]
    return [f"## {group.title}\n", sentence(group.where) + "\n", table(heads, rows)]


def _statuses() -> dict[str, int]:
    """The HTTP status of each code that an answer may bear; those of classes by the nearest that has one."""
    told = {kind.code: next(STATUSES[above] for above in kind.__mro__ if above in STATUSES) for kind in classes()}
    return {**told, **STATUS_OF_CODE}


def _rules(registry: Registry) -> list[str]:
    rows = [
        [code(rule.id), rule.severity, rule.says] for _, adapter in sorted(registry.items()) for rule in adapter.rules
    ]
    return ["## Rules of platforms\n", "Findings like those above.\n", table(("code", "severity", "says"), rows)]


def _refusals(registry: Registry) -> list[str]:
    rows = [
        [code(name), adapter.label, hint] for _, adapter in sorted(registry.items()) for name, hint in refusals(adapter)
    ]
    return ["## Refusals of platforms\n", "`error.code` of a delivery.\n", table(("code", "platform", "hint"), rows)]
