"""The check of a whole request: every finding at once, and what would be delivered where."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from core.convert import convert
from core.dates import parse_date
from core.drafting import AnyAdapter, Drafted, drafted
from core.findings import Finding, Path, Report, nearest
from core.post import Account, AnyShared, Draft, Media, PostRequest, Shared
from core.shortcut import shortcut
from core.soundness import is_plain, made_of_sound

# These are about what a field is; everything else only says that a draft is not finished yet.
_SHAPE = frozenset({"wrong_type", "unknown_field", "null_character", "not_a_choice", "unknown_upload"})


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What our own database knows that a check needs: the team's accounts, and the uploads that are named."""

    team_known: bool = True
    accounts: tuple[Account, ...] = ()
    uploads: Mapping[str, Media] = {}


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery to be: a block at an account, the draft that the adapter makes of it, and whether that may go out.

    That of a post which is a draft may not be finished, and is not `sound` then.
    """

    platform: str
    position: int
    block: dict[str, Any]
    account: Account | None
    draft: Draft[Any] | None
    sound: bool


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a request. `request` and `post_date` are None where the envelope itself is at fault."""

    report: Report
    request: PostRequest | None
    post_date: datetime | None
    planned: tuple[Planned, ...]

    @property
    def fitted(self) -> tuple[Finding, ...]:
        """How pictures will be changed so that they fit; each is among the warnings as well."""
        return tuple(finding for finding in self.report.warnings if finding.code == "media_fitted")


def check(body: object, adapters: Mapping[str, AnyAdapter], facts: Facts, *, raw: bytes | None = None) -> Checked:
    """Check a decoded request against everything that is declared and known; reads nothing, changes nothing.

    `raw` are the bytes that it was decoded from: where they are at hand, nothing has to be encoded to be looked at.
    """
    plain = is_plain(raw) if raw is not None else _is_encoded_plain(body)
    request = made_of_sound(PostRequest, body, plain=True) if plain else None
    checked = _straight(request, adapters, facts) if request is not None else None
    return checked if checked is not None else _gone_through(body, adapters, facts, plain=plain)


def _is_encoded_plain(body: object) -> bool:
    try:
        return is_plain(msgspec.json.encode(body))
    except (TypeError, ValueError, RecursionError):
        return False


def _straight(request: PostRequest, adapters: Mapping[str, AnyAdapter], facts: Facts) -> Checked | None:
    """The verdict on a plain request, if there is nothing to say of its envelope, and no account to be chosen."""
    if not facts.team_known or request.first_comment or request.social_account_ids is not None:
        return None
    post_date = parse_date(request.post_date, ())
    platforms, data = request.social_account_types, request.data
    once = {*platforms}
    if isinstance(post_date, Finding) or len(once) < len(platforms) or not data.keys() <= once:
        return None
    accounts = _lone(facts.accounts)
    planned: list[Planned] = []
    findings: list[Finding] = []
    for platform in platforms:
        adapter, account, block = adapters.get(platform), accounts.get(platform), data.get(platform)
        if block is None:
            block = {}
        if adapter is None or account is None or not isinstance(block, dict) or "socialAccountIds" in block:
            return None
        draft = shortcut(adapter).draft(request, block, account, facts.uploads)
        if draft is not None:
            planned.append(
                Planned(platform=platform, position=0, block=block, account=account, draft=draft, sound=True)
            )
            continue
        path = ("data", platform)
        made = drafted(adapter, request, block, path=path, account=account, uploads=facts.uploads)
        findings += made.findings
        planned.append(_planned(platform, 0, block, account, made))
    report = _report(request.status, [], findings) if findings else Report()
    return Checked(report=report, request=request, post_date=post_date, planned=tuple(planned))


def _lone(accounts: Sequence[Account]) -> dict[str, Account]:
    """By platform, the accounts that are the only one there."""
    lone = {account.platform: account for account in accounts}
    if len(lone) < len(accounts):
        counts = Counter(account.platform for account in accounts)
        return {platform: account for platform, account in lone.items() if counts[platform] == 1}
    return lone


def _gone_through(body: object, adapters: Mapping[str, AnyAdapter], facts: Facts, *, plain: bool) -> Checked:
    """The verdict on a request of which there may be something to say."""
    request, findings = convert(PostRequest, body)
    sent: dict[str, Any] = body if isinstance(body, dict) else {}
    if isinstance(sent.get("teamId"), str) and not facts.team_known:
        words = "There is no such team; use one of your own."
        findings.append(Finding(code="unknown_team", path=("teamId",), message=words))
    post_date = _post_date(sent, findings)
    planned: list[Planned] = []
    in_blocks: list[Finding] = []
    faulty = {finding.path[0] for finding in findings if finding.severity == "error" and finding.path}
    shared = Shared.of(sent, faulty) if faulty or request is None else request
    for platform in _platforms(sent, adapters, findings):
        for plan, found in _blocks(platform, sent, shared, adapters[platform], facts, plain):
            planned += plan
            in_blocks += found
    report = _report(sent.get("status"), findings, in_blocks)
    return Checked(report=report, request=request, post_date=post_date, planned=tuple(planned))


def named_uploads(body: object) -> set[str]:
    """Every upload id that a request names, in its shared part or in a block, sound or not."""
    if not isinstance(body, dict):
        return set()
    data = body.get("data")
    blocks = [block for value in (data.values() if isinstance(data, dict) else ()) for block in _as_list(value)]
    lists = [holder.get("uploadIds") for holder in [body, *blocks] if isinstance(holder, dict)]
    return {item for ids in lists if isinstance(ids, list) for item in ids if isinstance(item, str)}


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _post_date(sent: Mapping[str, Any], findings: list[Finding]) -> datetime | None:
    if not isinstance(sent.get("postDate"), str):
        return None
    parsed = parse_date(sent["postDate"], ("postDate",))
    if isinstance(parsed, Finding):
        findings.append(parsed)
        return None
    return parsed


def _platforms(sent: Mapping[str, Any], adapters: Mapping[str, AnyAdapter], findings: list[Finding]) -> Iterator[str]:
    """The platforms that a request asks for and that are served, each once."""
    asked = sent.get("socialAccountTypes")
    seen: set[str] = set()
    for index, name in enumerate(asked if isinstance(asked, list) else ()):
        at = ("socialAccountTypes", index)
        if not isinstance(name, str):
            continue
        if name not in adapters:
            findings.append(_unknown_platform(name, at, adapters))
        elif name in seen:
            words = f"{name} is named twice; it counts once."
            findings.append(Finding(code="duplicate", path=at, message=words, severity="warning"))
        else:
            seen.add(name)
            yield name
    data = sent.get("data")
    for name, block in data.items() if isinstance(data, dict) else ():
        if name not in adapters:
            findings.append(_unknown_platform(name, ("data", name), adapters))
        elif name not in seen and block is not None:
            words = f"This block is not used: {name} is not among socialAccountTypes."
            findings.append(Finding(code="block_unused", path=("data", name), message=words, severity="warning"))


def _unknown_platform(name: str, path: Path, adapters: Mapping[str, AnyAdapter]) -> Finding:
    known = ", ".join(sorted(adapters))
    hint = nearest(name, adapters)
    words = f"This platform is not served here{hint or '; take it out.'} Served: {known}."
    return Finding(code="unknown_platform", path=path, message=words)


def _blocks(
    platform: str, sent: Mapping[str, Any], shared: AnyShared, adapter: AnyAdapter, facts: Facts, plain: bool
) -> Iterator[tuple[list[Planned], list[Finding]]]:
    data = sent.get("data")
    value = data.get(platform) if isinstance(data, dict) else None
    many = isinstance(value, list)
    if many and not value:
        words = "The list of blocks is empty; put one block in, or take the platform out."
        yield [], [Finding(code="too_few", path=("data", platform), message=words)]
    for index, block in enumerate(value if isinstance(value, list) else [value]):
        path: Path = ("data", platform, index) if many else ("data", platform)
        if block is not None and not isinstance(block, dict):
            yield [], [Finding(code="wrong_type", path=path, message="A block has to be an object.")]
            continue
        accounts, findings = _accounts(platform, block or {}, sent, path, facts)
        plan: list[Planned] = []
        for account in accounts:
            draft = shortcut(adapter).draft(shared, block or {}, account, facts.uploads) if plain else None
            made = Drafted(draft=draft, findings=())
            if draft is None:
                made = drafted(adapter, shared, block or {}, path=path, account=account, uploads=facts.uploads)
            findings += made.findings
            plan.append(_planned(platform, index, block or {}, account, made))
        if comment := _first_comment(platform, sent):
            findings.append(comment)
        yield plan, findings


def _planned(platform: str, position: int, block: Mapping[str, Any], account: Account | None, made: Drafted) -> Planned:
    return Planned(
        platform=platform,
        position=position,
        block={**block, **made.settled},
        account=account,
        draft=made.draft,
        sound=account is not None and not any(finding.severity == "error" for finding in made.findings),
    )


def _first_comment(platform: str, sent: Mapping[str, Any]) -> Finding | None:
    comments = sent.get("firstComment")
    if not isinstance(comments, dict) or not comments.get(platform):
        return None
    return Finding(
        code="field_unused",
        path=("firstComment", platform),
        message="First comments are not published; the post goes out without it.",
        severity="warning",
    )


def _accounts(
    platform: str, block: Mapping[str, Any], sent: Mapping[str, Any], path: Path, facts: Facts
) -> tuple[list[Account | None], list[Finding]]:
    """The accounts that a block goes to; `[None]` with a finding where that is not certain."""
    if not facts.team_known:
        return [None], []
    connected = [account for account in facts.accounts if account.platform == platform]
    own, shared = block.get("socialAccountIds"), sent.get("socialAccountIds")
    named, at = (own, path) if isinstance(own, list) else (shared, ())
    if isinstance(named, list):
        everywhere = {account.id for account in (connected if at else facts.accounts)}
        there = _listed(connected) or "none"
        wrong = [
            Finding(
                code="unknown_account",
                path=(*at, "socialAccountIds", index),
                message=f"There is no such account on {platform} in this team; there are: {there}.",
            )
            for index, id in enumerate(named)
            if isinstance(id, str) and id not in everywhere
        ]
        chosen: list[Account | None] = [account for account in connected if account.id in named]
        if chosen or wrong:
            return chosen or [None], wrong
    if len(connected) == 1:
        return [connected[0]], []
    if not connected:
        words = f"The team has no account on {platform}; connect one first."
        return [None], [Finding(code="no_account", path=path, message=words)]
    words = f"The team has several accounts on {platform}; name one in socialAccountIds: {_listed(connected)}."
    return [None], [Finding(code="account_ambiguous", path=(*path, "socialAccountIds"), message=words)]


def _listed(accounts: Iterable[Account]) -> str:
    return ", ".join(f"{account.id} ({account.username})" for account in accounts)


def _report(status: object, findings: list[Finding], in_blocks: list[Finding]) -> Report:
    """All that is found, without repetitions: a block that goes to several accounts has its faults told once."""
    if status == "DRAFT":
        in_blocks = [_unfinished(finding) for finding in in_blocks]
    return Report(tuple(dict.fromkeys(findings + in_blocks)))


def _unfinished(finding: Finding) -> Finding:
    if finding.code in _SHAPE:
        return finding
    return msgspec.structs.replace(finding, severity="warning")
