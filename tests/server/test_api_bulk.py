"""Many posts at once: each is answered as it would be by itself, and nothing is kept in memory that need not be."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from server.lines import lines
from server.spool import PIECE, Spool
from tests.server.conftest import House

Pin = Callable[..., dict[str, Any]]
BULK = "/api/v1/post/bulk"
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
def house(module_house: House) -> House:
    return module_house


def send(client: httpx.Client, *items: Any, **query: str) -> httpx.Response:
    return client.post(BULK, json={"items": list(items)}, params=query)


def results(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_each_is_answered_as_a_create_of_it_would_be(house: House, client: httpx.Client, pin: Pin) -> None:
    before = house.count("posts")
    wrong = pin({"boardId": None})
    answer = send(
        client,
        {"post": pin(title="first")},
        {"post": wrong},
        {"post": pin(teamId=str(house.stranger.team_id))},
        {"post": pin(referenceKey="bulk")},
        {"post": pin(referenceKey="bulk")},
        {"pots": 1},
    )
    told = answer.json()
    assert answer.status_code == 200
    assert [(item["index"], item["status"]) for item in told["items"]] == [
        *((0, 200), (1, 400), (2, 404), (3, 200), (4, 409), (5, 400)),
    ]
    assert (told["stored"], told["refused"], house.count("posts") - before) == (2, 4, 2)
    assert client.get(f"/api/v1/post/{told['items'][0]['post']['id']}").json()["title"] == "first"
    alone = client.post("/api/v1/post/", json=wrong).json()
    assert told["items"][1]["problem"]["issues"] == alone["issues"]
    assert told["items"][4]["problem"]["code"] == "reference_key_taken"
    assert [issue["code"] for issue in told["items"][5]["problem"]["issues"]] == ["unknown_field", "missing_field"]


def test_a_key_of_an_item_makes_one_post_however_it_is_sent(house: House, client: httpx.Client, pin: Pin) -> None:
    body = pin()
    alone = client.post("/api/v1/post/", json=body, headers={"idempotency-key": "one"}).json()["id"]
    item = {"post": body, "idempotencyKey": "one"}
    again = send(client, item, {"post": pin(title="other"), "idempotencyKey": "one"}).json()["items"]
    assert (again[0]["post"]["id"], again[1]["status"]) == (alone, 422)
    assert send(client, item, item, mode="atomic").json()["items"][1]["post"]["id"] == alone
    fresh = {"post": body, "idempotencyKey": "two"}
    both = send(client, fresh, fresh, mode="atomic").json()["items"]
    assert both[0]["post"]["id"] == both[1]["post"]["id"] != alone


def test_atomic_is_all_or_nothing_and_tells_everything(house: House, client: httpx.Client, pin: Pin) -> None:
    assert client.post("/api/v1/post/", json=pin(referenceKey="taken")).status_code == 200
    before = house.count("posts"), house.count("idempotency_keys")
    refused = send(client, {"post": pin()}, {"post": pin({"boardId": None})}, {"post": pin(title="")}, mode="atomic")
    assert refused.status_code == 400
    assert [tuple(issue["path"]) for issue in refused.json()["issues"]] == [
        ("items", 1, "post", "data", "PINTEREST", "boardId"),
        ("items", 2, "post", "title"),
    ]
    clash = send(client, {"post": pin(), "idempotencyKey": "k"}, {"post": pin(referenceKey="taken")}, mode="atomic")
    assert (clash.status_code, clash.json()["code"]) == (409, "bulk_refused")
    assert [(issue["code"], issue["path"]) for issue in clash.json()["issues"]] == [
        ("reference_key_taken", ["items", 1])
    ]
    assert (house.count("posts"), house.count("idempotency_keys")) == before
    taken = send(client, {"post": pin(), "idempotencyKey": "k"}, {"post": pin()}, mode="atomic")
    assert taken.json()["stored"] == 2


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"items": 1}', '{"items": []}', '{"items": [{}], "x": 1}', "{", "{\xff"]
)
def test_a_body_that_holds_no_list_of_items_is_refused(client: httpx.Client, body: str) -> None:
    refused = client.post(BULK, content=body.encode("latin-1"))
    assert refused.status_code == 400
    assert refused.json()["issues"]


def test_more_than_a_thousand_come_as_lines(client: httpx.Client, house: House, pin: Pin) -> None:
    item = json.dumps({"post": pin()})
    refused = client.post(BULK, content='{"items":[' + ",".join([item] * 1001) + "]}")
    assert refused.status_code == 400
    assert "application/x-ndjson" in refused.json()["issues"][0]["message"]
    atomic = client.post(BULK, content="\n".join([item] * 1001), headers=LINES, params={"mode": "atomic"})
    assert atomic.status_code == 400
    before = house.count("posts")
    told = results(client.post(BULK, content="\n".join([item] * 1201), headers=LINES))
    assert [result["index"] for result in told] == list(range(1201))
    assert {result["status"] for result in told} == {200}
    assert house.count("posts") - before == 1201


def test_a_key_that_comes_again_behind_a_thousand_lines_makes_one_post(client: httpx.Client, pin: Pin) -> None:
    keyed = json.dumps({"post": pin(title="once"), "idempotencyKey": "far-apart"})
    draft = json.dumps({"post": pin(status="DRAFT")})
    told = results(client.post(BULK, content="\n".join([keyed, *[draft] * 1100, keyed]), headers=LINES))
    assert {result["status"] for result in told} == {200}
    assert told[0]["post"]["id"] == told[-1]["post"]["id"]


def test_lines_are_answered_line_by_line_and_a_bad_one_harms_no_other(client: httpx.Client, pin: Pin) -> None:
    good = json.dumps({"post": pin()})
    long = json.dumps({"post": pin(text="x" * 1_100_000)})
    told = results(client.post(BULK, content=f"{good}\n\n{{\n{long}\n{good}", headers=LINES))
    assert [result["status"] for result in told] == [200, 400, 413, 200]
    atomic = client.post(BULK, content=f"{good}\n{good}\n", headers=LINES, params={"mode": "atomic"})
    assert [result["status"] for result in results(atomic)] == [200, 200]


async def test_the_answer_begins_while_the_request_is_under_way(house: House, pin: Pin) -> None:
    seen: asyncio.Event = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield json.dumps({"post": pin(title="early")}).encode() + b"\n"
        await asyncio.wait_for(seen.wait(), 60)
        yield json.dumps({"post": pin(title="late")}).encode()

    titles: list[str] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rpartition(":")[2]))
    writer.write(
        f"POST {BULK} HTTP/1.1\r\nhost: x\r\nx-api-key: {house.owner.secret}\r\n"
        "content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )
    async for part in body():
        writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if not titles:
            while not (line := await asyncio.wait_for(reader.readline(), 60)).startswith(b"{"):
                pass
            titles.append(json.loads(line)["post"]["title"])
            seen.set()
    writer.write(b"0\r\n\r\n")
    while not (line := await asyncio.wait_for(reader.readline(), 60)).startswith(b"{"):
        pass
    titles.append(json.loads(line)["post"]["title"])
    writer.close()
    assert titles == ["early", "late"]


def test_a_client_that_reads_nothing_before_it_has_sent_all_is_waited_for(client: httpx.Client) -> None:
    line = b'{"post": {}}\n' * 100

    def body() -> Iterator[bytes]:
        for _ in range(60):
            yield line

    told = results(client.post(BULK, content=body(), headers=LINES))
    assert len(told) == 6_000
    assert {result["status"] for result in told} == {400}


async def test_no_more_than_a_line_is_kept_of_a_body() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for part in (b"a", b"b\nc\n\nd", b"e" * 50, b"f\ng", b"h" * 50):
            yield part

    found = [[line if isinstance(line, bytes) else "…" for line in each] async for each in lines(chunks(), 10)]
    assert found == [[b"ab", b"c"], ["…"], ["…"]]


async def test_what_waits_for_a_slow_reader_lies_on_disk_and_comes_whole() -> None:
    spool = Spool()
    pieces = spool.pieces()
    spool.write(b"a" * (PIECE + 1))
    assert [len(await anext(pieces)), len(await anext(pieces))] == [PIECE, 1]
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    spool.write(b"bc")
    assert await waiting == b"bc"
    spool.write(b"d")
    spool.end()
    assert [piece async for piece in pieces] == [b"d"]


def test_a_strangers_team_takes_nothing(house: House, pin: Pin) -> None:
    with house.client(house.stranger.secret) as stranger:
        assert send(stranger, {"post": pin()}, mode="atomic").status_code == 404
        (refused,) = send(stranger, {"post": pin()}).json()["items"]
        assert (refused["status"], refused["problem"]["code"]) == (404, "not_found")
