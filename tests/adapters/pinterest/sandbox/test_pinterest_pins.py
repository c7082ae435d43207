"""Pins are checked, kept and listed as Pinterest's are."""

import asyncio
import re
from typing import Any

import pytest


async def test_a_pin_comes_back_as_it_was_sent(ann: Any, clock: Any) -> None:
    sent = {
        "title": "New arrival Pin",
        "description": "Discover our latest collection",
        "link": "https://example.com/a?b=c#d",
        "alt_text": "A lamp",
        "dominant_color": "#6E7874",
        "note": "Only for me",
    }
    status, made, _ = await ann.pin(**sent)
    assert status == 201
    assert {name: made[name] for name in sent} == sent
    assert re.fullmatch(r"\d{18}", made["id"])
    assert made["created_at"] == "2025-10-09T08:53:20"
    assert (made["board_id"], made["board_owner"]) == (ann.board, {"username": "sandbox_1"})
    assert (made["creative_type"], made["is_owner"]) == ("REGULAR", True)
    assert await ann.get(f"/v5/pins/{made['id']}") == made


async def test_a_pins_picture_is_shown_in_every_size(ann: Any) -> None:
    _, made, _ = await ann.pin()
    assert made["media"]["media_type"] == "image"
    sizes = {name: (image["width"], image["height"]) for name, image in made["media"]["images"].items()}
    assert sizes == {
        "150x150": (150, 150),
        "400x300": (400, 300),
        "600x": (600, 400),
        "1200x": (1200, 800),
        "originals": (300, 200),
    }
    assert made["dominant_color"] == "#336699"


async def test_a_field_nobody_knows_is_ignored(ann: Any) -> None:
    status, made, _ = await ann.pin(publish_at="2031-01-01T00:00:00Z", title=None)
    assert status == 201
    assert "publish_at" not in made
    assert made["title"] is None
    assert len((await ann.get("/v5/pins"))["items"]) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"board_id": None}, "'board_id' is a required property"),
        ({"board_id": "dwardlow0312"}, r"'dwardlow0312' does not match '^\\d+$'"),
        ({"board_id": 12}, "12 is not of type 'string'"),
        ({"media_source": None}, "'media_source' is a required property"),
        ({"media_source": "x"}, "'x' is not of type 'object'"),
        ({"media_source": {}}, "'source_type' is a required property"),
        ({"media_source": {"source_type": "image_url"}}, "'url' is a required property"),
        ({"media_source": {"source_type": "image_base64", "data": "aa"}}, "'content_type' is a required property"),
        ({"title": "t" * 101}, f"'{'t' * 101}' is too long"),
        ({"description": "d" * 801}, f"'{'d' * 801}' is too long"),
        ({"link": "https://a.example/" + "l" * 2031}, f"'https://a.example/{'l' * 2031}' is too long"),
        ({"alt_text": "a" * 501}, f"'{'a' * 501}' is too long"),
        ({"title": ["t"]}, "['t'] is not of type 'string'"),
        ({"board_section_id": "x"}, r"'x' does not match '^\\d+$'"),
    ],
)
async def test_a_pin_that_fits_no_schema_is_refused(ann: Any, fields: Any, reason: str) -> None:
    status, body, _ = await ann.pin(**fields)
    assert (status, body["code"], body["message"]) == (400, 1, f"Invalid request: {reason}")
    assert (await ann.get("/v5/pins"))["items"] == []


async def test_the_longest_allowed_is_allowed(ann: Any) -> None:
    link = "https://a.example/" + "l" * 2030
    status, _, _ = await ann.pin(title="t" * 100, description="d" * 800, alt_text="a" * 500, link=link)
    assert status == 201


async def test_a_body_that_is_not_json_is_refused(ann: Any) -> None:
    status, body, _ = await ann.call("POST", "/v5/pins", data="{")
    assert (status, body["code"]) == (400, 1)


@pytest.mark.parametrize(
    "link", ["example.com", "https://", "ftp://example.com/a", "https://exa mple.com", "http://[::1"]
)
async def test_a_link_must_be_a_url(ann: Any, link: str) -> None:
    status, body, _ = await ann.pin(link=link)
    words = "Whoops! It looks like you entered an invalid URL. Try creating a Pin again with a valid URL."
    assert (status, body["code"], body["message"]) == (400, 1, words)


@pytest.mark.parametrize("link", ["https://spam.example/x", "http://WWW.spam.example"])
async def test_spam_is_a_429_of_another_code(ann: Any, link: str) -> None:
    status, body, _ = await ann.pin(link=link)
    assert status == 429
    assert body == {
        "code": 9,
        "message": "Sorry! We blocked this link because it may lead to spam.",
        "details": {"source_field": None},
    }


async def test_a_board_of_another_user_or_of_nobody_is_not_found(ann: Any, account: Any) -> None:
    for board in ("123", account().board):
        status, body, _ = await ann.pin(board_id=board)
        assert (status, body) == (404, {"code": 40, "message": "Board not found.", "status": "failure"})


async def test_a_pin_goes_to_a_section_of_its_board_only(ann: Any) -> None:
    _, section, _ = await ann.call("POST", f"/v5/boards/{ann.board}/sections", json={"name": "Green"})
    status, made, _ = await ann.pin(board_section_id=section["id"])
    assert (status, made["board_section_id"]) == (201, section["id"])
    _, other, _ = await ann.call("POST", "/v5/boards", json={"name": "Other"})
    for board, wrong in ((ann.board, "123"), (other["id"], section["id"])):
        status, body, _ = await ann.pin(board_id=board, board_section_id=wrong)
        words = "Sorry! We couldn't find this board section."
        assert (status, body["code"], body["message"]) == (404, 2031, words)


async def test_pins_are_listed_newest_first_in_pages(ann: Any) -> None:
    for number in range(5):
        await ann.pin(title=str(number))
    for path in ("/v5/pins", f"/v5/boards/{ann.board}/pins"):
        first = await ann.get(path, page_size="3")
        # What is made between two pages shifts nothing.
        _, extra, _ = await ann.pin(title="late")
        second = await ann.get(path, page_size="3", bookmark=first["bookmark"])
        assert [pin["title"] for pin in first["items"] + second["items"]] == ["4", "3", "2", "1", "0"]
        assert second["bookmark"] is None
        await ann.call("DELETE", f"/v5/pins/{extra['id']}")


async def test_a_board_lists_its_own_pins_and_counts_them(ann: Any, clock: Any) -> None:
    _, other, _ = await ann.call("POST", "/v5/boards", json={"name": "Other"})
    clock.now += 60
    await ann.pin(title="here")
    await ann.pin(title="there", board_id=other["id"])
    assert [pin["title"] for pin in (await ann.get(f"/v5/boards/{other['id']}/pins"))["items"]] == ["there"]
    board = await ann.get(f"/v5/boards/{other['id']}")
    assert (board["pin_count"], board["board_pins_modified_at"]) == (1, "2025-10-09T08:54:20")


async def test_a_pin_is_removed_once(ann: Any) -> None:
    _, made, _ = await ann.pin()
    path = f"/v5/pins/{made['id']}"
    assert (await ann.call("DELETE", path))[:2] == (204, None)
    for method in ("GET", "DELETE"):
        status, body, _ = await ann.call(method, path)
        assert (status, body["code"], body["message"]) == (404, 50, "Pin not found.")


async def test_nobody_reads_or_removes_another_users_pin(ann: Any, account: Any) -> None:
    _, made, _ = await ann.pin()
    bob = account()
    for method in ("GET", "DELETE"):
        status, body, _ = await bob.call(method, f"/v5/pins/{made['id']}")
        assert (status, body["code"]) == (403, 29)
    assert (await bob.get("/v5/pins"))["items"] == []
    assert len((await ann.get("/v5/pins"))["items"]) == 1


async def test_ids_are_never_given_twice(ann: Any) -> None:
    made = await asyncio.gather(*(ann.pin() for _ in range(30)))
    assert len({pin["id"] for _, pin, _ in made}) == 30


async def test_what_is_live_is_told(ann: Any, http: Any) -> None:
    _, made, _ = await ann.pin(title="Lamp", link="https://a.example/")
    _, gone, _ = await ann.pin()
    await ann.call("DELETE", f"/v5/pins/{gone['id']}")
    async with http.get("/_sandbox/state") as answer:
        state = await answer.json()
    [pin] = state["pins"]
    assert (pin["id"], pin["account"], pin["board_id"]) == (made["id"], ann.id, ann.board)
    assert (pin["title"], pin["link"], pin["created_at"]) == ("Lamp", "https://a.example/", made["created_at"])
    assert (pin["pictures"][0]["width"], pin["pictures"][0]["content_type"]) == (300, "image/png")
    assert [board["name"] for board in state["boards"]] == ["Inspiration", "Recipes", "Travel"]
    assert state["users"] == [{"id": ann.id, "username": "sandbox_1"}]


async def test_a_pin_has_a_page_with_its_picture(ann: Any, http: Any, picture: Any) -> None:
    _, made, _ = await ann.pin(title="<b>Lamp</b>")
    async with http.get(f"/pin/{made['id']}/") as answer:
        page = await answer.text()
        assert answer.status == 200
    assert "&lt;b&gt;Lamp&lt;/b&gt;" in page
    assert "<b>Lamp" not in page
    [found] = re.findall(r'src="([^"]+)"', page)
    for url in (found, made["media"]["images"]["600x"]["url"]):
        async with http.get(url) as answer:
            assert await answer.read() == picture()
            assert answer.content_type == "image/png"
    assert (await http.get("/pin/123/")).status == 404
    assert (await http.get("/images/600x/abc.jpg")).status == 404
