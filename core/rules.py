"""Rules: what several fields of a draft break together, declared beside the words that explain it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from core.findings import Severity

Verdict = bool | str
Predicate = TypeVar("Predicate", bound=Callable[..., Verdict])


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of an adapter.

    `id` is `platform.kebab-case` and the finding's code; `at` are the fields it speaks of, the first of
    which the finding points at. The predicate gets the draft and answers True where the rule holds, False
    where it is broken, or a sentence that says how it is broken in this very case. `breaks` is an example of
    that: fields of a block, as on the wire, which break it in a block that is sound otherwise; null takes one out,
    and the uploads `image`, `video` and `document` are sound files of their kind, as are `image-2` and so on;
    `image-wide` has another shape.
    """

    id: str
    says: str
    at: tuple[str, ...]
    severity: Severity
    holds: Callable[[Any, Any], Verdict]
    breaks: Mapping[str, Any] = {}


def rule(
    id: str,
    says: str,
    *,
    at: str | tuple[str, ...],
    severity: Severity = "error",
    breaks: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[Predicate], Predicate]:
    """Declare a method `(self, draft) -> bool | str` of an adapter as a rule; see `Rule`.

    `at` names fields as they are on the wire. A rule is not asked when one of them is already at fault.
    """

    def declare(predicate: Predicate) -> Predicate:
        fields = (at,) if isinstance(at, str) else at
        declared = Rule(id=id, says=says, at=fields, severity=severity, holds=predicate, breaks=breaks)
        setattr(predicate, "__rule__", declared)  # noqa: B010 - a function has no such attribute to assign
        return predicate

    return declare
