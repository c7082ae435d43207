"""Pins that are there already, sections, and figures: as strict as Pinterest, and in the shapes of its description."""

from typing import Any

import aiohttp
import pytest

from adapters.pinterest.sandbox.operations import OPERATIONS, PUBLISHER_SCOPES

DAY = {"start_date": "2025-10-01", "end_date": "2025-10-09"}
"""Around the moment at which the clock of these tests stands."""

BETA = "Your application does not have access to this restricted feature."


async def made(ann: Any, **fields: Any) -> Any:
    status, pin, _ = await ann.pin(**fields)
    assert status == 201
    return pin


async def board(ann: Any, name: str) -> str:
    status, body, _ = await ann.call("POST", "/v5/boards", json={"name": name})
    assert status == 201
    return str(body["id"])


async def test_a_pin_is_changed_and_moved(ann: Any) -> None:
    pin, other = await made(ann, title="One", description="Words", link="https://a.example"), await board(ann, "Other")
    change = {"title": "Two", "link": None, "board_id": other}
    status, changed, _ = await ann.call("PATCH", f"/v5/pins/{pin['id']}", json=change)
    assert (status, changed["title"], changed["link"], changed["description"]) == (200, "Two", None, "Words")
    assert changed["board_id"] == other
    assert await ann.get(f"/v5/pins/{pin['id']}") == changed
    assert [each["id"] for each in (await ann.get(f"/v5/boards/{other}/pins"))["items"]] == [pin["id"]]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"title": "x" * 101}, 400, 1),
        ({"board_id": "abc"}, 400, 1),
        ({"board_id": "1"}, 404, 40),
        ({"board_section_id": "1"}, 404, 2031),
        ({"link": "no URL"}, 400, 1),
        ({"link": "https://spam.example"}, 429, 9),
    ],
)
async def test_a_change_is_held_to_the_same_bounds(ann: Any, change: Any, status: int, code: int) -> None:
    pin = await made(ann)
    answered, body, _ = await ann.call("PATCH", f"/v5/pins/{pin['id']}", json=change)
    assert (answered, body["code"]) == (status, code)
    assert (await ann.get(f"/v5/pins/{pin['id']}")) == pin


async def test_saving_makes_a_child(ann: Any, account: Any) -> None:
    pin, other = await made(ann, title="One"), await board(ann, "Other")
    _, section, _ = await ann.call("POST", f"/v5/boards/{other}/sections", json={"name": "S"})
    body = {"board_id": other, "board_section_id": section["id"]}
    status, copy, _ = await ann.call("POST", f"/v5/pins/{pin['id']}/save", json=body)
    assert (status, copy["parent_pin_id"], copy["title"], copy["board_section_id"]) == (
        201, pin["id"], "One", section["id"],
    )  # fmt: skip
    assert copy["id"] != pin["id"]
    in_section = await ann.get(f"/v5/boards/{other}/sections/{section['id']}/pins")
    assert [each["id"] for each in in_section["items"]] == [copy["id"]]
    for path, sent, code in (
        (pin["id"], {"board_id": "1"}, 40),
        (pin["id"], {"board_id": other, "board_section_id": "1"}, 2031),
        ("1", {"board_id": other}, 50),
    ):
        status, refused, _ = await ann.call("POST", f"/v5/pins/{path}/save", json=sent)
        assert (status, refused["code"]) == (404, code)
    bob = account()
    assert (await bob.call("POST", f"/v5/pins/{pin['id']}/save", json={"board_id": bob.board}))[0] == 403


async def test_a_section_goes_and_its_pins_stay(ann: Any) -> None:
    path = f"/v5/boards/{ann.board}/sections"
    _, section, _ = await ann.call("POST", path, json={"name": "S"})
    pin = await made(ann, board_section_id=section["id"])
    status, renamed, _ = await ann.call("PATCH", f"{path}/{section['id']}", json={"name": "T"})
    assert (status, renamed) == (200, {"id": section["id"], "name": "T"})
    assert (await ann.call("PATCH", f"{path}/{section['id']}", json={"name": ""}))[0] == 400
    assert (await ann.call("DELETE", f"{path}/{section['id']}"))[:2] == (204, None)
    assert (await ann.get(f"/v5/pins/{pin['id']}"))["board_section_id"] is None
    for method, more in (("PATCH", {"json": {"name": "U"}}), ("DELETE", {})):
        status, body, _ = await ann.call(method, f"{path}/{section['id']}", **more)
        assert (status, body["message"]) == (404, "Board section not found.")


async def test_figures_are_the_same_whenever_asked_and_grow_with_time(ann: Any, clock: Any) -> None:
    pin = await made(ann)
    path = f"/v5/pins/{pin['id']}/analytics"
    asked = {**DAY, "metric_types": "IMPRESSION,SAVE,SAVE_RATE,TOTAL_COMMENTS"}
    first = (await ann.get(path, **asked))["all"]
    assert (await ann.get(path, **asked))["all"] == first
    assert set(first["summary_metrics"]) == {"IMPRESSION", "SAVE", "SAVE_RATE"}
    assert set(first["lifetime_metrics"]) == {"TOTAL_COMMENTS"}
    assert sum(day["metrics"]["IMPRESSION"] for day in first["daily_metrics"]) == first["summary_metrics"]["IMPRESSION"]
    await ann.call("POST", f"/v5/pins/{pin['id']}/save", json={"board_id": ann.board})
    saved = (await ann.get(path, **asked))["all"]
    assert saved["summary_metrics"]["SAVE"] == first["summary_metrics"]["SAVE"] + 1
    clock.now += 86_400
    later = (await ann.get(path, **{**asked, "end_date": "2025-10-10"}))["all"]
    assert later["summary_metrics"]["IMPRESSION"] > saved["summary_metrics"]["IMPRESSION"]
    assert later["lifetime_metrics"]["TOTAL_COMMENTS"] > saved["lifetime_metrics"]["TOTAL_COMMENTS"]


@pytest.mark.parametrize(
    "query",
    [
        {"metric_types": ""},
        {"metric_types": "LIKES"},
        {"metric_types": "VIDEO_MRC_VIEW"},
        {"start_date": "2025-07-01"},
        {"start_date": "2025-10-09", "end_date": "2025-10-01"},
        {"end_date": "2026-01-01"},
        {"start_date": "yesterday"},
    ],
)
async def test_figures_that_do_not_exist_are_refused(ann: Any, query: dict[str, str]) -> None:
    pin = await made(ann)
    asked = {**DAY, "metric_types": "IMPRESSION", **query}
    status, body, _ = await ann.call("GET", f"/v5/pins/{pin['id']}/analytics", params=asked)
    assert (status, body) == (400, {"code": 400, "message": "Invalid pins analytics parameters.", "status": "failure"})


@pytest.mark.parametrize("options", [{"features": ()}])
async def test_what_is_in_beta_wants_a_grant(ann: Any) -> None:
    pin = await made(ann)
    asked = {**DAY, "metric_types": "IMPRESSION", "pin_ids": pin["id"]}
    for method, path, more in (
        ("PATCH", f"/v5/pins/{pin['id']}", {"json": {"title": "T"}}),
        ("GET", "/v5/pins/analytics", {"params": asked}),
    ):
        status, body, _ = await ann.call(method, path, **more)
        assert (status, body["code"], body["message"]) == (401, 3, BETA)


@pytest.mark.parametrize("options", [{"analytics": False}])
async def test_figures_can_be_missing_as_in_pinterests_own_sandbox(ann: Any) -> None:
    assert (await ann.call("GET", "/v5/user_account/analytics", params=DAY))[0] == 403


async def test_no_token_is_revoked_by_an_app(http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth("1500000", "the-secret-of-the-sandbox")}
    for sent, status, code in (({"token": "pina_x"}, 403, 29), ({}, 400, 1)):
        async with http.post("/v5/oauth/token/revoke", data=sent, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (status, code)
    async with http.post("/v5/oauth/token/revoke", data={"token": "x"}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.scopes])
async def test_every_scope_of_an_operation_is_missed_by_name(ann: Any, with_scopes: Any, name: str) -> None:
    method, path = name.split(" ")
    path = path.replace("{board_id}", ann.board).replace("{pin_id}", "1").replace("{section_id}", "1")
    needed = OPERATIONS[name].scopes
    for scope in needed:
        lacking = with_scopes(*(each for each in PUBLISHER_SCOPES if each != scope))
        status, body, _ = await lacking.call(method, path.replace("{media_id}", "1"), json={})
        assert (status, body["code"]) == (401, 3)
        assert body["message"].endswith(f"Missing: ['{scope}']")
