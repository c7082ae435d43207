"""Pinterest in bad weather: its clock goes wrong, its lists lag and come in odd orders, its texts are trimmed."""

from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.sandbox import running


@pytest.fixture
def weather(http: aiohttp.ClientSession) -> Any:
    async def change(**said: Any) -> None:
        async with http.post("/_sandbox/weather", json=said) as answer:
            assert answer.status == 200, await answer.text()

    return change


async def titles(ann: Any, path: str, **query: Any) -> list[str]:
    """The titles or names in all pages of a list."""
    found, bookmark = [], None
    while True:
        page = await ann.get(path, **query, **({"bookmark": bookmark} if bookmark else {}))
        found += [item.get("title") or item["name"] for item in page["items"]]
        if (bookmark := page["bookmark"]) is None:
            return found


@pytest.mark.parametrize("offset", [-30, 30])
async def test_everything_is_dated_by_a_clock_that_goes_wrong(ann: Any, http: Any, weather: Any, offset: int) -> None:
    await weather(clockOffset=offset)
    status, pin, headers = await ann.pin()
    assert status == 201
    told = {-30: "2025-10-09T08:52:50", 30: "2025-10-09T08:53:50"}[offset]
    assert pin["created_at"] == told
    assert parsedate_to_datetime(headers["Date"]).timestamp() == 1_760_000_000 + offset
    _, board, _ = await ann.call("POST", "/v5/boards", json={"name": "New"})
    assert (board["created_at"], (await ann.get(f"/v5/boards/{ann.board}"))["board_pins_modified_at"]) == (told, told)
    state = await (await http.get("/_sandbox/state")).json()
    assert (state["pins"][0]["created"], state["pins"][0]["created_at"]) == (1_760_000_000.0, told)
    assert {call["arrival"] for call in await (await http.get("/_sandbox/log")).json()} == {1_760_000_000.0}


async def test_a_wrong_clock_gives_no_id_that_comes_again_after_a_new_start(ann: Any, clock: Any, weather: Any) -> None:
    await weather(clockOffset=30)
    _, first, _ = await ann.pin()
    clock.now += 1
    anew = PinterestSandbox(clock=clock)
    owner = anew.seed()
    async with running(anew) as started, aiohttp.ClientSession(started.url) as http:
        headers = {"Authorization": f"Bearer {owner.access_token}"}
        async with http.post("/v5/boards", json={"name": "New"}, headers=headers) as answer:
            second = await answer.json()
    assert int(second["id"]) > int(first["id"])
    assert second["created_at"] < first["created_at"]


async def test_lists_show_things_only_after_a_while(ann: Any, clock: Any, weather: Any) -> None:
    clock.now += 10
    await weather(listLag=3)
    _, pin, _ = await ann.pin(title="new")
    await ann.call("POST", "/v5/boards", json={"name": "New"})
    await ann.call("POST", f"/v5/boards/{ann.board}/sections", json={"name": "Part"})
    lists = ["/v5/pins", f"/v5/boards/{ann.board}/pins", "/v5/boards", f"/v5/boards/{ann.board}/sections"]
    old = [[], [], ["Travel", "Recipes", "Inspiration"], []]
    clock.now += 2.5
    assert [await titles(ann, path) for path in lists] == old
    assert (await ann.get(f"/v5/pins/{pin['id']}"))["title"] == "new"
    clock.now += 0.5
    assert [await titles(ann, path) for path in lists] == [
        ["new"],
        ["new"],
        ["New", "Travel", "Recipes", "Inspiration"],
        ["Part"],
    ]


async def test_texts_are_stored_trimmed_and_links_as_they_came(ann: Any, http: Any, weather: Any) -> None:
    await weather(trimTexts=12)
    link = "https://a.example/?a=1&b=2"
    sent = {"title": " Salt  & pepper ", "description": "A\nlamp that is long", "alt_text": "<b>", "note": " n "}
    _, made, _ = await ann.pin(link=link, **sent)
    kept = {"title": "Salt &amp; peppe", "description": "A lamp that", "alt_text": "&lt;b&gt;", "note": "n"}
    assert {name: made[name] for name in sent} == kept
    assert made["link"] == link
    [pin] = (await (await http.get("/_sandbox/state")).json())["pins"]
    assert {name: pin[name] for name in sent} == kept
    _, board, _ = await ann.call("POST", "/v5/boards", json={"name": " R & D ", "description": None})
    assert (board["name"], board["description"]) == ("R &amp; D", None)
    _, changed, _ = await ann.call("PATCH", f"/v5/boards/{board['id']}", json={"description": " x  y "})
    assert (changed["name"], changed["description"]) == ("R &amp; D", "x y")
    _, section, _ = await ann.call("POST", f"/v5/boards/{board['id']}/sections", json={"name": "  Green   things  "})
    assert section["name"] == "Green things"


async def test_a_carousel_has_its_texts_trimmed_too(ann: Any, weather: Any, pictures: str) -> None:
    await weather(trimTexts=20)
    slot = {"url": f"{pictures}/PNG/300/200", "title": " a  b ", "description": "<i>"}
    source = {"source_type": "multiple_image_urls", "items": [slot, {"url": slot["url"]}]}
    _, made, _ = await ann.pin(media_source=source)
    first, second = made["media"]["items"]
    assert (first["title"], first["description"]) == ("a b", "&lt;i&gt;")
    assert (second["title"], second["description"]) == (None, None)


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
async def test_every_pin_and_board_is_on_one_page_in_any_order(ann: Any, weather: Any, order: str) -> None:
    made = [str(number) for number in range(10)]
    for number in made:
        await ann.pin(title=number)
    await weather(order=order)
    for path in ("/v5/pins", f"/v5/boards/{ann.board}/pins"):
        found = await titles(ann, path, page_size="3")
        assert sorted(found) == made
        if order != "shuffled":
            assert found == (made if order == "oldest" else made[::-1])
    assert sorted(await titles(ann, "/v5/boards", page_size="2")) == ["Inspiration", "Recipes", "Travel"]


@pytest.mark.parametrize("status", [None, 500])
async def test_a_pin_is_made_late(pictures: str, status: int | None) -> None:
    sandbox = PinterestSandbox()
    async with running(sandbox) as started, aiohttp.ClientSession(started.url) as http:
        seed = sandbox.seed()
        fault = {"on": "POST /v5/pins", "fault": "late", "seconds": 0.3, "status": status, "times": 1}
        assert (await http.post("/_sandbox/faults", json=fault)).status == 201
        source = {"source_type": "image_url", "url": f"{pictures}/PNG/300/200"}
        body = {"board_id": seed.channel_id, "title": "late", "media_source": source}
        create = http.post("/v5/pins", json=body, headers={"Authorization": f"Bearer {seed.access_token}"})
        if status is None:
            with pytest.raises(aiohttp.ClientError):
                await create
        else:
            assert (await create).status == status
        [call] = sandbox.log.calls()
        pin = await _only_pin(http)
        assert pin["title"] == "late"
        assert pin["created"] - call.arrival >= 0.3
        assert sandbox.log.calls() == [call]


async def _only_pin(http: aiohttp.ClientSession) -> Any:
    """The only Pin there is, once it is there."""
    while True:
        async with http.get("/_sandbox/state", timeout=aiohttp.ClientTimeout(total=10)) as answer:
            pins = (await answer.json())["pins"]
        if pins:
            [pin] = pins
            return pin
