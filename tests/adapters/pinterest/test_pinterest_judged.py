"""The judge of all tests sees what fits the description, and what does not; and the fuzz finds the sandbox unbroken."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.block import PinBlock
from adapters.pinterest.boards import Boards
from adapters.pinterest.sandbox import PinterestSandbox
from core.governor.allowance import category_of
from core.sandbox import running
from tests.description import PINTEREST, Description
from tests.judge import Judge, judging

pytestmark = pytest.mark.skipif(not PINTEREST, reason="PINTEREST_OPENAPI names no description of the API")


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(Path(PINTEREST))


class Wrong(PinterestSandbox):
    """A sandbox that answers one operation as Pinterest never would."""

    def routes(self) -> Any:
        async def wrong(_: Any) -> Any:
            return web.json_response({"items": [{"id": "abc", "name": 7}]})

        kept = [route for route in super().routes() if (route.method, route.path) != ("GET", "/v5/boards")]
        return [web.get("/v5/boards", wrong), *kept]


@pytest.fixture
def strict(description: Description, judge: Judge | None) -> Iterator[Judge]:
    """A judge of its own; what is wrong on purpose is none of the other's business."""
    with judging(description) as made:
        yield made
    if judge is not None:
        judge.complaints.clear()


async def heard(judge: Judge, sandbox: PinterestSandbox, method: str, path: str, **sent: Any) -> list[str]:
    """The complaints about one call of ours."""
    async with running(sandbox) as at, aiohttp.ClientSession(at.url) as http:
        headers = {"User-Agent": "fingerpost/1", "Authorization": f"Bearer {sandbox.seed().access_token}"}
        async with http.request(method, path, headers=headers | sent.pop("headers", {}), **sent) as answer:
            await answer.read()
    found, judge.complaints = judge.complaints, []
    return found


@pytest.mark.parametrize(
    ("method", "path", "sent", "words"),
    [
        ("GET", "/v5/boards?page_size=250", {}, None),
        ("GET", "/v5/boards?page_size=251", {}, "page_size"),
        ("GET", "/v5/boards?page=2", {}, "query page: nobody knows it"),
        ("GET", "/v5/nothing", {}, "there is no such operation"),
        ("GET", "/v5/boards/my-board", {}, "board_id"),
        ("POST", "/v5/boards", {"json": {"name": "a"}}, None),
        ("POST", "/v5/boards", {"json": {"name": "a", "publish_at": "x"}}, ".publish_at: nobody knows it"),
        ("POST", "/v5/boards", {"json": {}}, "'name' is a required property"),
        (
            "POST",
            "/v5/boards",
            {"data": b"name=a", "headers": {"Content-Type": "text/plain"}},
            "the body is text/plain",
        ),
        ("POST", "/v5/pins", {"json": {"board_id": "x"}}, "does not match"),
        ("GET", "/v5/boards", {"headers": {"Authorization": "Basic eA=="}}, "it is authorised by Bearer"),
    ],
)
async def test_the_judge_finds_what_does_not_fit_a_request(
    strict: Judge, method: str, path: str, sent: dict[str, Any], words: str | None
) -> None:
    found = await heard(strict, PinterestSandbox(rng=Random(1)), method, path, **sent)
    assert (found == []) if words is None else any(words in each for each in found), found


async def test_the_judge_finds_an_answer_that_does_not_fit(strict: Judge) -> None:
    found = await heard(strict, Wrong(rng=Random(1)), "GET", "/v5/boards")
    assert any("'abc' does not match" in each for each in found) or any("7 is not of type" in each for each in found)


BOUNDS = {
    "text": ("PinCreate", "title"),
    "description": ("PinCreate", "description"),
    "link": ("PinCreate", "link"),
    "altText": ("PinCreate", "alt_text"),
    "boardId": ("PinCreate", "board_id"),
    "boardSectionId": ("PinCreate", "board_section_id"),
    "dominantColor": ("PinCreate", "dominant_color"),
    "isAiGenerated": ("PinCreate", "ai_disclosures"),
    "aiDisclosures": ("AiDisclosures", "values"),
    "thumbnail": ("PinMediaSourceVideoID", "cover_image_url"),
    "thumbnailOffset": ("PinMediaSourceVideoID", "cover_image_key_frame_time"),
}
"""Fields of a block, and the properties of the description that they are sent as."""

OURS_ALONE = {
    "uploadIds", "mediaUrls", "socialAccountIds",  # whence the media come, and where to
    "boardName", "createBoard",  # sent as the board's id
    "note",  # gone from the API since 5.20; taken with a warning
}  # fmt: skip

STRICTER = {
    ("boardId", "max_length", 32): "no id has been seen with more than 19 digits; an endless one is a mistake",
    ("boardSectionId", "max_length", 32): "as with boards",
    ("link", "pattern", r"^https?://[^\s/]\S*$"): "the live API answers 400 code 1 to what is no URL",
    ("thumbnail", "pattern", r"^https?://[^\s/]\S*$"): "Pinterest fetches it",
    ("thumbnail", "max_length", 2048): "Pinterest names no bound; a longer URL is a mistake",
    ("dominantColor", "pattern", "^#[0-9a-fA-F]{6}$"): "its description says: a hex number, such as #6E7874",
    ("aiDisclosures", "min_length", 1): "an empty list discloses nothing",
    ("aiDisclosures", "max_length", 2): "there are two values",
    ("thumbnailOffset", "le", 900_000): "no video lasts longer than 15 minutes (Help Center)",
}
"""Where a declared bound is tighter than the description's, and why."""

NAMES = {"max_length": "maxLength", "min_length": "minLength", "pattern": "pattern", "ge": "minimum", "le": "maximum"}


def declared(name: str) -> dict[str, Any]:
    """The bounds of a field of the block."""
    info = inspect.type_info(PinBlock)
    assert isinstance(info, inspect.StructType)
    (field,) = (field for field in info.fields if field.encode_name == name)
    kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    plain = [kind.type if isinstance(kind, inspect.Metadata) else kind for kind in kinds]
    return {bound: value for kind in plain for bound in NAMES if (value := getattr(kind, bound, None)) is not None}


def test_every_limit_of_a_pin_is_pinterests_or_stricter_for_a_reason(description: Description) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(PinBlock)}
    assert fields == set(BOUNDS) | OURS_ALONE
    reasons = set(STRICTER)
    for name, (schema, attribute) in BOUNDS.items():
        theirs = description.resolved(description.schema(schema)["properties"][attribute])
        ours = declared(name)
        for bound, value in ours.items():
            if (name, bound, value) in reasons:
                reasons.discard((name, bound, value))
                continue
            told = theirs.get(NAMES[bound], theirs.get("pattern") if bound == "pattern" else None)
            told = told.replace(r"\d", "[0-9]") if bound == "pattern" and told else told
            assert told == value, f"{name}: {bound} is {value}, and Pinterest says {told}"
        for bound, theirs_name in NAMES.items():
            assert theirs_name not in theirs or bound in ours, f"{name}: Pinterest's {theirs_name} is missing"
    assert reasons == set(), "these are no longer declared"


def test_the_limits_of_media_and_boards_are_pinterests(description: Description) -> None:
    for name in ("PinMediaSourceImagesURL", "PinMediaSourceImagesBase64"):
        items = description.schema(name)["properties"]["items"]
        assert (items["minItems"], items["maxItems"]) == (2, Pinterest.limits.media.count[1])
    image, video = Pinterest.limits.media.image, Pinterest.limits.media.video
    assert image is not None
    assert set(image.mimes) == set(description.schema("ContentType")["enum"])
    # The rest is the Help Center's (product specs): bytes, seconds, shapes, codecs. The description has none of it.
    assert (image.bytes_max, video and video.seconds, video and video.ratio) == (20_000_000, (4, 900), (0.5, 1.91))
    assert Boards.section_max == description.schema("BoardSection")["properties"]["name"]["maxLength"]
    privacies = {each.lower() for each in description.schema("BoardPrivacy")["enum"]}
    assert set(Boards.privacies) == privacies
    disclosures = description.schema("AiDisclosureItem")["enum"]
    info = json.loads(json.dumps(msgspec.json.schema(PinBlock)))
    assert all(value in json.dumps(info) for value in disclosures)


def test_every_operation_counts_in_the_category_that_the_description_gives(description: Description) -> None:
    table = tuple(Pinterest.operations.items())
    for method, template, operation in description.operations:
        told = category_of(table, method, f"/v5{template}")
        assert told == operation["x-ratelimit-category"], f"{method} {template}"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1", "\0", "https://a.example", "/9j/", "0" * 400, "PUBLIC", "video", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


class Making:
    """Makes values after the schemas of a description, sound more often than not."""

    def __init__(self, description: Description, ids: dict[str, str]) -> None:
        self.description = description
        self._ids = ids

    def value(self, schema: Any, name: str = "", depth: int = 0) -> st.SearchStrategy[Any]:
        schema = self.description.resolved(schema)
        sound = self._sound(schema, name, depth)
        return st.one_of(sound, sound, sound, JUNK)

    def _sound(self, schema: Any, name: str, depth: int) -> st.SearchStrategy[Any]:
        if "allOf" in schema:
            return self.value(schema["allOf"][0], name, depth)
        if "oneOf" in schema:
            return st.one_of([self.value(each, name, depth + 1) for each in schema["oneOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if name in self._ids:
            return st.sampled_from([self._ids[name], "1"])
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                least, most = schema.get("minItems", 0), schema.get("maxItems", 2)
                return st.lists(self.value(schema["items"], name, depth + 1), min_size=least, max_size=min(most, 5))
            case "integer" | "number":
                return st.integers(schema.get("minimum", -3), schema.get("maximum", 300))
            case "boolean":
                return st.booleans()
        longest = schema.get("maxLength", 30)
        return st.text(max_size=min(longest, 40)) | st.sampled_from(["x" * longest, "x" * (longest + 1), "1"])

    def _object(self, schema: Any, depth: int) -> st.SearchStrategy[Any]:
        properties = schema.get("properties", {})
        needed = {each: self.value(properties[each], each, depth + 1) for each in schema.get("required", ())}
        others = {each: self.value(properties[each], each, depth + 1) for each in properties if each not in needed}
        return st.fixed_dictionaries(needed, optional=others if depth < 3 else {})


EXAMPLES = int(os.environ.get("PINTEREST_FUZZ", "8"))
"""Calls of each operation; the variable is for those who want to look for longer."""


@pytest.fixture
def fuzzed() -> Iterator[tuple[PinterestSandbox, str]]:
    """A sandbox that serves in a thread of its own, and where."""
    limits = dict.fromkeys(("safety_net", "org_read", "org_write", "org_analytics"), (10**6, 1.0))
    sandbox = PinterestSandbox(rng=Random(1), media_seconds=0.0, limits=limits)
    url: Future[str] = Future()

    async def live() -> None:
        async with running(sandbox) as at:
            url.set_result(at.url)
            await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    serving = loop.create_task(live())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.close()

    thread = Thread(target=run)
    thread.start()
    yield sandbox, url.result(60)
    loop.call_soon_threadsafe(serving.cancel)
    thread.join()


def test_nothing_that_the_description_could_mean_breaks_the_sandbox(
    fuzzed: tuple[PinterestSandbox, str], description: Description
) -> None:
    seed = fuzzed[0].seed()
    headers = {"Authorization": f"Bearer {seed.access_token}"}
    with httpx.Client(base_url=f"{fuzzed[1]}/v5", headers=headers, trust_env=False, timeout=60.0) as http:
        section = http.post(f"/boards/{seed.channel_id}/sections", json={"name": "s"}).json()["id"]
        ids = {"board_id": seed.channel_id, "section_id": section, "board_section_id": section}
        for operation in description.operations:
            _fuzz(http, Making(description, ids), *operation)


def _fuzz(http: httpx.Client, making: Making, method: str, template: str, operation: Any) -> None:
    parameters = [making.description.resolved(each) for each in operation.get("parameters", ())]
    content = operation.get("requestBody", {}).get("content", {})
    kind = next(iter(content), None)
    values = st.fixed_dictionaries({each["name"]: making.value(each["schema"], each["name"]) for each in parameters})
    body = making.value(content[kind]["schema"]) if kind else st.none()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(values, body, st.sets(st.sampled_from([each["name"] for each in parameters] or ["-"])))
    def judge(values: dict[str, Any], body: Any, left_out: set[str]) -> None:
        texts = {name: _text(value) for name, value in values.items()}
        path = re.sub(r"\{(\w+)\}", lambda name: quote(texts[name[1]], safe="") or "-", template)
        query = {name: texts[name] for name in texts if f"{{{name}}}" not in template and name not in left_out}
        sent: dict[str, Any] = {}
        if kind == "application/json":
            sent = {"content": json.dumps(body), "headers": {"Content-Type": kind}}
        elif kind:
            fields = body if isinstance(body, dict) else {"x": body}
            sent = {"data": {_text(name): _text(value) for name, value in fields.items()}}
        answer = http.request(method, path, params=query, **sent)
        assert answer.status_code < 500, f"{method} {path} {query} {body}: {answer.text}"

    judge()


def _text(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.encode("utf-8", "replace").decode()
