"""Placing: the files of a draft, as its platform will get them, and what stands against them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from core.adapter import Adapter
from core.findings import Finding, Path
from core.limits import Limits, MediaLimits
from core.media.fitting import plan
from core.media.rules import count_findings, file_findings, fitted_finding, way_findings
from core.post import AnyShared, Block, Media
from core.texts import shorten

_Placed = tuple[Media, Path]
"""A file of a draft, and where the request names it."""


def placed(
    adapter: Adapter[Any],
    limits: Limits,
    block: Block,
    shared: AnyShared,
    *,
    path: Path,
    uploads: Mapping[str, Media],
) -> tuple[tuple[Media, ...], list[Finding]]:
    """The files of the draft of a block found at `path`, and all findings on them.

    `uploads` are those of the team by id, and what was fetched from public URLs by its URL.
    """
    files, findings = _named(block, shared, path, uploads)
    if not findings:
        files, findings = _fitted(limits.media, files, path, fit=shared.media_fit != "off")
        files, cut = _described(adapter, limits, block, files)
        findings += cut
    return tuple([item for item, _ in files]), findings


def media_source(block: Block, shared: AnyShared) -> Block | AnyShared:
    """Who names the media, the block or the shared part."""
    return block if block.upload_ids or block.media_urls else shared


def _named(
    block: Block, shared: AnyShared, path: Path, uploads: Mapping[str, Media]
) -> tuple[list[_Placed], list[Finding]]:
    """The files that are named, and what is wrong with their names."""
    source = media_source(block, shared)
    at = path if source is block else ()
    files: list[_Placed] = []
    findings: list[Finding] = []
    for index, upload_id in enumerate(source.upload_ids or ()):
        upload, place = uploads.get(upload_id), (*at, "uploadIds", index)
        if upload is None:
            words = "There is no such upload in this team; upload the file first, or mend the id."
            findings.append(Finding(code="unknown_upload", path=place, message=words))
        else:
            files.append((upload, (*path, "uploadIds", index)))
    for index, url in enumerate(source.media_urls or ()):
        files.append((uploads.get(url) or Media(url=url), (*path, "mediaUrls", index)))
    return files, findings


def _fitted(limits: MediaLimits, files: list[_Placed], path: Path, *, fit: bool) -> tuple[list[_Placed], list[Finding]]:
    """The files as they will be sent, and what stands against them then."""
    findings = list(count_findings(limits, tuple(item for item, _ in files), path))
    sent: list[_Placed] = []
    for item, at in files:
        findings += way_findings(limits, item, at)
        bounds = limits.of(item.kind) if item.kind and fit else None
        planned = plan(item, bounds) if bounds else None
        if planned is not None:
            findings.append(fitted_finding(planned.notes, at))
            item = planned.media
        sent.append((item, at))
        findings += file_findings(limits, item, at)
    return sent, findings


def _described(
    adapter: Adapter[Any], limits: Limits, block: Block, files: list[_Placed]
) -> tuple[list[_Placed], list[Finding]]:
    """The files with what is said of each as the platform takes it: of the first by the block, else its own."""
    field = adapter.alt_text_field
    if field is None:
        return files, []
    said, bounds = getattr(block, adapter.attribute(field)), limits.of_text(field)
    described: list[_Placed] = []
    findings: list[Finding] = []
    for number, (media, at) in enumerate(files):
        own = (said if number == 0 else None) or media.alt_text or ""
        text = own if own == said else shorten(own, lambda text: all(each.count(text) <= each.most for each in bounds))
        if text != own:
            words = f"What is said of the file is too long here, and is sent up to '{text[-40:]}'."
            findings.append(Finding(code="shortened", path=at, message=words, severity="warning"))
        if media.alt_text != (text or None):
            media = msgspec.structs.replace(media, alt_text=text or None)
        described.append((media, at))
    return described, findings
