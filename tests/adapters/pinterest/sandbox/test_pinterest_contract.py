"""The sandbox's answers fit Pinterest's own OpenAPI description; its file is named by PINTEREST_OPENAPI."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.description import PINTEREST as DESCRIPTION
from tests.description import Description

pytestmark = pytest.mark.skipif(not DESCRIPTION, reason="PINTEREST_OPENAPI names no description of the API")


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(Path(DESCRIPTION))


async def test_every_answer_fits_the_description(ann: Any, account: Any, pictures: str, description: Any) -> None:
    async def call(method: str, template: str, status: int, **options: Any) -> Any:
        path = template.format(**options.pop("at", {}))
        answered, body, _ = await ann.call(method, f"/v5{path}", **options)
        assert answered == status, body
        assert description.mistakes(method, template, status, body) == []
        return body

    source = {"source_type": "image_url", "url": f"{pictures}/PNG/300/300"}
    carousel = {"source_type": "multiple_image_urls", "items": [{"url": source["url"]}] * 2}
    board = {"board_id": ann.board}
    await call("GET", "/user_account", 200)
    made = await call("POST", "/boards", 201, json={"name": "New", "description": None})
    await call("POST", "/boards", 400, json={"name": "New"})
    await call("PATCH", "/boards/{board_id}", 200, at={"board_id": made["id"]}, json={"privacy": "PUBLIC"})
    section = await call("POST", "/boards/{board_id}/sections", 201, at=board, json={"name": "S"})
    await call("POST", "/boards/{board_id}/sections", 400, at=board, json={})
    await call("GET", "/boards/{board_id}/sections", 200, at=board)
    full = {**board, "media_source": source, "title": "t", "link": "https://a.example", "note": "n"}
    pin = await call("POST", "/pins", 201, json={**full, "board_section_id": section["id"]})
    await call("POST", "/pins", 201, json={**board, "media_source": carousel})
    await call("POST", "/pins", 400, json={})
    await call("POST", "/pins", 403, json={**full, "media_source": {**source, "url": f"{pictures}/garbage"}})
    await call("POST", "/pins", 404, json={**full, "board_id": "1"})
    await call("POST", "/pins", 429, json={**full, "link": "https://spam.example"})
    await call("GET", "/pins", 200, params={"page_size": "1"})
    await call("GET", "/pins/{pin_id}", 200, at={"pin_id": pin["id"]})
    await call("GET", "/pins/{pin_id}", 404, at={"pin_id": "1"})
    await call("GET", "/boards", 200, params={"page_size": "1"})
    await call("GET", "/boards/{board_id}", 200, at=board)
    await call("GET", "/boards/{board_id}", 404, at={"board_id": "1"})
    await call("GET", "/boards/{board_id}/pins", 200, at=board)
    await call("DELETE", "/pins/{pin_id}", 204, at={"pin_id": pin["id"]})
    await call("DELETE", "/boards/{board_id}", 204, at={"board_id": made["id"]})
    await call("GET", "/user_account/businesses", 200)
    ann.token = "pina_dead"
    await call("GET", "/pins", 401)


async def test_the_answers_of_the_token_endpoint_fit_too(http: Any, sandbox: Any, description: Any) -> None:
    given = sandbox.sandbox.seed().refresh_token
    headers = {"Authorization": aiohttp.encode_basic_auth("1500000", "the-secret-of-the-sandbox")}
    for status in (200, 401):
        form = {"grant_type": "refresh_token", "refresh_token": given}
        async with http.post("/v5/oauth/token", data=form, headers=headers) as answer:
            assert answer.status == status
            assert description.mistakes("POST", "/oauth/token", status, await answer.json()) == []


async def test_the_description_finds_faults(description: Any) -> None:
    assert description.mistakes("GET", "/pins/{pin_id}", 200, {"id": "abc"}) != []
    assert description.mistakes("GET", "/pins", 200, {"items": [{"id": "1", "media": {"media_type": "x"}}]}) != []
    assert description.mistakes("POST", "/pins", 400, {"message": "no code"}) != []
    assert description.mistakes("DELETE", "/pins/{pin_id}", 204, {}) != []
