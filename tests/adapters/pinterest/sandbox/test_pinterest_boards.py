"""Boards and their sections, each user's own."""

import re
from typing import Any

import pytest

SECRETS = ("boards:read", "boards:write", "boards:read_secret", "boards:write_secret")


async def test_a_new_user_has_boards_that_can_be_pinned_to(ann: Any) -> None:
    body = await ann.get("/v5/boards")
    assert [board["name"] for board in body["items"]] == ["Travel", "Recipes", "Inspiration"]
    assert body["bookmark"] is None
    assert body["items"][-1]["id"] == ann.board


async def test_a_board_is_made_changed_and_removed(ann: Any) -> None:
    status, made, _ = await ann.call("POST", "/v5/boards", json={"name": "Salads", "description": "Green"})
    assert status == 201
    assert re.fullmatch(r"\d{18}", made["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", made["created_at"])
    assert (made["name"], made["description"], made["privacy"], made["pin_count"]) == ("Salads", "Green", "PUBLIC", 0)
    status, changed, _ = await ann.call("PATCH", f"/v5/boards/{made['id']}", json={"name": "Soups"})
    assert (status, changed["name"], changed["description"]) == (200, "Soups", "Green")
    assert await ann.get(f"/v5/boards/{made['id']}") == changed
    assert (await ann.call("DELETE", f"/v5/boards/{made['id']}"))[:2] == (204, None)
    status, body, _ = await ann.call("GET", f"/v5/boards/{made['id']}")
    assert (status, body["message"]) == (404, "Board not found.")


async def test_a_board_takes_its_pins_with_it(ann: Any) -> None:
    _, pin, _ = await ann.pin()
    await ann.call("DELETE", f"/v5/boards/{ann.board}")
    assert (await ann.call("GET", f"/v5/pins/{pin['id']}"))[0] == 404


@pytest.mark.parametrize("name", ["", "  ", "Inspiration"])
async def test_a_board_needs_a_name_of_its_own(ann: Any, name: str) -> None:
    status, body, _ = await ann.call("POST", "/v5/boards", json={"name": name})
    assert (status, body["code"], body["message"]) == (400, 400, "The board name is invalid or duplicated.")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({}, "'name' is a required property"),
        ({"name": 5}, "5 is not of type 'string'"),
        ({"name": "A", "privacy": "HIDDEN"}, "'HIDDEN' is not one of ['PUBLIC', 'PROTECTED', 'SECRET']"),
        ([], "[] is not of type 'object'"),
    ],
)
async def test_a_board_that_fits_no_schema_is_refused(ann: Any, sent: Any, reason: str) -> None:
    status, body, _ = await ann.call("POST", "/v5/boards", json=sent)
    assert (status, body["code"], body["message"]) == (400, 1, f"Invalid request: {reason}")


async def test_boards_come_in_pages(ann: Any, clock: Any) -> None:
    for number in range(7):
        await ann.call("POST", "/v5/boards", json={"name": f"Board {number}"})
    seen, bookmark, sizes = [], None, []
    while True:
        query = {"page_size": "4"} | ({"bookmark": bookmark} if bookmark else {})
        body = await ann.get("/v5/boards", **query)
        sizes.append(len(body["items"]))
        seen += [board["name"] for board in body["items"]]
        if (bookmark := body["bookmark"]) is None:
            break
    assert sizes == [4, 4, 2]
    assert seen == [*(f"Board {number}" for number in reversed(range(7))), "Travel", "Recipes", "Inspiration"]


async def test_a_page_holds_25_unless_asked_otherwise(ann: Any) -> None:
    for number in range(30):
        await ann.call("POST", "/v5/boards", json={"name": f"Board {number}"})
    assert len((await ann.get("/v5/boards"))["items"]) == 25
    assert len((await ann.get("/v5/boards", page_size="250"))["items"]) == 33


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ("0", "0 is less than the minimum of 1"),
        ("251", "251 is greater than the maximum of 250"),
        ("ten", "'ten' is not of type 'integer'"),
    ],
)
async def test_a_page_has_1_to_250_items(ann: Any, size: str, reason: str) -> None:
    status, body, _ = await ann.call("GET", "/v5/boards", params={"page_size": size})
    assert (status, body["message"]) == (400, f"Invalid request: {reason}")


@pytest.mark.parametrize("bookmark", ["é", "abc", "YmVmb3JlOng="])
async def test_a_bookmark_nobody_gave_is_refused(ann: Any, bookmark: str) -> None:
    status, body, _ = await ann.call("GET", "/v5/boards", params={"bookmark": bookmark})
    assert (status, body["code"]) == (400, 1)


async def test_boards_are_filtered_by_privacy(with_scopes: Any) -> None:
    ann = with_scopes(*SECRETS)
    await ann.call("POST", "/v5/boards", json={"name": "Hidden", "privacy": "SECRET"})
    await ann.call("POST", "/v5/boards", json={"name": "Guarded", "privacy": "PROTECTED"})

    async def names(**query: str) -> set[str]:
        return {board["name"] for board in (await ann.get("/v5/boards", **query))["items"]}

    public = {"Inspiration", "Recipes", "Travel"}
    assert await names() == await names(privacy="ALL") == public | {"Hidden", "Guarded"}
    assert await names(privacy="PUBLIC") == public
    assert await names(privacy="SECRET") == {"Hidden"}
    assert await names(privacy="PROTECTED") == {"Guarded"}
    assert await names(privacy="PUBLIC_AND_SECRET") == public | {"Hidden"}
    assert (await ann.call("GET", "/v5/boards", params={"privacy": "OPEN"}))[0] == 400


async def test_a_secret_board_wants_scopes_of_its_own(ann: Any, with_scopes: Any) -> None:
    status, body, _ = await ann.call("POST", "/v5/boards", json={"name": "Hidden", "privacy": "SECRET"})
    assert (status, body["code"]) == (401, 3)
    assert body["message"].endswith("Missing: ['boards:write_secret']")
    _, made, _ = await with_scopes(*SECRETS).call("POST", "/v5/boards", json={"name": "Hidden", "privacy": "SECRET"})
    assert (await ann.call("GET", f"/v5/boards/{made['id']}"))[0] == 404
    assert "Hidden" not in {board["name"] for board in (await ann.get("/v5/boards"))["items"]}
    assert (await ann.pin(board_id=made["id"]))[0] == 404


async def test_an_ads_only_board_names_itself(ann: Any) -> None:
    _, made, _ = await ann.call("POST", "/v5/boards", json={"name": "Mine", "is_ads_only": True})
    assert (made["name"], made["privacy"], made["is_ads_only"]) == ("Ad-only Pins", "PROTECTED", True)


async def test_sections_are_made_and_listed(ann: Any) -> None:
    path = f"/v5/boards/{ann.board}/sections"
    status, first, _ = await ann.call("POST", path, json={"name": "Green"})
    assert (status, first["name"]) == (201, "Green")
    _, second, _ = await ann.call("POST", path, json={"name": "S" * 180})
    assert await ann.get(path) == {"items": [second, first], "bookmark": None}


@pytest.mark.parametrize("sent", [{}, {"name": ""}, {"name": "S" * 181}, {"name": None}])
async def test_a_section_needs_a_name_of_1_to_180_characters(ann: Any, sent: Any) -> None:
    status, body, _ = await ann.call("POST", f"/v5/boards/{ann.board}/sections", json=sent)
    assert (status, body["code"], body["message"]) == (400, 400, "Invalid board section parameters.")


@pytest.mark.parametrize("call", ["GET ", "PATCH ", "DELETE ", "GET /pins", "GET /sections", "POST /sections"])
async def test_nobody_sees_another_users_board(ann: Any, account: Any, call: str) -> None:
    bob = account()
    method, rest = call.split(" ")
    for board in (ann.board, "123"):
        status, body, _ = await bob.call(method, f"/v5/boards/{board}{rest}", json={"name": "Mine now"})
        assert (status, body["code"], body["message"]) == (404, 404, "Board not found.")
    assert ann.board not in {board["id"] for board in (await bob.get("/v5/boards"))["items"]}


async def test_a_board_is_named_by_digits(ann: Any) -> None:
    status, body, _ = await ann.call("GET", "/v5/boards/my-board")
    assert (status, body["message"]) == (400, r"Invalid request: 'my-board' does not match '^\\d+$'")
