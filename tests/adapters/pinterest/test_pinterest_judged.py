"""The judge of all tests sees what fits the description, and what does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.pinterest.sandbox import PinterestSandbox
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
