"""The judge of all tests sees what fits the description, and what does not; our limits are Pinterest's or stricter."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, get_args

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec import inspect

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.block import PinBlock
from adapters.pinterest.boards import Boards
from adapters.pinterest.sandbox import PinterestSandbox
from core.limits import category_of
from core.post import Url
from core.sandbox import running
from tests.description import PINTEREST, Description
from tests.judge import Judge, judging
from tests.server.cli.running import sandbox

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
def strict(description: Description, tmp_path: Path) -> Iterator[Judge]:
    """A judge in the place of the other: what is wrong on purpose is none of its business."""
    with judging(description, tmp_path / "exchanges.jsonl") as made:
        yield made


async def heard(judge: Judge, sandbox: PinterestSandbox, method: str, path: str, **sent: Any) -> list[str]:
    """The complaints about one call of ours."""
    async with running(sandbox) as at, aiohttp.ClientSession(at.url) as http:
        headers = {"User-Agent": "fingerpost/1", "Authorization": f"Bearer {sandbox.seed().access_token}"}
        async with http.request(method, path, headers=headers | sent.pop("headers", {}), **sent) as answer:
            await answer.read()
    return judge.complaints()


DAY = "start_date=2026-01-01&end_date=2026-01-02"
URL = {"source_type": "image_url", "url": "https://a.example/p.jpg"}
BYTES = {"source_type": "image_base64", "content_type": "image/png"}
PIN = {"board_id": "1", "media_source": URL}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "pinr_"}


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
            "Content for the following mimetype not found: text/plain",
        ),
        ("POST", "/v5/pins", {"json": {"board_id": "x"}}, "does not match"),
        ("POST", "/v5/boards", {}, "Missing required request body"),
        ("POST", "/v5/pins", {"json": {**PIN, "publish_at": "x"}}, ".publish_at: nobody knows it"),
        ("POST", "/v5/pins", {"json": {**PIN, "media_source": {**URL, "x": 1}}}, ".media_source.x: nobody knows it"),
        ("POST", "/v5/pins", {"json": {**PIN, "media_source": {**BYTES, "data": "a-b_"}}}, "does not match"),
        ("POST", "/v5/pins", {"json": PIN}, None),
        ("PATCH", "/v5/pins/1", {"json": {"title": "x" * 101}}, "is too long"),
        ("PUT", "/v5/pins/1", {}, "there is no such operation"),
        ("DELETE", "/v5/pins/1", {"json": {}}, "there must be no body"),
        ("POST", "/v5/boards/1/sections", {"json": {"name": ""}}, "should be non-empty"),
        ("POST", "/v5/boards", {"json": {"name": "A", "privacy": "HIDDEN"}}, "'HIDDEN' is not one of"),
        ("GET", f"/v5/pins/1/analytics?{DAY}", {}, "metric_types"),
        ("GET", f"/v5/pins/1/analytics?{DAY}&metric_types=LIKES", {}, "'LIKES'"),
        ("GET", f"/v5/pins/1/analytics?{DAY}&metric_types=SAVE,PIN_CLICK", {}, None),
        ("GET", f"/v5/pins/analytics?{DAY}&metric_types=SAVE&pin_ids=1,2", {}, "'1,2' does not match"),
        ("GET", f"/v5/pins/analytics?{DAY}&metric_types=SAVE&pin_ids=1&pin_ids=2", {}, None),
        ("GET", "/v5/boards", {"headers": {"Authorization": "Basic eA=="}}, "Security not found"),
        ("POST", "/v5/oauth/token", {"data": REFRESH, "headers": {"Authorization": "Basic eA=="}}, None),
        ("POST", "/v5/oauth/token", {"data": REFRESH}, "Security not found"),
        ("POST", "/v5/oauth/token", {"data": {}, "headers": {"Authorization": "Basic eA=="}}, "required"),
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


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "words"),
    [
        ("GET", "/pins/1", 200, {"id": "1", "created_at": "2025-05-21T01:13:01"}, None),
        ("GET", "/pins/1", 200, {"id": "abc"}, "does not match"),
        ("GET", "/pins", 200, {"items": [{"id": "1", "media": {"media_type": "x"}}]}, "media_type"),
        ("GET", "/pins/1", 200, None, "Missing response data"),
        ("POST", "/pins", 400, {"message": "no code"}, "'code' is a required property"),
        ("POST", "/pins", 418, {"message": "no code"}, "'code' is a required property"),
        ("DELETE", "/pins/1", 204, {}, "there must be no body"),
        ("DELETE", "/pins/1", 204, None, None),
    ],
)
def test_the_description_finds_what_does_not_fit_an_answer(
    description: Description, method: str, path: str, status: int, body: Any, words: str | None
) -> None:
    sent = None if body is None else json.dumps(body)
    found = description.mistakes_of_answer(method, path, status, {"Content-Type": "application/json"}, sent)
    assert (found == []) if words is None else any(words in each for each in found), found


async def test_a_sandbox_in_a_process_of_its_own_is_judged_too(strict: Judge) -> None:
    with sandbox("pinterest") as told:
        headers = {"User-Agent": "fingerpost/1", "Authorization": f"Bearer {told['user']['access_token']}"}
        async with aiohttp.ClientSession(told["url"], headers=headers) as http:
            await http.get("/v5/boards?page_size=251")
            await http.get("/v5/boards")
    (found,) = strict.complaints()
    assert "GET /v5/boards?page_size=251" in found
    assert strict.complaints() == []


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

(URL_PATTERN,) = (meta.pattern for meta in get_args(Url)[1:])

STRICTER = {
    ("boardId", "max_length", 32): "no id has been seen with more than 19 digits; an endless one is a mistake",
    ("boardSectionId", "max_length", 32): "as with boards",
    ("link", "pattern", URL_PATTERN): "the live API answers 400 code 1 to what is no URL",
    ("thumbnail", "pattern", URL_PATTERN): "Pinterest fetches it",
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
