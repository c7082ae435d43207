"""The baseline of the check has the same rules as ours: the same verdicts, on the same fields, by the same codes."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.baselines import checking, files
from bench.check import accounts_of, body_of, models_of, platforms
from bench.place import BOARD
from core.check import Facts, Planned, check
from core.describe import schema
from core.findings import Finding
from core.media.facts import Details
from core.post import Account, Channel, Media
from tests.blocks import blocks

ADAPTERS = platforms(2)
TWIN = Channel(id="2", name="Twin")
ACCOUNTS = (
    *accounts_of(ADAPTERS),
    Account(id="second", platform="ECHO", username="them", external_user="them"),
)
PINS = (
    ACCOUNTS[0],
    Account(
        id="boards",
        platform="PINTEREST",
        username="us",
        external_user="us",
        channels=(BOARD, TWIN, Channel(id="3", name="TWIN"), Channel(id="4", name="twin ")),
    ),
)
PICTURE = Media(upload_id="picture", kind="image", mime="image/png", bytes=10, width=1000, height=1500)
FILES = {
    "picture": PICTURE,
    "wide": Media(upload_id="wide", kind="image", mime="image/jpeg", bytes=10, width=3000, height=1500),
    "small": Media(upload_id="small", kind="image", mime="image/png", bytes=10, width=200, height=300),
    "heavy": Media(upload_id="heavy", kind="image", mime="image/png", bytes=20_000_001, width=1000, height=1500),
    "webp": Media(upload_id="webp", kind="image", mime="image/webp", bytes=10, width=1000, height=1500),
    "told": Media(upload_id="told", kind="image", mime="image/png", bytes=10, alt_text="A dog"),
    "wordy": Media(upload_id="wordy", kind="image", mime="image/png", bytes=10, alt_text="d" * 501),
    "film": Media(upload_id="film", kind="video", mime="video/mp4", bytes=10, width=1000, height=1500, seconds=10),
    "brief": Media(upload_id="brief", kind="video", mime="video/webm", bytes=10, width=100, height=1500, seconds=1),
    "lengthy": Media(
        upload_id="lengthy",
        kind="video",
        mime="video/mp4",
        seconds=901,
        details=Details(video_codec="av1", location=True),
    ),
    "paper": Media(upload_id="paper", kind="document", mime="application/pdf", bytes=10),
}
LINK = "https://example.com/"
PIN = {"boardId": BOARD.id, "mediaUrls": ["https://a.example/b"], "uploadIds": None, "socialAccountIds": None}
SHARED: list[dict[str, Any]] = [{}, {"text": "t" * 501}, {"link": LINK}, {"altText": "a"}]
NONE_OF_IT = {"text": None, "description": None, "link": None, "altText": None}


Told = set[tuple[str, str, str]]
"""Findings: severity, path and code."""


def ours(body: Mapping[str, Any], accounts: tuple[Account, ...]) -> tuple[Told, list[Any]]:
    checked = check(json.loads(json.dumps(body)), ADAPTERS, Facts(accounts=accounts, uploads=FILES))
    return told(checked.report.findings), [delivery(planned) for planned in checked.planned]


def theirs(body: Mapping[str, Any], accounts: tuple[Account, ...]) -> tuple[Told, list[Any]]:
    kinds, models = models_of(ADAPTERS, accounts)
    uploads = {
        name: files.Media(
            upload_id=name, kind=file.kind, mime=file.mime, bytes=file.bytes, width=file.width, height=file.height,
            seconds=file.seconds, codec=file.details.video_codec, location=file.details.location,
            alt_text=file.alt_text,
        )
        for name, file in FILES.items()
    }  # fmt: skip
    checked = checking.check(json.dumps(body).encode(), models, kinds, uploads)
    return told(checked.findings), [delivery(planned) for planned in checked.planned]


def told(findings: Iterable[Finding | checking.Finding]) -> Told:
    return {(each.severity, ".".join(map(str, each.path)), each.code) for each in findings}


def sound(found: Told) -> bool:
    return all(severity != "error" for severity, _, _ in found)


def fields(found: Told) -> set[tuple[str, ...]]:
    """The fields of blocks that are spoken of: of several faults of one, pydantic may tell only the first."""
    return {(severity, *path.split(".")[:3]) for severity, path, _ in found}


def delivery(planned: Planned | checking.Planned) -> tuple[Any, ...]:
    media = planned.draft.media if planned.draft else ()
    files = [(each.url, each.upload_id, each.alt_text) for each in media]
    account = planned.account.id if planned.account else None
    return planned.platform, planned.position, account, planned.block, planned.sound, files


def post(change: Mapping[str, Any]) -> dict[str, Any]:
    return {**json.loads(body_of(ADAPTERS)), **change}


def pin(**change: Any) -> dict[str, Any]:
    block = {**PIN, "text": "A Pin", **change}
    return {"data": {"PINTEREST": {name: value for name, value in block.items() if value != "left out"}}}


def files_of(*names: str, **change: Any) -> dict[str, Any]:
    return {**pin(mediaUrls=None, uploadIds=[*names], **change), "mediaFit": "off"}


ENVELOPES: list[dict[str, Any]] = [
    {}, {"title": ""}, {"title": "t" * 1001}, {"title": "a\0"}, {"title": None}, {"teamId": 5}, {"teamId": "\0"},
    {"status": "LATER"}, {"status": "REVIEW"}, {"status": "DRAFT"}, {"status": 5}, {"postDate": "2030-01-01T12:00:00"},
    {"postDate": "soon"}, {"postDate": 1_700_000_000}, {"postDate": None}, {"unknown": 1}, {"adapt": "cut"},
    {"mediaFit": "on"}, {"referenceKey": ""}, {"referenceKey": "k" * 129}, {"referenceKey": "k"}, {"maxDelay": 0},
    {"maxDelay": 5.0}, {"maxDelay": 5.5}, {"maxDelay": "5"}, {"maxDelay": True}, {"maxDelay": 31_536_001},
    {"text": "t" * 100_001}, {"text": 5}, {"text": "t" * 501}, {"text": "t" * 501, "adapt": "shorten"},
    {"text": "t" * 801, "adapt": "shorten", **pin()}, {"text": "t" * 801, **pin()},
    {"text": "First\nsecond", **pin(text=None)}, {"text": "l" * 101, **pin(text=None)},
    {"text": "l" * 101, "title": "t" * 101, **pin(text=None)}, {"link": "l" * 8193}, {"link": "nowhere", **pin()},
    {"link": LINK, **pin()}, {"link": "http://a.example", **pin()}, {"altText": "a" * 501, **pin()},
    {"altText": "a" * 10_001}, {"altText": "A dog", **pin()}, {"uploadIds": [5]}, {"uploadIds": "picture"},
    {"uploadIds": ["nobody"]}, {"uploadIds": ["picture"], **pin(mediaUrls=None)}, {"uploadIds": []},
    {"mediaUrls": ["ftp://a.example"]}, {"mediaUrls": [LINK], **pin(mediaUrls=None)}, {"mediaUrls": [LINK + "\n"]},
    {"socialAccountTypes": []}, {"socialAccountTypes": ["ECHO", "ECHO"]}, {"socialAccountTypes": ["ECHO"]},
    {"socialAccountTypes": ["ECHOO", "PINTEREST"]}, {"socialAccountTypes": ["ECHO", 5]}, {"socialAccountTypes": "ECHO"},
    {"socialAccountTypes": None}, {"data": None}, {"data": []}, {"data": {}}, {"data": {"ELSEWHERE": {}}},
    {"data": {"ECHO": []}}, {"data": {"ECHO": 5}}, {"data": {"ECHO": [{"text": "a"}, {"text": "b"}, 5]}},
    {"data": {"ECHO": None, **pin()["data"]}}, {"data": {"a\0": 1}}, {"data": {"ECHO": {"text": ["\0"]}}},
    {"firstComment": {"ECHO": "a"}}, {"firstComment": {"ECHO": None}}, {"firstComment": {"ECHO": 5}},
    {"firstComment": {"ELSEWHERE": "a", "PINTEREST": "b"}}, {"socialAccountIds": []}, {"socialAccountIds": [5]},
    {"socialAccountIds": ["account-ECHO"]}, {"socialAccountIds": ["account-ECHO", "account-PINTEREST"]},
    {"socialAccountIds": ["second", "account-ECHO", "account-PINTEREST"]}, {"socialAccountIds": ["nobody"]},
    {"status": "DRAFT", "data": {"ECHO": {"text": "t" * 501, "txet": 1}}}, {"title": "", "text": "t" * 501},
    {"status": "DRAFT", "uploadIds": ["nobody"]},
]  # fmt: skip
"""Changes of a post that is sound."""

BLOCKS: list[dict[str, Any]] = [
    {"data": {"ECHO": {"text": " "}}}, {"data": {"ECHO": {"text": "t" * 501}}}, {"data": {"ECHO": {"text": 5}}},
    {"data": {"ECHO": {"txet": "t"}}}, {"data": {"ECHO": {"mediaUrls": [LINK]}}}, {"text": "", "data": {}},
    {"data": {"ECHO": {"socialAccountIds": ["second"]}}}, {"data": {"ECHO": {"socialAccountIds": "second"}}}, pin(),
    pin(**NONE_OF_IT), pin(boardId=None), pin(boardId="one"), pin(boardId="1" * 33), pin(boardId=5), pin(boardId="1\n"),
    pin(boardId="9"), pin(boardSectionId="9"), pin(boardSectionId="nine"), pin(boardName=""), pin(boardName=BOARD.name),
    pin(boardName="No such board"), pin(boardId=None, boardName="No such board"), pin(boardId=None, boardName=5),
    pin(boardId=None, boardName=BOARD.name.upper()), pin(boardId=None, boardName="No such board", createBoard=True),
    pin(boardId=None, boardName="Twin"), pin(boardId=None, boardName="tWIN"), pin(createBoard="yes"),
    pin(createBoard=1), pin(text="t" * 101), pin(text=""), pin(description="d" * 801), pin(description="d" * 501),
    pin(link="ftp://a.example"), pin(link="http://a.example"), pin(link="HTTPS://a.example"), pin(link="https://[0]/"),
    pin(link="https://a@/"), pin(link="https://a.example/\n"), pin(link="l" * 2049), pin(link=LINK + "l" * 2049),
    pin(altText="a" * 501), pin(dominantColor="#12ab34"), pin(dominantColor="red"), pin(isAiGenerated=True),
    pin(isAiGenerated=None), pin(isAiGenerated="true"), pin(aiDisclosures=[]), pin(aiDisclosures=["AI_MODIFIED"]),
    pin(aiDisclosures=["OTHER"]), pin(aiDisclosures=["AI_MODIFIED"] * 3), pin(aiDisclosures="AI_MODIFIED"),
    pin(note="n"), pin(note="n" * 501), pin(note=None), pin(thumbnail=LINK), pin(thumbnail="nowhere"),
    pin(thumbnailOffset=5), pin(thumbnailOffset=5.0), pin(thumbnailOffset=-1), pin(thumbnailOffset=900_001),
    pin(thumbnailOffset="5"), pin(thumbnail=LINK, thumbnailOffset=5), pin(mediaUrls=[]), pin(mediaUrls=None),
    pin(mediaUrls=[LINK] * 5), pin(mediaUrls=[LINK] * 6), pin(mediaUrls=["nowhere"]), pin(mediaUrls=LINK),
    pin(mediaUrls=["https://a.example/film.mp4"]), pin(mediaUrls=["https://a.example/film.MP4?a=b"], thumbnail=LINK),
    pin(mediaUrls=["https://a.example/film.mov", LINK]), pin(mediaUrls=["https://a.example/film.mov"] * 2),
    pin(mediaUrls=["https://a.example/film.mov", LINK], thumbnailOffset=5), pin(unknown=1), pin(text="a\0"),
    pin(socialAccountIds=["account-PINTEREST"]), pin(socialAccountIds=["account-ECHO"]), pin(socialAccountIds=[]),
    pin(uploadIds=["picture"], mediaUrls=[LINK]), files_of("nobody"), files_of("picture"), files_of("picture", "wide"),
    files_of("small"), files_of("heavy"), files_of("webp"), files_of("told"),
    files_of("told", "picture", altText="A cat"), files_of("wordy"), files_of("film"), files_of("film", "picture"),
    files_of("film", "film"), files_of("film", "wide", "small"), files_of("film", thumbnailOffset=5),
    files_of("brief", thumbnail=LINK), files_of("lengthy", "picture"), files_of("paper"), files_of("picture", "nobody"),
    files_of(),
]  # fmt: skip
"""Blocks of their own."""


@pytest.mark.parametrize(
    "accounts",
    [ACCOUNTS[:2], PINS, ACCOUNTS, ACCOUNTS[:1], ()],
    ids=["one on each", "many boards", "two on one", "none on one", "none"],
)
@pytest.mark.parametrize("change", ENVELOPES + BLOCKS, ids=lambda change: json.dumps(change)[:60])
def test_both_find_the_same_faults_at_the_same_places(change: dict[str, Any], accounts: tuple[Account, ...]) -> None:
    found, planned = theirs(post(change), accounts)
    expected, made = ours(post(change), accounts)
    assert found == expected
    if sound(found):
        assert planned == made


def test_the_corpus_has_both_kinds_and_most_codes() -> None:
    verdicts = [ours(post(change), ACCOUNTS[:2])[0] for change in ENVELOPES + BLOCKS]
    assert sum(map(sound, verdicts)) > 40
    assert len(verdicts) - sum(map(sound, verdicts)) > 60
    rules = {rule.id for adapter in ADAPTERS.values() for rule in adapter.rules}
    assert {code for found in verdicts for _, _, code in found} > rules


@pytest.mark.parametrize("platform", sorted(ADAPTERS))
def test_both_judge_any_block_alike(platform: str) -> None:
    seen = {True: 0, False: 0}

    @settings(max_examples=300, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(blocks(schema(ADAPTERS[platform])), st.sampled_from(SHARED), st.sampled_from([{}, PIN]))
    def judge(block: dict[str, Any], shared: dict[str, Any], needed: dict[str, Any]) -> None:
        whole = {**block, **needed} if platform == "PINTEREST" else block
        body = post({"socialAccountTypes": [platform], "data": {platform: whole}, **shared})
        expected, _ = ours(body, ACCOUNTS[:2])
        found, _ = theirs(body, ACCOUNTS[:2])
        assert fields(found) == fields(expected)
        seen[sound(found)] += 1

    judge()
    assert min(seen.values()) > 20, seen
