"""The shortcut: what is checked at once is what going through all of it finds nothing in, with the same drafts."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Meta

from core.adapter import Adapter, Fill, Profile, Published
from core.check import Checked, Facts, check
from core.conformance.specimens import specimens
from core.describe import schema
from core.drafting import AnyAdapter, drafted
from core.limits import FileLimits, Limits, MediaLimits, TextLimit
from core.post import Account, Block, Channel, Draft, Media, Shared
from core.registry import Registry
from core.rules import rule
from core.session import Session
from core.shortcut import shortcut
from tests.blocks import blocks, shared_parts

REGISTRY = Registry.installed()
DOUBTFUL = rb'"\u0000"'
"""Bytes that keep a check from any short way."""


class Slip(Block, frozen=True, kw_only=True):
    code: Annotated[str, Meta(pattern="^[a-z ]+$", max_length=30)] | None = None
    text: Annotated[str, Meta(max_length=30)] | None = None
    lines: list[str] = []
    caption: Annotated[str, Meta(max_length=20)] | None = None


class Addressed(Slip, frozen=True, kw_only=True):
    to: str


def first_line(text: str) -> str:
    return text.splitlines(keepends=True)[0]


class Slips(Adapter[Slip]):
    """Fills, limits and rules of every kind."""

    platform, label, certainty = "SLIPS", "Slips", "none"
    hosts = {"api": "http://127.0.0.1:1"}
    limits = Limits(
        texts=(
            TextLimit(field="text", most=20, counter="graphemes"),
            TextLimit(field="lines", most=5),
            TextLimit(field="caption", most=10),
        ),
        media=MediaLimits(count=(0, 2), mix=True, image=FileLimits(mimes=("image/png",), ratio_advised=(1, 1))),
    )
    fills: ClassVar[tuple[Fill, ...]] = (
        Fill(field="code", source="text", part=first_line, if_it_fits=True),
        Fill(field="code", source="title", part=str.lower, if_it_fits=True, warning="The title is used."),
        Fill(field="text", source="text"),
        Fill(field="text", source="link", below=True),
        Fill(field="caption", source="alt_text"),
    )

    def limits_of(self, account: Account | None) -> Limits:
        if account is None or not account.facts:
            return self.limits
        return msgspec.structs.replace(self.limits, texts=(TextLimit(field="text", **account.facts),))

    @rule("slips.hush", "Do not shout.", at="text", severity="warning")
    def is_quiet(self, draft: Draft[Slip]) -> bool | str:
        return not (draft.block.text or "").isupper() or f"{draft.block.text} is loud."

    @rule("slips.many", "One picture has no caption.", at=("uploadIds", "caption"))
    def shows_something(self, draft: Draft[Slip]) -> bool:
        return not draft.block.caption or bool(draft.media)

    async def publish(self, draft: Draft[Slip], session: Session) -> Published:
        raise NotImplementedError

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


class Codes(Adapter[Addressed]):
    """Its code is a text's first line with the line's end, and its block has a field that it cannot do without."""

    platform, label, certainty = "CODES", "Codes", "none"
    hosts = {"api": "http://127.0.0.1:1"}
    fills = (
        Fill(field="code", source="text", part=first_line),
        Fill(field="caption", source="title", if_it_fits=True),
    )

    async def publish(self, draft: Draft[Addressed], session: Session) -> Published:
        raise NotImplementedError

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


ADAPTERS: dict[str, AnyAdapter] = {**REGISTRY, "SLIPS": Slips(), "CODES": Codes()}
CHANNELS = (Channel(id="1", name="One"), Channel(id="2", name="Two", writable=False))
PICTURE = Media(upload_id="image", kind="image", mime="image/png", bytes=10, width=600, height=900)
FILES = {
    "image": PICTURE,
    "told": msgspec.structs.replace(PICTURE, upload_id="told", alt_text="A dog"),
    "wordy": msgspec.structs.replace(PICTURE, upload_id="wordy", alt_text="d" * 1100),
    "odd": msgspec.structs.replace(PICTURE, upload_id="odd", alt_text="A\0dog"),
    "webp": msgspec.structs.replace(PICTURE, upload_id="webp", mime="image/webp"),
    "film": Media(upload_id="film", kind="video", mime="video/mp4", bytes=10, width=600, height=900, seconds=9),
    "https://example.com/fetched": msgspec.structs.replace(PICTURE, url="https://example.com/fetched"),
}


def account(platform: str, number: int = 1, **facts: Any) -> Account:
    return Account(
        id=f"{platform}-{number}", platform=platform, username="us", external_user="1", channels=CHANNELS, facts=facts
    )


ACCOUNTS = tuple(map(account, ADAPTERS))


def post(blocks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "teamId": "t",
        "title": "A post",
        "postDate": "2030-01-01T00:00:00Z",
        "status": "SCHEDULED",
        "socialAccountTypes": list(blocks),
        "data": dict(blocks),
        **more,
    }


def both_ways(
    body: dict[str, Any], uploads: Mapping[str, Media] = FILES, accounts: Sequence[Account] = ACCOUNTS
) -> Checked:
    """What a check says, by whichever way it takes."""
    facts = Facts(accounts=tuple(accounts), uploads=uploads)
    through = check(body, ADAPTERS, facts, raw=DOUBTFUL)
    for raw in (None, json.dumps(body).encode(), msgspec.json.encode(body)):
        assert check(body, ADAPTERS, facts, raw=raw) == through
    return through


def taken(
    adapter: AnyAdapter,
    block: dict[str, Any],
    shared: dict[str, Any],
    whose: Account | None = None,
    uploads: Mapping[str, Media] = FILES,
) -> bool:
    """Whether the shortcut is, and makes the same draft."""
    part = Shared(title="A post", **shared)
    draft = shortcut(adapter).draft(part, block, whose, uploads)
    made = drafted(adapter, part, block, path=("data",), account=whose, uploads=uploads)
    if draft is not None:
        assert (made.draft, made.findings, made.settled) == (draft, (), {})
    return draft is not None


@pytest.mark.parametrize(
    ("block", "shared", "short"),
    [
        ({}, {}, False),
        ({"code": None}, {}, False),
        ({"code": "x"}, {}, True),
        ({"code": "x", "text": None}, {"text": "Words"}, True),
        ({"code": "x"}, {"text": "w" * 21}, False),
        ({"code": "x"}, {"text": "w" * 31}, False),
        ({}, {"text": "words"}, True),
        ({}, {"text": "words\nand more"}, False),
        ({"code": "x"}, {"text": "👨‍👩‍👧‍👦" * 4}, True),
        ({"code": "x"}, {"text": "Words", "link": "link"}, True),
        ({"code": "x", "text": "See link"}, {"link": "link"}, True),
        ({"code": "x", "text": "Words"}, {"link": "l" * 20}, False),
        ({"code": "x", "text": "LOUD"}, {}, False),
        ({"code": "x", "caption": "A dog"}, {}, False),
        ({"code": "x", "uploadIds": ["image"]}, {}, False),
        ({"code": "x", "uploadIds": ["nobody"]}, {}, False),
        ({"code": "x", "mediaUrls": ["https://example.com/"]}, {"alt_text": "A dog"}, True),
        ({"code": "x", "mediaUrls": ["https://example.com/"] * 3}, {}, False),
        ({"code": "x"}, {"media_urls": ["https://example.com/"] * 2, "alt_text": "A dog"}, True),
        ({"code": "x", "caption": "A dog", "mediaUrls": ["https://example.com/"] * 2}, {}, True),
        ({"code": "x", "caption": "", "mediaUrls": ["https://example.com/"]}, {}, True),
        ({"code": "x", "lines": ["12345"]}, {}, True),
        ({"code": "x", "lines": ["123456"]}, {}, False),
        ({"code": "x", "nobody": 1}, {}, False),
        ({"code": "X"}, {}, False),
    ],
)
def test_it_is_taken_where_there_is_nothing_to_say(block: dict[str, Any], shared: dict[str, Any], short: bool) -> None:
    assert taken(ADAPTERS["SLIPS"], block, shared) is short
    if not block.get("uploadIds"):
        assert taken(ADAPTERS["SLIPS"], block, shared, uploads={}) is short


def test_a_file_that_was_fetched_from_its_url_is_looked_at() -> None:
    block = {"code": "x", "mediaUrls": ["https://example.com/fetched"]}
    assert not taken(ADAPTERS["SLIPS"], block, {})
    assert taken(ADAPTERS["SLIPS"], block, {}, uploads={})


@pytest.mark.parametrize(("text", "short"), [("one", True), ("one\ntwo", False), ("One", False)])
def test_a_part_of_a_text_is_looked_at_for_itself(text: str, short: bool) -> None:
    assert taken(ADAPTERS["CODES"], {"to": "a"}, {"text": text}) is short


def test_the_limits_are_those_of_the_account() -> None:
    block, slips = {"code": "x", "text": "Words"}, ADAPTERS["SLIPS"]
    assert taken(slips, block, {}, account("SLIPS", most=5))
    assert not taken(slips, block, {}, account("SLIPS", most=4))


@pytest.mark.parametrize("uploads", [["told"], ["image", "told"], ["wordy"], ["image", "wordy"], ["odd"], ["film"]])
def test_what_is_kept_of_an_upload_is_the_same_by_either_way(uploads: list[str]) -> None:
    body = post(
        {
            "PINTEREST": {"boardId": "1", "text": "A Pin", "link": "https://example.com/", "uploadIds": uploads},
            "SLIPS": {"code": "x"},
        },
        uploadIds=uploads,
    )
    found = both_ways(body)
    kept = {planned.platform: planned.block.get("altText") for planned in found.planned}
    assert kept["PINTEREST"] == FILES[uploads[0]].alt_text


JSON = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["SCHEDULED", "DRAFT", "REVIEW", "LATER"]),
        "title": st.sampled_from(["T", "t" * 101, "", "a\0", "a\n"]),
        "mediaFit": st.sampled_from(["off", "safe"]),
        "postDate": st.sampled_from(["2030-01-01T00:00:00Z", "2030-01-01", "soon"]),
        "firstComment": st.sampled_from([None, {}, {"ECHO": "a"}, {"ECHO": None}, {"ECHO": 5}]),
        "socialAccountIds": st.sampled_from([None, [], ["ECHO-1"], ["ECHO-2", "ECHO-1"], ["nobody"], [5]]),
        "socialAccountTypes": st.sampled_from([["ECHO", "ECHO"], ["ECHO", "NOBODY"], ["ECHO", 5], []]),
        "uploadIds": st.lists(st.sampled_from(sorted(FILES)), max_size=2),
        "odd": JSON,
    },
)
NOTHING: st.SearchStrategy[dict[str, Any]] = st.just({})


def near(platform: str) -> st.SearchStrategy[Any]:
    """Blocks of every kind, many of which are sound."""
    adapter = ADAPTERS[platform]
    ours = {"SLIPS": {"code": "x"}, "CODES": {"to": "a"}, "ECHO": {"text": "Words"}}
    example = ours.get(platform) or adapter.example("1", "https://example.com/p")
    own = blocks(schema(adapter))
    files = st.fixed_dictionaries(
        {}, optional={"uploadIds": st.lists(st.sampled_from([*FILES, "nobody"]), max_size=2), "mediaUrls": st.none()}
    )
    changed = st.tuples(st.just(example), NOTHING | files | own).map(lambda pair: pair[0] | pair[1])
    return st.one_of(st.just(example), changed, changed, own, st.lists(changed, max_size=2), JSON)


@pytest.mark.parametrize("platform", sorted(ADAPTERS))
def test_by_either_way_a_check_says_the_same(platform: str) -> None:
    seen = {True: 0, False: 0}

    @settings(max_examples=150, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(near(platform), near("ECHO"), NOTHING | shared_parts(), NOTHING | ENVELOPES, st.booleans(), st.booleans())
    def judge(block: Any, other: Any, shared: Any, envelope: Any, known: bool, several: bool) -> None:
        accounts = [*ACCOUNTS, account("ECHO", 2)] if several else ACCOUNTS
        body = post({platform: block, "ECHO": other} if several else {platform: block}, **{**shared, **envelope})
        found = both_ways(body, FILES if known else {}, accounts)
        seen[not found.report.findings] += 1

    judge()
    assert min(seen.values()) > 5, seen


SOUND = post({"ECHO": {"text": "Words"}, "BLUESKY": None})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": "Words"}, set()),
        ({}, {"bluesky.content"}),
        ({"status": "DRAFT"}, {"bluesky.content?"}),
        ({"text": "Words", "socialAccountTypes": ["ECHO", "BLUESKY", "ECHO"]}, {"duplicate?"}),
        ({"text": "Words", "socialAccountTypes": ["ECHO"], "data": {"BLUESKY": {}}}, {"block_unused?"}),
        ({"text": "Words", "socialAccountTypes": ["ECHO"], "data": {"NOBODY": None}}, {"unknown_platform"}),
        ({"text": "Words", "data": {"ECHO": [{"text": "One"}, {"text": "Two"}]}}, set()),
        ({"text": "Words", "data": {"ECHO": {"socialAccountIds": ["ECHO-1"]}}}, set()),
        ({"text": "Words", "data": {"ECHO": {"socialAccountIds": ["nobody"]}}}, {"unknown_account"}),
        ({"text": "Words", "socialAccountIds": ["BLUESKY-1"]}, set()),
        ({"text": "Words", "firstComment": {"ECHO": "Mine"}}, {"field_unused?"}),
        ({"text": "w" * 501}, {"too_long"}),
        ({"text": "w" * 501, "adapt": "shorten"}, {"shortened?"}),
    ],
)
def test_what_there_is_to_say_is_said_by_either_way(change: dict[str, Any], told: set[str]) -> None:
    found = both_ways({**SOUND, **change}).report.findings
    assert {each.code + ("?" if each.severity == "warning" else "") for each in found} == told


def test_an_unknown_team_is_told_whatever_else_is_known() -> None:
    facts = Facts(team_known=False, accounts=ACCOUNTS)
    found = check({**SOUND, "text": "Words"}, ADAPTERS, facts)
    assert [each.code for each in found.report.errors] == ["unknown_team"]


def test_each_post_is_looked_at_for_itself() -> None:
    block = {"boardId": "1", "text": "A Pin", "mediaUrls": ["https://example.com/p"]}
    assert not both_ways(post({"PINTEREST": block})).report.errors
    block["mediaUrls"] = ["https://example.com/p"] * 6
    assert [each.code for each in both_ways(post({"PINTEREST": block})).report.errors] == ["media_too_many"]


def test_specimens_of_every_platform_take_it() -> None:
    for platform, adapter in REGISTRY.items():
        block = adapter.example("1", "https://example.com/p")
        assert taken(adapter, block | ({"text": "Words"} if platform == "ECHO" else {}), {}, account(platform)), (
            platform
        )
        assert specimens(adapter.limits.media) or platform == "ECHO"
