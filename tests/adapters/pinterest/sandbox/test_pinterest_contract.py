"""Every operation, answered and refused; the judge of all tests holds the answers against the description."""

from typing import Any

import aiohttp

from adapters.pinterest.sandbox.operations import OPERATIONS

DAY = {"start_date": "2025-10-01", "end_date": "2025-10-09"}
BOARD, SECTION, PIN = "/boards/{board_id}", "/boards/{board_id}/sections/{section_id}", "/pins/{pin_id}"


class Calls:
    """Calls by a user, with the status that each has to be answered by; `at` fills the path templates."""

    def __init__(self, ann: Any) -> None:
        self._ann = ann
        self.at = {"board_id": ann.board, "section_id": "1", "pin_id": "1", "media_id": "1"}
        self.answered: set[str] = set()

    async def __call__(self, name: str, status: int, **options: Any) -> Any:
        method, template = name.split(" ")
        path = template.format(**self.at | options.pop("at", {}))
        answered, body, _ = await self._ann.call(method, f"/v5{path}", **options)
        assert answered == status, body
        if status < 300:
            self.answered.add(f"{method} /v5{template}")
        return body


async def test_every_operation_is_answered_and_refused_as_described(ann: Any, pictures: str) -> None:
    call = Calls(ann)
    await boards(call)
    await pins(call, pictures)
    await media(call)
    await figures(call)
    await call(f"DELETE {PIN}", 204)
    await call(f"DELETE {SECTION}", 204)
    await call(f"DELETE {SECTION}", 404)
    await call(f"GET {SECTION}/pins", 404)
    assert call.answered == set(OPERATIONS)
    ann.token = "pina_dead"
    await call("GET /pins", 401)


async def boards(call: Calls) -> None:
    await call("GET /user_account", 200)
    await call("GET /user_account/businesses", 200)
    made = await call("POST /boards", 201, json={"name": "New", "description": None})
    await call("POST /boards", 400, json={"name": "New"})
    await call(f"PATCH {BOARD}", 200, at={"board_id": made["id"]}, json={"privacy": "PUBLIC"})
    await call("GET /boards", 200, params={"page_size": "1"})
    await call(f"GET {BOARD}", 200)
    await call(f"GET {BOARD}", 404, at={"board_id": "1"})
    await call(f"DELETE {BOARD}", 204, at={"board_id": made["id"]})
    section = await call(f"POST {BOARD}/sections", 201, json={"name": "S"})
    await call(f"POST {BOARD}/sections", 400, json={})
    await call(f"GET {BOARD}/sections", 200)
    call.at["section_id"] = section["id"]
    await call(f"PATCH {SECTION}", 200, json={"name": "T"})


async def pins(call: Calls, pictures: str) -> None:
    source = {"source_type": "image_url", "url": f"{pictures}/PNG/300/300"}
    carousel = {"source_type": "multiple_image_urls", "items": [{"url": source["url"]}] * 2}
    board = {"board_id": call.at["board_id"]}
    full = {**board, "media_source": source, "title": "t", "link": "https://a.example", "note": "n"}
    pin = await call("POST /pins", 201, json={**full, "board_section_id": call.at["section_id"]})
    await call("POST /pins", 201, json={**board, "media_source": carousel})
    await call("POST /pins", 400, json={})
    await call("POST /pins", 403, json={**full, "media_source": {**source, "url": f"{pictures}/garbage"}})
    await call("POST /pins", 404, json={**full, "board_id": "1"})
    await call("POST /pins", 429, json={**full, "link": "https://spam.example"})
    await call(f"GET {PIN}", 404)
    call.at["pin_id"] = pin["id"]
    await call(f"GET {PIN}", 200)
    await call("GET /pins", 200, params={"page_size": "1"})
    await call(f"GET {BOARD}/pins", 200)
    await call(f"GET {SECTION}/pins", 200)
    await call(f"PATCH {PIN}", 200, json={"title": "U"})
    await call(f"PATCH {PIN}", 400, json={"title": 1})
    await call(f"POST {PIN}/save", 201, json={})
    await call(f"POST {PIN}/save", 404, json={"board_id": "1"})


async def media(call: Calls) -> None:
    slot = await call("POST /media", 201, json={"media_type": "video"})
    await call("POST /media", 400, json={"media_type": "image"})
    await call("GET /media", 200)
    await call("GET /media/{media_id}", 200, at={"media_id": slot["media_id"]})
    await call("GET /media/{media_id}", 404)


async def figures(call: Calls) -> None:
    asked = {**DAY, "metric_types": "IMPRESSION,TOTAL_COMMENTS"}
    await call(f"GET {PIN}/analytics", 200, params=asked)
    await call(f"GET {PIN}/analytics", 200, params={**asked, "split_field": "APP_TYPE"})
    await call(f"GET {PIN}/analytics", 400)
    types = [("metric_types", "SAVE"), ("metric_types", "TOTAL_REACTIONS")]
    many = [*DAY.items(), ("pin_ids", call.at["pin_id"]), *types]
    await call("GET /pins/analytics", 200, params=many)
    await call("GET /pins/analytics", 404, params=[*many, ("pin_ids", "1")])
    await call("GET /user_account/analytics", 200, params=DAY)
    await call("GET /user_account/analytics/top_pins", 200, params={**DAY, "sort_by": "IMPRESSION"})
    await call("GET /user_account/analytics/top_video_pins", 200, params={**DAY, "sort_by": "IMPRESSION"})


async def test_the_token_endpoint_gives_tokens_and_refuses(http: Any, sandbox: Any) -> None:
    given = sandbox.sandbox.seed().refresh_token
    headers = {"Authorization": aiohttp.encode_basic_auth("1500000", "the-secret-of-the-sandbox")}
    for status in (200, 401):
        form = {"grant_type": "refresh_token", "refresh_token": given}
        async with http.post("/v5/oauth/token", data=form, headers=headers) as answer:
            assert answer.status == status
