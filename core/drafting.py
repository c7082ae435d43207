"""From a post and a block to a draft: the shared part filled in, media resolved, every fault of it found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from core.adapter import Adapter, Fill
from core.convert import convert_sound
from core.findings import Finding, Path
from core.limits import Limits, TextLimit
from core.placing import placed
from core.post import Account, AnyShared, Draft, Media
from core.texts import ELLIPSIS, shorten, text_findings

AnyAdapter = Adapter[Any]


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """A draft, or None where too little was sound to make one; and all findings on it.

    `settled` are fields of the block that were filled in from what may change later, such as an upload's alt text, or a
    text cut to what the account's server allows today: a post that is looked for on a platform has to be the one that
    was sent there, and one that goes out the one that was shown. So they are kept with its block.
    """

    draft: Draft[Any] | None
    findings: tuple[Finding, ...]
    settled: dict[str, str] = {}


def drafted(
    adapter: AnyAdapter,
    shared: AnyShared,
    block: Mapping[str, Any],
    *,
    path: Path,
    account: Account | None,
    uploads: Mapping[str, Media],
) -> Drafted:
    """What `adapter` makes of a block found at `path`, with the findings a reader of the request needs.

    `uploads` are those of the team by id, and what was fetched from public URLs by its URL.
    """
    limits = adapter.limits_of(account)
    alt_text = alt_text_of(block, shared, uploads, path)
    filled, origins, findings = _filled(adapter, limits, shared, dict(block), path, alt_text)
    settled = {name: filled[name] for name, origin in origins.items() if "uploadIds" in origin}
    if shared.adapt == "shorten":
        cut = _shortened(adapter, shared, filled, origins, account)
        findings += [_cut_finding(shared, text, (*path, field)) for field, text in cut.items()]
        filled, settled = {**filled, **cut}, {**settled, **cut}
    sound, faults = convert_sound(adapter.block, filled, path)
    faulty = {fault.path[len(path)] for fault in faults if fault.severity == "error" and len(fault.path) > len(path)}
    faults = [_at_origin(fault, origins, len(path)) for fault in faults]
    findings += faults
    if sound is None:
        return Drafted(draft=None, findings=tuple(findings), settled=settled)
    media, media_findings = placed(adapter, limits, sound, shared, path=path, uploads=uploads)
    findings += media_findings
    draft: Draft[Any] = Draft(title=shared.title, block=sound, media=media, account=account)
    too_long = list(length_findings(adapter, limits.texts, draft, path, faulty))
    findings += [_at_origin(finding, origins, len(path)) for finding in too_long]
    faulty |= {finding.path[len(path)] for finding in too_long}
    findings += _rule_findings(adapter, draft, path, faulty)
    return Drafted(draft=draft, findings=tuple(findings), settled=settled)


def alt_text_of(
    block: Mapping[str, Any], shared: AnyShared, uploads: Mapping[str, Media], path: Path
) -> tuple[str | None, Path]:
    """What the media show, as the post says or else the first of its uploads; and where that stands."""
    if shared.alt_text:
        return shared.alt_text, ("altText",)
    own = bool(block.get("uploadIds") or block.get("mediaUrls"))
    named = block.get("uploadIds") if own else shared.upload_ids
    first = named[0] if isinstance(named, list) and named else None
    media = uploads.get(first) if isinstance(first, str) else None
    return (media.alt_text if media else None), (*(path if own else ()), "uploadIds", 0)


def _filled(
    adapter: AnyAdapter,
    limits: Limits,
    shared: AnyShared,
    block: dict[str, Any],
    path: Path,
    alt_text: tuple[str | None, Path],
) -> tuple[dict[str, Any], dict[str, Path], list[Finding]]:
    origins: dict[str, Path] = {}
    findings: list[Finding] = []
    for fill in adapter.fills:
        is_alt_text = fill.source == "alt_text"
        source: str | None = alt_text[0] if is_alt_text else getattr(shared, fill.source)
        has = block.get(fill.field)
        if not source or (has is not None and not fill.below):
            continue
        value = put_in(fill, source, has)
        if not value or (fill.if_it_fits and not fits(adapter, limits, fill.field, value)):
            continue
        block[fill.field] = value
        if has is None:
            origins[fill.field] = alt_text[1] if is_alt_text else (fill.source,)
        if fill.warning:
            findings.append(
                Finding(code="filled_in", path=(*path, fill.field), message=fill.warning, severity="warning")
            )
    return block, origins, findings


def put_in(fill: Fill, source: str, has: object) -> str:
    """What is in a field that `has` something, or None, once it is filled from a source."""
    value = fill.part(source)
    if not has or not isinstance(has, str):
        return value
    return has if value in has else f"{has}\n\n{value}"


def fits(adapter: AnyAdapter, limits: Limits, field: str, value: str) -> bool:
    """Whether a text keeps to the bounds of a field by itself."""
    too_long = any(limit.count(value) > limit.most for limit in limits.of_text(field))
    return not too_long and not convert_sound(adapter.block, {field: value})[1]


def _shortened(
    adapter: AnyAdapter,
    shared: AnyShared,
    filled: Mapping[str, Any],
    origins: Mapping[str, Path],
    account: Account | None,
) -> dict[str, str]:
    """The fields that the shared text was put into and is too long for, each with as much of it as fits."""
    limits = adapter.limits_of(account).texts
    cut: dict[str, str] = {}
    for field in (field for field, origin in origins.items() if origin == ("text",)):

        def fits(text: str, field: str = field) -> bool:
            block, faults = convert_sound(adapter.block, {**filled, field: text})
            if block is None or any(fault.path[:1] == (field,) and fault.severity == "error" for fault in faults):
                return False
            draft: Draft[Any] = Draft(title=shared.title, block=block, account=account)
            own = [limit for limit in limits if limit.field == field]
            return not any(length_findings(adapter, own, draft, (), ()))

        def whole(text: str, field: str = field) -> str:
            return _with_below(adapter, shared, field, text)

        text = shorten(_from_text(adapter, shared, field), lambda text: fits(whole(text)))
        if text and whole(text) != filled[field]:
            cut[field] = whole(text)
    return cut


def _from_text(adapter: AnyAdapter, shared: AnyShared, field: str) -> str:
    """What the shared text gives to a field."""
    fill = next(fill for fill in adapter.fills if (fill.field, fill.source) == (field, "text"))
    return fill.part(shared.text or "")


def _with_below(adapter: AnyAdapter, shared: AnyShared, field: str, text: str) -> str:
    """A text with what is put below it wherever it does not hold that: however short it is cut, a link stays."""
    for fill in adapter.fills:
        source: str | None = getattr(shared, fill.source) if fill.below and fill.field == field else None
        value = fill.part(source) if source else ""
        text = text if value in text else f"{text}\n\n{value}"
    return text


def _cut_finding(shared: AnyShared, text: str, path: Path) -> Finding:
    end = text[: text.rfind(ELLIPSIS) + 1][-40:]
    words = f"The shared text of {len(shared.text or '')} characters is too long here, and is sent up to '{end}'."
    return Finding(code="shortened", path=path, message=words, severity="warning")


def _at_origin(fault: Finding, origins: Mapping[str, Path], depth: int) -> Finding:
    """A fault of a value that was filled in is the fault of where the value came from."""
    field = fault.path[depth] if len(fault.path) > depth else None
    origin = origins.get(str(field))
    if origin is None:
        return fault
    words = f"{fault.message} (It is used for {'.'.join(map(str, fault.path[1:]))}.)"
    return msgspec.structs.replace(fault, path=origin, message=words)


def length_findings(
    adapter: AnyAdapter, limits: Sequence[TextLimit], draft: Draft[Any], path: Path, faulty: Collection[str | int]
) -> Iterator[Finding]:
    """The texts of a draft that are longer than the platform allows, but for those of `faulty` fields."""
    for field in dict.fromkeys(limit.field for limit in limits if limit.field not in faulty):
        of_field = tuple(limit for limit in limits if limit.field == field)
        text = adapter.text_of(draft, field)
        if text is not None:
            yield from text_findings(of_field, text, (*path, field))
        several = getattr(draft.block, adapter.attribute(field))
        for index, each in enumerate(several if isinstance(several, list) else ()):
            yield from text_findings(of_field, each, (*path, field, index))


def _rule_findings(adapter: AnyAdapter, draft: Draft[Any], path: Path, faulty: set[str | int]) -> Iterator[Finding]:
    for rule in adapter.rules:
        if faulty and faulty.intersection(rule.at):
            continue
        verdict = rule.holds(adapter, draft)
        if verdict is not True:
            words = rule.says if verdict is False else str(verdict)
            yield Finding(code=rule.id, path=(*path, rule.at[0]), message=words, severity=rule.severity)
