"""From a post and a block to a draft: the shared part filled in, media resolved, every fault of it found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from core.adapter import Adapter
from core.convert import convert_sound
from core.findings import Finding, Path
from core.limits import Limits, MediaLimits, TextLimit
from core.media.fitting import plan
from core.media.rules import count_findings, file_findings, fitted_finding, way_findings
from core.post import Account, Block, Draft, Media, PostRequest
from core.texts import ELLIPSIS, shorten, text_findings

AnyAdapter = Adapter[Any]

_Placed = tuple[Media, Path]
"""A file of a draft, and where the request names it."""


class Shared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of a post that all its platforms share, as far as it is sound."""

    title: str = ""
    text: str | None = None
    link: str | None = None
    alt_text: str | None = None
    upload_ids: list[str] | None = None
    media_urls: list[str] | None = None
    media_fit: str = "safe"
    adapt: str = "error"

    @classmethod
    def of(cls, sent: Mapping[str, Any], faulty: Collection[object] = ()) -> "Shared":
        """The shared part of a request as it was sent, without its `faulty` fields."""
        names = cls.__struct_encode_fields__
        return msgspec.convert({k: v for k, v in sent.items() if k in names and k not in faulty}, cls)

    @classmethod
    def of_request(cls, request: PostRequest) -> "Shared":
        """The shared part of a sound request."""
        return msgspec.convert(request, cls, from_attributes=True)


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
    shared: Shared,
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
    alt_text = _alt_text(block, shared, uploads, path)
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
    placed, media_faults = _media(sound, shared, path, uploads)
    findings += media_faults
    if not media_faults:
        placed, media_findings = _fitted(limits.media, placed, path, fit=shared.media_fit != "off")
        placed, cut_alt_texts = _described(adapter, limits, sound, placed)
        findings += media_findings + cut_alt_texts
    draft: Draft[Any] = Draft(title=shared.title, block=sound, media=tuple(item for item, _ in placed), account=account)
    too_long = list(_text_findings(adapter, limits.texts, draft, path, faulty))
    findings += [_at_origin(finding, origins, len(path)) for finding in too_long]
    faulty |= {finding.path[len(path)] for finding in too_long}
    findings += _rule_findings(adapter, draft, path, faulty)
    return Drafted(draft=draft, findings=tuple(findings), settled=settled)


def _alt_text(
    block: Mapping[str, Any], shared: Shared, uploads: Mapping[str, Media], path: Path
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
    shared: Shared,
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
        value = fill.part(source)
        if isinstance(has, str) and has:
            value = has if value in has else f"{has}\n\n{value}"
        if not value or (fill.if_it_fits and not _fits(adapter, limits, fill.field, value)):
            continue
        block[fill.field] = value
        if has is None:
            origins[fill.field] = alt_text[1] if is_alt_text else (fill.source,)
        if fill.warning:
            findings.append(
                Finding(code="filled_in", path=(*path, fill.field), message=fill.warning, severity="warning")
            )
    return block, origins, findings


def _fits(adapter: AnyAdapter, limits: Limits, field: str, value: str) -> bool:
    """Whether a text keeps to the bounds of a field by itself."""
    too_long = any(limit.count(value) > limit.most for limit in limits.of_text(field))
    return not too_long and not convert_sound(adapter.block, {field: value})[1]


def _described(
    adapter: AnyAdapter, limits: Limits, block: Block, placed: list[_Placed]
) -> tuple[list[_Placed], list[Finding]]:
    """The media with what is said of each as the platform takes it: of the first by the block, else its own."""
    field = adapter.alt_text_field
    if field is None:
        return placed, []
    said, bounds = getattr(block, adapter.attribute(field)), limits.of_text(field)
    described: list[_Placed] = []
    findings: list[Finding] = []
    for number, (media, at) in enumerate(placed):
        own = (said if number == 0 else None) or media.alt_text or ""
        text = own if own == said else shorten(own, lambda text: all(each.count(text) <= each.most for each in bounds))
        if text != own:
            words = f"What is said of the file is too long here, and is sent up to '{text[-40:]}'."
            findings.append(Finding(code="shortened", path=at, message=words, severity="warning"))
        described.append((msgspec.structs.replace(media, alt_text=text or None), at))
    return described, findings


def _shortened(
    adapter: AnyAdapter, shared: Shared, filled: Mapping[str, Any], origins: Mapping[str, Path], account: Account | None
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
            return not any(_text_findings(adapter, own, draft, (), ()))

        def whole(text: str, field: str = field) -> str:
            return _with_below(adapter, shared, field, text)

        text = shorten(_from_text(adapter, shared, field), lambda text: fits(whole(text)))
        if text and whole(text) != filled[field]:
            cut[field] = whole(text)
    return cut


def _from_text(adapter: AnyAdapter, shared: Shared, field: str) -> str:
    """What the shared text gives to a field."""
    fill = next(fill for fill in adapter.fills if (fill.field, fill.source) == (field, "text"))
    return fill.part(shared.text or "")


def _with_below(adapter: AnyAdapter, shared: Shared, field: str, text: str) -> str:
    """A text with what is put below it wherever it does not hold that: however short it is cut, a link stays."""
    for fill in adapter.fills:
        source: str | None = getattr(shared, fill.source) if fill.below and fill.field == field else None
        value = fill.part(source) if source else ""
        text = text if value in text else f"{text}\n\n{value}"
    return text


def _cut_finding(shared: Shared, text: str, path: Path) -> Finding:
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


def _media(
    block: Block, shared: Shared, path: Path, uploads: Mapping[str, Media]
) -> tuple[list[_Placed], list[Finding]]:
    source, at = media_source(block, shared, path)
    placed: list[_Placed] = []
    findings: list[Finding] = []
    for index, upload_id in enumerate(source.upload_ids or ()):
        upload, place = uploads.get(upload_id), (*at, "uploadIds", index)
        if upload is None:
            words = "There is no such upload in this team; upload the file first, or mend the id."
            findings.append(Finding(code="unknown_upload", path=place, message=words))
        else:
            placed.append((upload, (*path, "uploadIds", index)))
    for index, url in enumerate(source.media_urls or ()):
        placed.append((uploads.get(url) or Media(url=url), (*path, "mediaUrls", index)))
    return placed, findings


def media_source(block: Block, shared: Shared, path: Path = ()) -> tuple[Block | Shared, Path]:
    """Who names the media of a block found at `path`, the block or the shared part; and where that stands."""
    return (block, path) if block.upload_ids or block.media_urls else (shared, ())


def _fitted(
    limits: MediaLimits, placed: list[_Placed], path: Path, *, fit: bool
) -> tuple[list[_Placed], list[Finding]]:
    """The media as they will be sent, and what stands against them then."""
    findings = list(count_findings(limits, tuple(item for item, _ in placed), path))
    sent: list[_Placed] = []
    for item, at in placed:
        findings += way_findings(limits, item, at)
        bounds = limits.of(item.kind) if item.kind and fit else None
        planned = plan(item, bounds) if bounds else None
        if planned is not None:
            findings.append(fitted_finding(planned.notes, at))
            item = planned.media
        sent.append((item, at))
        findings += file_findings(limits, item, at)
    return sent, findings


def _text_findings(
    adapter: AnyAdapter, limits: Sequence[TextLimit], draft: Draft[Any], path: Path, faulty: Collection[str | int]
) -> Iterator[Finding]:
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
