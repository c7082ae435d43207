"""The weather changes how a platform behaves though no call fails, on every platform that asks the sandbox."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from core.sandbox import Page, RunningSandbox, Sandbox, Seed, Weather, json_answer, running

FAIR = {"clockOffset": 0.0, "listLag": 0.0, "trimTexts": None, "order": "newest", "idleSeconds": None}
HARD = {"clockOffset": -30.5, "listLag": 3.0, "trimTexts": 10, "order": "oldest", "idleSeconds": 0.5}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    serial: int
    created: float
    text: str | None


class Diary(Sandbox):
    """A platform that keeps texts and lists them in pages, and leaves the rest to its sandbox."""

    platform = "DIARY"

    def __init__(self) -> None:
        super().__init__(clock=lambda: self.time)
        self.time = 1_760_000_000.0
        self.entries: list[Entry] = []

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/entries", self._write), web.route("GET", "/entries", self._read)]

    def live(self) -> object:
        return {"entries": self.entries}

    def seed(self) -> Seed:
        raise NotImplementedError

    async def _write(self, request: web.Request) -> web.Response:
        text = self.kept((await request.json())["text"])
        self.entries.append(Entry(serial=len(self.entries) + 1, created=self.clock(), text=text))
        return json_answer(201, {"date": self.now(), "text": text})

    async def _read(self, request: web.Request) -> web.Response:
        size = int(request.query.get("size", "100"))
        try:
            page = self.page(reversed(self.entries), size=size, bookmark=request.query.get("after"))
        except ValueError as wrong:
            return json_answer(400, {"message": str(wrong)})
        return json_answer(200, page)


@pytest.fixture
async def diary() -> AsyncIterator[RunningSandbox[Diary]]:
    async with running(Diary()) as started:
        yield started


@pytest.fixture
async def http(diary: RunningSandbox[Diary]) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(diary.url) as session:
        yield session


async def change(http: aiohttp.ClientSession, **weather: Any) -> Any:
    async with http.post("/_sandbox/weather", json=weather) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def write(http: aiohttp.ClientSession, *texts: str | None) -> Any:
    for text in texts:
        answer = await http.post("/entries", json={"text": text})
    return await answer.json()


async def read(http: aiohttp.ClientSession, **query: Any) -> tuple[list[Any], str | None]:
    """The texts of a page, and its bookmark."""
    async with http.get("/entries", params=query) as answer:
        assert answer.status == 200
        page = msgspec.json.decode(await answer.read(), type=Page[Entry])
        return [entry.text for entry in page.items], page.bookmark


async def read_all(http: aiohttp.ClientSession, size: int) -> list[str]:
    """The texts of all pages."""
    texts, bookmark = await read(http, size=size)
    while bookmark:
        more, bookmark = await read(http, size=size, after=bookmark)
        assert more
        texts += more
    return texts


async def test_the_weather_is_fair_until_it_is_changed_and_can_be_again(http: Any) -> None:
    assert await (await http.get("/_sandbox/weather")).json() == FAIR
    assert await change(http, **HARD) == HARD
    assert await (await http.get("/_sandbox/weather")).json() == HARD
    assert (await http.delete("/_sandbox/weather")).status == 204
    assert await (await http.get("/_sandbox/weather")).json() == FAIR


async def test_what_is_not_named_stays_and_null_is_fair(http: Any) -> None:
    await change(http, listLag=3, clockOffset=30, trimTexts=5)
    assert await change(http, clockOffset=None, trimTexts=None, order="shuffled") == {
        **FAIR,
        "listLag": 3.0,
        "order": "shuffled",
    }


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"clockOfset": 3, "listLag": -1}, ["clockOfset", "listLag"]),
        ({"order": "random", "trimTexts": 0, "idleSeconds": 0}, ["idleSeconds", "order", "trimTexts"]),
        ({"clockOffset": "early", "trimTexts": 1.5, "list_lag": 3}, ["clockOffset", "list_lag", "trimTexts"]),
        ([], ["the body must be a JSON object"]),
    ],
)
async def test_bad_weather_is_refused_with_every_mistake_and_changes_nothing(
    http: Any, sent: Any, named: list[str]
) -> None:
    async with http.post("/_sandbox/weather", json=sent) as answer:
        assert answer.status == 400
        mistakes = (await answer.json())["mistakes"]
    assert sorted(mistake.split(":")[0] for mistake in mistakes) == named
    assert await (await http.get("/_sandbox/weather")).json() == FAIR


async def test_weather_that_is_not_json_is_refused(http: Any) -> None:
    async with http.post("/_sandbox/weather", data="{") as answer:
        assert answer.status == 400
        assert "not JSON" in str(await answer.json())


@pytest.mark.parametrize("offset", [-30, 30])
async def test_a_platforms_clock_goes_wrong_and_the_log_does_not(diary: Any, http: Any, offset: int) -> None:
    await change(http, clockOffset=offset)
    async with http.post("/entries", json={"text": "hi"}) as answer:
        assert (await answer.json())["date"] == 1_760_000_000 + offset
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == 1_760_000_000 + offset
    assert [call.arrival for call in diary.sandbox.log.calls()] == [1_760_000_000]


async def test_lists_lag(diary: Any, http: Any) -> None:
    await write(http, "old")
    diary.sandbox.time += 1
    # A clock that goes wrong makes nothing older.
    await change(http, listLag=3, clockOffset=3600)
    await write(http, "new")
    diary.sandbox.time += 2
    assert (await read(http))[0] == ["old"]
    diary.sandbox.time += 1
    assert (await read(http))[0] == ["new", "old"]


async def test_what_is_live_is_told_though_lists_lag(http: Any) -> None:
    await change(http, listLag=3)
    await write(http, "new")
    assert (await read(http))[0] == []
    [entry] = (await (await http.get("/_sandbox/state")).json())["entries"]
    assert entry["text"] == "new"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  A \t lamp\n\nis  here ", "A lamp is here"),
        ("Salt & <pepper> \"s'", "Salt &amp; &lt;pepper&gt; &quot;s&#x27;"),
        ("&&&&&&&&&&&&&&&&&&&&&&", "&amp;" * 20),
        ("nineteen characters x and more", "nineteen characters"),
        ("A\N{NO-BREAK SPACE}lamp", "A lamp"),
        ("   ", ""),
        (None, None),
    ],
)
async def test_texts_are_trimmed_collapsed_cut_and_escaped(http: Any, sent: str | None, kept: str | None) -> None:
    await change(http, trimTexts=20)
    assert (await write(http, sent))["text"] == kept


async def test_texts_are_left_alone_in_fair_weather(http: Any) -> None:
    assert (await write(http, "  A \n <lamp> "))["text"] == "  A \n <lamp> "


async def test_lists_come_in_any_order(http: Any) -> None:
    made = [str(number) for number in range(30)]
    await write(http, *made)
    assert (await read(http))[0] == made[::-1]
    await change(http, order="oldest")
    assert (await read(http))[0] == made
    await change(http, order="shuffled")
    shuffled = (await read(http))[0]
    assert sorted(shuffled, key=int) == made
    assert shuffled not in (made, made[::-1])
    assert sum(abs(int(a) - int(b)) == 1 for a, b in pairwise(shuffled)) < 10


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("size", [1, 3, 7, 21, 50])
async def test_every_item_is_on_one_page(http: Any, order: str, size: int) -> None:
    made = [str(number) for number in range(21)]
    await write(http, *made)
    await change(http, order=order)
    assert sorted(await read_all(http, size), key=int) == made


@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
async def test_what_is_made_or_removed_between_pages_hides_and_repeats_nothing(
    diary: Any, http: Any, order: str
) -> None:
    await write(http, *(str(number) for number in range(20)))
    await change(http, order=order)
    seen, bookmark = await read(http, size=8)
    del diary.sandbox.entries[int(seen[-1])]
    for number in range(20, 30):
        diary.sandbox.entries.append(Entry(serial=number + 1, created=0.0, text=str(number)))
    while bookmark:
        more, bookmark = await read(http, size=8, after=bookmark)
        seen += more
    assert len(set(seen)) == len(seen)
    assert {str(number) for number in range(20)} <= set(seen)


async def test_a_bookmark_stays_with_the_order_it_was_made_in(http: Any) -> None:
    await write(http, *(str(number) for number in range(6)))
    first, bookmark = await read(http, size=3)
    await change(http, order="oldest")
    second, _ = await read(http, size=3, after=bookmark)
    assert first + second == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize("bookmark", ["x", "é", "b2xkZXN0", "b2xkZXN0OjE4eA==", "cmFuZG9tOjE="])
async def test_a_bookmark_nobody_gave_is_refused(http: Any, bookmark: str) -> None:
    async with http.get("/entries", params={"after": bookmark}) as answer:
        assert (answer.status, await answer.json()) == (400, {"message": f"{bookmark!r} is not a bookmark"})


class Wire:
    """A connection that is kept alive, written to by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, url: str) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1])))

    async def call(self, path: str = "/entries") -> bytes:
        """The head of the answer; the body has been read as well."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return head

    async def end(self) -> bytes:
        """What comes until the connection ends."""
        return await asyncio.wait_for(self.reader.read(), 10)


@pytest.fixture
async def wire(diary: RunningSandbox[Diary]) -> AsyncIterator[Wire]:
    opened = await Wire.open(diary.url)
    yield opened
    opened.writer.close()


async def test_an_idle_connection_is_dropped(http: Any, wire: Wire) -> None:
    await change(http, idleSeconds=0.2)
    called = time.monotonic()
    assert b"200" in await wire.call()
    assert await wire.end() == b""
    assert time.monotonic() - called >= 0.2


async def test_a_connection_in_use_is_not_dropped(http: Any, wire: Wire) -> None:
    await change(http, idleSeconds=0.3)
    fault = {"on": "GET /entries", "fault": "hang_after", "seconds": 0.5, "match": {"nth": 2}}
    assert (await http.post("/_sandbox/faults", json=fault)).status == 201
    await wire.call()
    assert b"200" in await wire.call()
    assert await wire.end() == b""


async def test_a_connection_is_kept_in_fair_weather(diary: Any, http: Any, wire: Wire) -> None:
    other = await Wire.open(diary.url)
    await wire.call()
    await change(http, idleSeconds=0.1)
    await other.call()
    assert await other.end() == b""
    assert b"200" in await wire.call()


async def test_a_sandbox_can_be_given_its_weather_by_hand(diary: Any, http: Any) -> None:
    diary.sandbox.weather = Weather(order="oldest")
    await write(http, "1", "2")
    assert (await read(http))[0] == ["1", "2"]
