"""The log tells the truth about every call."""

import asyncio
import re
import socket
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.sandbox import Sandbox, running, serve


async def logged(http: aiohttp.ClientSession) -> Any:
    async with http.get("/_sandbox/log") as answer:
        return await answer.json()


async def test_every_call_is_logged_in_the_order_of_arrival(http: Any) -> None:
    await http.post("/notes", json={"text": "hi"}, headers={"Authorization": "ann"})
    await http.get("/notes/5?full=yes")
    await http.get("/nowhere")
    first, second, third = await logged(http)
    assert first == {
        "id": 1,
        "arrival": 1_760_000_000.5,
        "method": "POST",
        "path": "/notes",
        "account": "ann",
        "body": {"text": "hi"},
        "status": 201,
        "fault": None,
    }
    assert (second["path"], second["status"], second["account"]) == ("/notes/5?full=yes", 200, None)
    assert (third["path"], third["status"]) == ("/nowhere", 404)


async def test_a_call_under_way_is_logged_without_a_status(notes: Any, http: Any, until: Any) -> None:
    notes.sandbox.gate.clear()
    call = asyncio.create_task(http.post("/notes", data="hi"))
    await until(lambda: notes.sandbox.log.calls())
    [under_way] = await logged(http)
    assert (under_way["status"], under_way["body"]) == (None, "hi")
    notes.sandbox.gate.set()
    await call
    assert (await logged(http))[0]["status"] == 201


async def test_long_data_is_cut_and_its_length_told(http: Any) -> None:
    await http.post("/notes", json={"items": [{"data": "A" * 5000}], "title": "B" * 2048})
    await http.post("/notes", data="C" * 3000)
    await http.post("/notes", data=b"\xff\xfe\x00")
    first, second, third = [call["body"] for call in await logged(http)]
    assert first["items"][0]["data"] == "A" * 256 + "… (5000 characters)"
    assert first["title"] == "B" * 2048
    assert second == "C" * 256 + "… (3000 characters)"
    assert third == "(3 bytes)"


async def test_a_form_with_files_is_left_to_the_handler(notes: Any, http: Any) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    await http.post("/notes", data=form)
    assert notes.sandbox.notes == ["a.bin: b'\\x00\\x01'"]
    [call] = await logged(http)
    assert re.fullmatch(r"\(multipart/form-data, \d+ bytes\)", call["body"])


async def test_a_form_too_large_to_be_held_is_left_to_the_handler_too(notes: Any, http: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(web.Request, "client_max_size", 10)
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    await http.post("/notes", data=form)
    assert notes.sandbox.notes == ["a.bin: b'\\x00\\x01'"]
    [call] = await logged(http)
    assert re.fullmatch(r"\(multipart/form-data, \d+ bytes\)", call["body"])


async def test_a_form_whose_sender_has_gone_is_read_to_its_end(notes: Any, http: Any, until: Any) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    notes.sandbox.gate.clear()
    with pytest.raises(TimeoutError):
        await http.post("/notes", data=form, timeout=aiohttp.ClientTimeout(total=0.1))
    await until(lambda: notes.sandbox.calling.transport is None)
    notes.sandbox.gate.set()
    await until(lambda: notes.sandbox.notes == ["a.bin: b'\\x00\\x01'"])


async def test_a_body_that_is_too_large_is_refused_and_logged(notes: Any, http: Any) -> None:
    async with http.post("/notes", data=b"x" * (65 * 2**20)) as answer:
        assert answer.status == 413
    [call] = await logged(http)
    assert call["status"] == 413
    assert notes.sandbox.notes == []


async def test_the_control_endpoints_are_neither_logged_nor_faulted(http: Any, fault: Any) -> None:
    await fault("error", on="*")
    assert (await http.get("/_sandbox/state")).status == 200
    assert await logged(http) == []


async def test_the_log_is_cleared(http: Any) -> None:
    await http.post("/notes")
    assert (await http.delete("/_sandbox/log")).status == 204
    assert await logged(http) == []
    await http.post("/notes")
    assert [call["id"] for call in await logged(http)] == [2]


async def test_the_log_remembers_only_so_many(http: Any) -> None:
    for _ in range(53):
        await http.post("/notes")
    assert [call["id"] for call in await logged(http)] == list(range(4, 54))


async def test_the_state_is_what_is_live(http: Any) -> None:
    await http.post("/notes", data="hi")
    assert await (await http.get("/_sandbox/state")).json() == {"notes": ["hi"]}


async def test_a_user_can_be_made_from_outside(http: Any) -> None:
    async with http.post("/_sandbox/seed") as answer:
        assert answer.status == 201
        assert await answer.json() == {
            "access_token": "ann",
            "refresh_token": None,
            "external_user": "ann",
            "channel_id": "1",
            "facts": {},
        }


async def test_answers_tell_the_platforms_own_time(http: Any) -> None:
    async with http.get("/notes/1") as answer:
        assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == 1_760_000_000
    async with http.get("/nowhere") as answer:
        assert answer.headers["x-platform"] == "notes"
        assert await answer.json() == {"message": "Not Found"}


async def test_a_sandbox_serves_on_a_socket_handed_in_until_it_is_cancelled(notes: Any) -> None:
    sandbox: Sandbox = type(notes.sandbox)()
    listening = socket.create_server(("127.0.0.1", 0))
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(sandbox, listening, ready=ready.set_result))
    url = await asyncio.wait_for(ready, 10)
    assert url == f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with aiohttp.ClientSession() as session, session.get(f"{url}/notes/1") as answer:
        assert answer.status == 200
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_a_sandbox_stops_although_a_call_hangs(notes: Any, until: Any) -> None:
    sandbox = type(notes.sandbox)()
    async with aiohttp.ClientSession() as session:
        async with running(sandbox) as started:
            await session.post(
                f"{started.url}/_sandbox/faults", json={"on": "*", "fault": "hang_after", "seconds": 3600}
            )
            call = asyncio.create_task(session.post(f"{started.url}/notes", data="hi"))
            await until(lambda: sandbox.notes)
        [failure] = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(failure, aiohttp.ClientError)


async def test_one_world_can_be_served_again(notes: Any) -> None:
    sandbox = type(notes.sandbox)()
    async with aiohttp.ClientSession() as session:
        for expected in (1, 2):
            async with running(sandbox) as started, session.post(f"{started.url}/notes") as answer:
                assert (await answer.json())["id"] == expected
