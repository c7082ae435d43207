"""The check of a whole post by pydantic: every finding at once, with its code and its place, and the deliveries to be.

It judges as ours does, but for two things: it mends no pictures (`mediaFit`), and it reads dates as pydantic does. Its
rules are written as one writes them; to see whether a link leads to a host, the standard library takes it apart, which
is a sixth of the time that a post to two platforms takes here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from bench.baselines.files import Media
from bench.baselines.models import Account, Block, Draft, Fill, PinBlock, Post
from core.texts import shorten

Path = tuple[str | int, ...]

CODES = {
    "extra_forbidden": "unknown_field",
    "missing": "missing_field",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "bad_format",
    "literal_error": "not_a_choice",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "too_short": "too_few",
    "too_long": "too_many",
    "timezone_aware": "date_without_offset",
    "datetime_parsing": "date_invalid",
    "datetime_from_date_parsing": "date_invalid",
}
"""Our codes for pydantic's; every other one is about the type."""

SHAPE = frozenset({"wrong_type", "unknown_field", "null_character", "not_a_choice", "unknown_upload"})
"""What is no better in a post that is only a draft."""


class Finding(NamedTuple):
    """One fault: a code, where it stands in the request, and words."""

    code: str
    path: Path
    message: str
    severity: str = "error"


class Parsed(NamedTuple):
    """The envelope, as far as it is sound, and what is wrong with it."""

    post: Post
    findings: list[Finding]


@dataclass(slots=True)
class Planned:
    """One delivery to be."""

    account: Account | None
    platform: str
    position: int
    block: dict[str, Any]
    draft: Draft | None
    sound: bool


class Checked(NamedTuple):
    """The verdict on a post."""

    post: Post
    findings: list[Finding]
    planned: list[Planned]

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop it."""
        return [finding for finding in self.findings if finding.severity == "error"]


def check(
    body: bytes,
    accounts: Sequence[Account],
    blocks: Mapping[str, type[Block]],
    uploads: Mapping[str, Media] | None = None,
) -> Checked:
    """Check a post, from the bytes of the request."""
    return judged(parsed(body), accounts, blocks, uploads or {})


def parsed(body: bytes) -> Parsed:
    """The envelope."""
    findings: list[Finding] = []
    if b"\\u0000" in body:
        findings += _nulls(from_json(body), ())
    try:
        post = Post.model_validate_json(body)
    except ValidationError as error:
        findings += [_told(each, ()) for each in error.errors(include_url=False)]
    else:
        if not findings:
            return Parsed(post, findings)
    return Parsed(_salvaged(from_json(body), {finding.path[0] for finding in findings if finding.path}), findings)


def judged(
    envelope: Parsed, accounts: Sequence[Account], blocks: Mapping[str, type[Block]], uploads: Mapping[str, Media]
) -> Checked:
    """The verdict on a post whose envelope has been read."""
    post, findings = envelope
    planned: list[Planned] = []
    of_platform: dict[str, list[Account]] = {}
    for account in accounts:
        of_platform.setdefault(account.platform, []).append(account)
    in_blocks: list[Finding] = []
    for name in _platforms(post, blocks, findings):
        value = post.data.get(name)
        many = isinstance(value, list)
        if many and not value:
            in_blocks.append(Finding("too_few", ("data", name), "The list of blocks is empty."))
        for position, sent in enumerate(value if isinstance(value, list) else (value,)):
            at: Path = ("data", name, position) if many else ("data", name)
            if sent is not None and not isinstance(sent, dict):
                in_blocks.append(Finding("wrong_type", at, "A block has to be an object."))
                continue
            connected = of_platform.get(name, [])
            for chosen in _accounts(name, sent or {}, post, at, connected, accounts, in_blocks):
                block, draft, found = _drafted(blocks[name], sent or {}, post, at, chosen, uploads)
                sound = chosen is not None and all(finding.severity != "error" for finding in found)
                planned.append(Planned(chosen, name, position, block, draft, sound))
                in_blocks += found
            if post.first_comment and post.first_comment.get(name):
                words = "First comments are not published; the post goes out without it."
                in_blocks.append(Finding("field_unused", ("firstComment", name), words, "warning"))
    if post.status == "DRAFT":
        in_blocks = [each if each.code in SHAPE else each._replace(severity="warning") for each in in_blocks]
    findings += in_blocks
    return Checked(post, list(dict.fromkeys(findings)) if len(findings) > 1 else findings, planned)


def _platforms(post: Post, blocks: Mapping[str, type[Block]], findings: list[Finding]) -> list[str]:
    """The platforms that a post asks for and that are served, each once."""
    asked: list[str] = []
    for index, name in enumerate(post.social_account_types):
        if name not in blocks:
            findings.append(_unknown(name, ("socialAccountTypes", index), blocks))
        elif name in asked:
            words = f"{name} is named twice; it counts once."
            findings.append(Finding("duplicate", ("socialAccountTypes", index), words, "warning"))
        else:
            asked.append(name)
    for name in post.data:
        if name not in blocks:
            findings.append(_unknown(name, ("data", name), blocks))
        elif name not in asked and post.data[name] is not None:
            words = f"This block is not used: {name} is not among socialAccountTypes."
            findings.append(Finding("block_unused", ("data", name), words, "warning"))
    return asked


def _unknown(name: str, at: Path, blocks: Mapping[str, type[Block]]) -> Finding:
    near = get_close_matches(name.upper()[:100], blocks, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "take it out."
    words = f"This platform is not served here; {hint} Served: {', '.join(sorted(blocks))}."
    return Finding("unknown_platform", at, words)


def _accounts(
    platform: str,
    block: dict[str, Any],
    post: Post,
    at: Path,
    connected: list[Account],
    everyone: Sequence[Account],
    findings: list[Finding],
) -> Sequence[Account | None]:
    """The accounts that a block goes to; None with a finding where that is not certain."""
    own = block.get("socialAccountIds")
    named, place = (own, at) if isinstance(own, list) else (post.social_account_ids, ())
    if named:
        known = {account.id for account in (connected if place else everyone)}
        there = ", ".join(account.id for account in connected) or "none"
        wrong = [
            Finding("unknown_account", (*place, "socialAccountIds", index), f"There are on {platform}: {there}.")
            for index, id in enumerate(named)
            if isinstance(id, str) and id not in known
        ]
        findings += wrong
        chosen = [account for account in connected if account.id in named]
        if chosen or wrong:
            return chosen or (None,)
    if len(connected) == 1:
        return connected
    if not connected:
        words = f"The team has no account on {platform}; connect one first."
        findings.append(Finding("no_account", at, words))
    else:
        words = f"Name one in socialAccountIds: {', '.join(account.id for account in connected)}."
        findings.append(Finding("account_ambiguous", (*at, "socialAccountIds"), words))
    return (None,)


def _drafted(
    kind: type[Block], sent: dict[str, Any], post: Post, at: Path, account: Account | None, uploads: Mapping[str, Media]
) -> tuple[dict[str, Any], Draft | None, list[Finding]]:
    """The block as it is kept, the draft that is made of it, and all that is to be said of it."""
    findings: list[Finding] = []
    own = bool(sent.get("uploadIds") or sent.get("mediaUrls"))
    alt_text, alt_text_of_file = post.alt_text, False
    if not alt_text:
        ids = sent.get("uploadIds") if own else post.upload_ids
        first = uploads.get(ids[0]) if isinstance(ids, list) and ids and isinstance(ids[0], str) else None
        alt_text, alt_text_of_file = (first.alt_text if first else None), True
    fills = kind.fills(sent, post, alt_text)
    kept = dict(sent)
    filled = {**sent, **{fill.field: fill.value for fill in fills}}
    origins: dict[str, Path] = {}
    for fill in fills:
        origins[fill.field] = (fill.origin,)
        if fill.origin == "altText" and alt_text_of_file:
            origins[fill.field] = (*(at if own else ()), "uploadIds", 0)
            kept[fill.field] = fill.value
        if fill.warning:
            findings.append(Finding("filled_in", (*at, fill.field), fill.warning, "warning"))
        if post.adapt == "shorten":
            _shorten(kind, fill, filled, kept, at, findings)
    try:
        block = kind.model_validate(filled)
        faulty: set[str | int] = set()
    except ValidationError as error:
        told = [_told(each, at) for each in error.errors(include_url=False)]
        faulty = {finding.path[len(at)] for finding in told}
        findings += [_at_origin(finding, origins, len(at)) for finding in told]
        block = kind.model_validate({name: value for name, value in filled.items() if name not in faulty})
    for name, words in kind.unused.items():
        if filled.get(name) is not None:
            findings.append(Finding("field_unused", (*at, name), words, "warning"))
    media, sure = _media(block, post, own, at, uploads, findings)
    draft = Draft(post.title, block, media, account)
    if sure:
        for told_of_all in kind.media_bounds.told(media):
            code, words, severity = told_of_all
            findings.append(Finding(code, (*at, "uploadIds"), words, severity))
    for code, fields, words, severity in block.faults(draft):
        if not faulty or faulty.isdisjoint(fields):
            findings.append(Finding(code, (*at, fields[0]), words, severity))
    return kept, draft, findings


def _media(
    block: Block, post: Post, own: bool, at: Path, uploads: Mapping[str, Media], findings: list[Finding]
) -> tuple[list[Media], bool]:
    """The files of a draft, and whether all are known. What the block says of the first one counts for that."""
    source, place = (block, at) if own else (post, ())
    said = block.alt_text if isinstance(block, PinBlock) else None
    media: list[Media] = []
    sure = True
    for index, id in enumerate(source.upload_ids or ()):
        upload = uploads.get(id)
        if upload is None:
            words = "There is no such upload in this team; upload the file first, or mend the id."
            findings.append(Finding("unknown_upload", (*place, "uploadIds", index), words))
            sure = False
        else:
            media.append(replace(upload, alt_text=said) if said and not media else upload)
            for code, words, severity in block.media_bounds.of_file(upload):
                findings.append(Finding(code, (*at, "uploadIds", index), words, severity))
    for url in source.media_urls or ():
        media.append(Media(url=url, alt_text=None if media else said))
    return media, sure


def _shorten(
    kind: type[Block], fill: Fill, filled: dict[str, Any], kept: dict[str, Any], at: Path, findings: list[Finding]
) -> None:
    """Cut what comes of the shared text to what a field takes."""
    most = kind.longest.get(fill.field)
    if fill.origin != "text" or most is None or len(fill.value) <= most:
        return
    filled[fill.field] = kept[fill.field] = shorten(fill.value, lambda text: len(text) <= most)
    words = f"The shared text of {len(fill.value)} characters is too long here, and is cut."
    findings.append(Finding("shortened", (*at, fill.field), words, "warning"))


def _told(error: ErrorDetails, at: Path) -> Finding:
    return Finding(CODES.get(error["type"], "wrong_type"), (*at, *error["loc"]), error["msg"])


def _at_origin(finding: Finding, origins: Mapping[str, Path], depth: int) -> Finding:
    """A fault of a value that was filled in is the fault of where the value came from."""
    origin = origins.get(str(finding.path[depth]))
    if origin is None:
        return finding
    words = f"{finding.message} (It is used for {'.'.join(map(str, finding.path[1:]))}.)"
    return finding._replace(path=origin, message=words)


def _nulls(value: object, at: Path) -> Iterator[Finding]:
    """PostgreSQL stores no U+0000."""
    if isinstance(value, str) and "\0" in value:
        yield Finding("null_character", at, "Contains the character U+0000; take it out.")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _nulls(name, (*at, name))
            yield from _nulls(item, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, (*at, index))


def _salvaged(sent: object, faulty: set[str | int]) -> Post:
    """What is sound of an envelope that is not, so that its blocks can be judged as well."""
    given = sent if isinstance(sent, dict) else {}
    sound = {
        name: given[alias]
        for name, field in Post.model_fields.items()
        if (alias := field.alias or name) in given and alias not in faulty
    }
    asked, data, comments = (given.get(name) for name in ("socialAccountTypes", "data", "firstComment"))
    sound["social_account_types"] = [name for name in asked if isinstance(name, str)] if isinstance(asked, list) else []
    sound["data"] = data if isinstance(data, dict) else {}
    sound["first_comment"] = comments if isinstance(comments, dict) else None
    return Post.model_construct(**{"title": "", "status": given.get("status"), **sound})
