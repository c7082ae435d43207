"""Rules: what several fields of a draft break together, declared beside the words that explain it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from core.findings import Severity
from core.post import MEDIA_FIELDS

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


def gives_one_of(id: str, says: str, *fields: str) -> Callable[[Any, Any], Verdict]:
    """A rule ready-made: at least one of the block's `fields` (on the wire) says something, or `media`, its files.

    White space says nothing, nor does an empty list.
    """
    named = tuple(field for field in fields if field != "media")
    breaks: dict[str, Any] = {named[0]: " ", **dict.fromkeys(named[1:])}

    @rule(id, says, at=named, breaks=breaks | (dict.fromkeys(MEDIA_FIELDS) if "media" in fields else {}))
    def holds(adapter: Any, draft: Any) -> Verdict:
        given = [getattr(draft.block, adapter.attribute(field)) for field in named]
        said = any(value.strip() if isinstance(value, str) else value for value in given)
        return said or ("media" in fields and bool(draft.media))

    return holds


def names_channel(id: str, field: str, *, stranger: str = "1") -> Callable[[Any, Any], Verdict]:
    """A rule ready-made: the block's `field` (on the wire) names a channel that the account may publish to.

    It may be left out where there is but one: `Account.channel` says which is meant. `stranger` is an id in the
    platform's form that no account has.
    """

    @rule(id, f"Say where it goes: give {field}.", at=field, breaks={field: stranger})
    def holds(adapter: Any, draft: Any) -> Verdict:
        account = draft.account
        if account is None or account.channel(getattr(draft.block, adapter.attribute(field))) is not None:
            return True
        there = [f"{channel.id} ({channel.name})" for channel in account.channels if channel.writable]
        if not there:
            return (
                "The account has no channel that it may publish to: make one on the platform, and refresh its channels."
            )
        return f"Give {field}: {', '.join(there[:20])}."

    return holds


def only_by(id: str, says: str, way: str, fields: Mapping[str, Any]) -> Callable[[Any, Any], Verdict]:
    """A rule ready-made: a warning where a block has `fields` that only accounts connected in one way can use.

    Each field (on the wire) stands with an example of its value. `way` is one of the adapter's `ways`.
    """

    @rule(id, says, at=tuple(fields), severity="warning", breaks=fields)
    def holds(adapter: Any, draft: Any) -> Verdict:
        given = any(getattr(draft.block, adapter.attribute(field)) for field in fields)
        return not given or draft.account is None or bool(draft.account.way == way)

    return holds
