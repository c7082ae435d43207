"""A record tells of every call, whatever became of it, and holds no credentials."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from core.sandbox import Recorded, appending, running
from tests.core.sandbox.conftest import Notes


@pytest.fixture
def told() -> list[Recorded]:
    return []


@pytest.fixture
async def http(told: list[Recorded]) -> AsyncIterator[aiohttp.ClientSession]:
    async with running(Notes(), witness=told.append) as started, aiohttp.ClientSession(started.url) as session:
        yield session


async def test_a_call_and_its_answer_are_told_whole(http: Any, told: list[Recorded]) -> None:
    await http.post("/notes?draft=1", data="ü" * 3000, headers={"Authorization": "Bearer secret", "X-Mark": "a"})
    (call,) = told
    assert (call.platform, call.method, call.path, call.status) == ("NOTES", "POST", "/notes?draft=1", 201)
    assert (call.body, call.answer) == ("ü" * 3000, msgspec.json.encode({"id": 1, "text": "x" * 200}).decode())
    assert (call.headers["Authorization"], call.headers["X-Mark"]) == ("Bearer …", "a")
    assert call.answer_headers["Content-Type"] == "application/json"
    assert call.fault is None


@pytest.mark.parametrize(("name", "status"), [("error", 500), ("error_after", 500), ("reset_after", None)])
async def test_what_a_fault_made_of_a_call_is_told(http: Any, told: list[Recorded], name: str, status: Any) -> None:
    await http.post("/_sandbox/faults", json={"on": "POST /notes", "fault": name, "times": 1})
    try:
        await http.post("/notes", data="hi")
    except aiohttp.ClientError:
        assert status is None
    (call,) = told
    assert (call.body, call.status, call.fault) == ("hi", status, name)


async def test_a_path_that_nobody_knows_is_told_and_files_are_not_copied(http: Any, told: list[Recorded]) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    await http.post("/notes", data=form)
    await http.get("/nowhere")
    assert [(call.body, call.status) for call in told] == [(None, 201), ("", 404)]


async def test_the_steering_of_the_sandbox_is_not_told(http: Any, told: list[Recorded]) -> None:
    await http.get("/_sandbox/state")
    assert told == []


async def test_a_file_gets_a_line_for_each_call(tmp_path: Path) -> None:
    file = tmp_path / "record.jsonl"
    for number in (1, 2):
        async with running(Notes(), witness=appending(file)) as at, aiohttp.ClientSession(at.url) as session:
            await session.post("/notes", data=f"{number}\n")
    calls = [msgspec.json.decode(line, type=Recorded) for line in file.read_bytes().splitlines()]
    assert [call.body for call in calls] == ["1\n", "2\n"]
    assert file.stat().st_mode & 0o077 == 0
