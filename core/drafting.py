"""From a post and a block to a draft: the shared part filled in, media resolved, every fault of it found."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from core.adapter import Adapter
from core.convert import convert_sound
from core.findings import Finding, Path
from core.limits import MediaLimits
from core.post import Account, Block, Draft, Media

AnyAdapter = Adapter[Any]


class Shared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of a post that all its platforms share, as far as it is sound."""

    title: str = ""
    text: str | None = None
    link: str | None = None
    upload_ids: list[str] | None = None
    media_urls: list[str] | None = None

    @classmethod
    def of(cls, sent: Mapping[str, Any], faulty: Collection[object] = ()) -> "Shared":
        """The shared part of a request as it was sent, without its `faulty` fields."""
        names = {field.encode_name for field in msgspec.structs.fields(cls)}
        return msgspec.convert({k: v for k, v in sent.items() if k in names and k not in faulty}, cls)


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """A draft, or None where too little was sound to make one; and all findings on it."""

    draft: Draft[Any] | None
    findings: tuple[Finding, ...]


def drafted(
    adapter: AnyAdapter,
    shared: Shared,
    block: Mapping[str, Any],
    *,
    path: Path,
    account: Account | None,
    uploads: Mapping[str, Media],
) -> Drafted:
    """What `adapter` makes of a block found at `path`, with the findings a reader of the request needs."""
    filled, origins, findings = _filled(adapter, shared, dict(block), path)
    sound, faults = convert_sound(adapter.block, filled, path)
    faulty = {fault.path[len(path)] for fault in faults if fault.severity == "error" and len(fault.path) > len(path)}
    faults = [_at_origin(fault, origins, len(path)) for fault in faults]
    findings += faults
    if sound is None:
        return Drafted(draft=None, findings=tuple(findings))
    media, media_faults = _media(sound, shared, path, uploads)
    findings += media_faults
    draft = Draft[Any](title=shared.title, block=sound, media=media, account=account)
    if not media_faults:
        findings += _media_findings(adapter.limits.media, media, path)
    findings += _rule_findings(adapter, draft, path, faulty)
    return Drafted(draft=draft, findings=tuple(findings))


def _filled(
    adapter: AnyAdapter, shared: Shared, block: dict[str, Any], path: Path
) -> tuple[dict[str, Any], dict[str, Path], list[Finding]]:
    origins: dict[str, Path] = {}
    findings: list[Finding] = []
    for fill in adapter.fills:
        source: str | None = getattr(shared, fill.source)
        if block.get(fill.field) is not None or not source:
            continue
        value = fill.part(source)
        if not value or (fill.if_it_fits and convert_sound(adapter.block, {fill.field: value})[1]):
            continue
        block[fill.field] = value
        origins[fill.field] = (fill.source,)
        if fill.warning:
            findings.append(
                Finding(code="filled_in", path=(*path, fill.field), message=fill.warning, severity="warning")
            )
    return block, origins, findings


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
) -> tuple[tuple[Media, ...], list[Finding]]:
    source, at = (block, path) if block.upload_ids or block.media_urls else (shared, ())
    media: list[Media] = []
    findings: list[Finding] = []
    for index, upload_id in enumerate(source.upload_ids or ()):
        upload = uploads.get(upload_id)
        if upload is None:
            words = "There is no such upload in this team; upload the file first, or mend the id."
            findings.append(Finding(code="unknown_upload", path=(*at, "uploadIds", index), message=words))
        else:
            media.append(upload)
    media += [Media(url=url) for url in source.media_urls or ()]
    return tuple(media), findings


def _media_findings(limits: MediaLimits, media: tuple[Media, ...], path: Path) -> Iterator[Finding]:
    fewest, most = limits.count
    at = (*path, "uploadIds")
    if len(media) < fewest:
        wanted = "one file" if fewest == 1 else f"at least {fewest} files"
        yield Finding(
            code="media_missing",
            path=at,
            message=f"Needs {wanted} ({' or '.join(limits.kinds)}): upload it and name it in uploadIds, "
            "or give its public URL in mediaUrls.",
        )
    elif len(media) > most:
        yield Finding(code="media_too_many", path=at, message=f"Has {len(media)} files; at most {most} fit.")
    for index, item in enumerate(media):
        yield from _one_media(limits, item, (*path, "mediaUrls" if item.url else "uploadIds", index))


def _one_media(limits: MediaLimits, media: Media, path: Path) -> Iterator[Finding]:
    if media.kind and limits.kinds and media.kind not in limits.kinds:
        words = f"This is a {media.kind}; it has to be: {', '.join(limits.kinds)}."
        yield Finding(code="media_kind", path=path, message=words)
        return
    if media.mime and limits.mimes and media.mime not in limits.mimes:
        words = f"{media.mime} is not taken here; convert the file to {' or '.join(limits.mimes)}."
        yield Finding(code="media_type", path=path, message=words)
    if media.bytes and limits.bytes_max and media.bytes > limits.bytes_max:
        words = f"{media.bytes:,} bytes are too many; at most {limits.bytes_max:,} are taken: make the file smaller."
        yield Finding(code="media_too_large", path=path, message=words)
    yield from _pixels(limits, media, path)


def _pixels(limits: MediaLimits, media: Media, path: Path) -> Iterator[Finding]:
    if not media.width or not media.height:
        return
    size = f"{media.width}×{media.height} pixels"
    least, advised = limits.pixels_min, limits.pixels_advised
    if least and (media.width < least[0] or media.height < least[1]):
        yield Finding(
            code="media_too_small",
            path=path,
            message=f"{size} are too few; at least {least[0]}×{least[1]} are needed.",
        )
    elif advised and (media.width < advised[0] or media.height < advised[1]):
        words = f"{size} will look coarse; {advised[0]}×{advised[1]} or more are advised."
        yield Finding(code="media_small", path=path, message=words, severity="warning")
    if limits.ratio and not limits.ratio[0] <= media.width / media.height <= limits.ratio[1]:
        words = (
            f"{size} have the wrong shape; width divided by height has to be {limits.ratio[0]} to {limits.ratio[1]}."
        )
        yield Finding(code="media_ratio", path=path, message=words)


def _rule_findings(adapter: AnyAdapter, draft: Draft[Any], path: Path, faulty: set[str | int]) -> Iterator[Finding]:
    for rule in adapter.rules:
        if faulty.intersection(rule.at):
            continue
        verdict = rule.holds(adapter, draft)
        if verdict is not True:
            words = rule.says if verdict is False else str(verdict)
            yield Finding(code=rule.id, path=(*path, rule.at[0]), message=words, severity=rule.severity)
