"""Work that is carried out long after its call has ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.sandbox import Lifespan, running

NEVER = 3600


async def test_late_work_gives_no_byte_and_is_not_there_before_its_time(
    notes: Any, http: Any, raw: Any, fault: Any
) -> None:
    await fault("late", seconds=NEVER)
    assert await raw() == b"(reset)"
    assert await (await http.get("/_sandbox/state")).json() == {"notes": []}
    [call] = notes.sandbox.log.calls()
    assert (call.status, call.fault, call.body) == (None, "late", "hi")


async def test_late_work_is_done_when_its_time_has_come_though_the_client_is_gone(
    notes: Any, http: Any, raw: Any, fault: Any, until: Any
) -> None:
    await fault("late", seconds=0.3)
    started = time.monotonic()
    assert await raw() == b"(reset)"
    await until(lambda: notes.sandbox.notes)
    assert time.monotonic() - started >= 0.3
    assert await (await http.get("/_sandbox/state")).json() == {"notes": ["hi"]}
    [call] = notes.sandbox.log.calls()
    assert (call.status, call.fault) == (None, "late")


async def test_late_work_can_be_answered_with_an_error(notes: Any, http: Any, fault: Any, until: Any) -> None:
    await fault("late", seconds=0.3, status=504, body={"code": 7}, headers={"Retry-After": "3"})
    async with http.post("/notes", data="hi") as answer:
        assert (answer.status, await answer.json()) == (504, {"code": 7})
        assert answer.headers["Retry-After"] == "3"
    [call] = notes.sandbox.log.calls()
    assert (call.status, call.fault) == (504, "late")
    await until(lambda: notes.sandbox.notes == ["hi"])
    assert len(notes.sandbox.log.calls()) == 1


async def test_switching_faults_off_calls_no_late_work_back(notes: Any, http: Any, fault: Any, until: Any) -> None:
    await fault("late", seconds=0.3, status=500)
    await http.post("/notes", data="hi")
    await http.delete("/_sandbox/faults")
    await until(lambda: notes.sandbox.notes == ["hi"])


async def test_a_form_is_carried_out_late_as_well(notes: Any, http: Any, fault: Any, until: Any) -> None:
    await fault("late", seconds=0.2)
    form = aiohttp.FormData()
    form.add_field("file", b"\x00\x01", filename="a.bin")
    with pytest.raises(aiohttp.ClientError):
        await http.post("/notes", data=form)
    await until(lambda: notes.sandbox.notes == ["a.bin: b'\\x00\\x01'"])


async def test_the_end_of_the_sandbox_drops_late_work(notes: Any) -> None:
    kind = type(notes.sandbox)

    class SlowToClose(kind):  # type: ignore[valid-type, misc]
        def lifespans(self) -> Sequence[Lifespan]:
            return (self.slow,)

        async def slow(self, _: web.Application) -> AsyncIterator[None]:
            yield
            # Longer than the work was put off: what is not dropped is done by then.
            await asyncio.sleep(0.5)

    sandbox = SlowToClose()
    async with running(sandbox) as started, aiohttp.ClientSession(started.url) as http:
        fault = {"on": "POST /notes", "fault": "late", "seconds": 0.4, "status": 500}
        assert (await http.post("/_sandbox/faults", json=fault)).status == 201
        assert (await http.post("/notes", data="hi")).status == 500
    assert sandbox.notes == []


@pytest.mark.parametrize("wrong", [{"status": 99}, {"seconds": -1}, {"status": "no"}])
async def test_bad_late_faults_are_refused(http: Any, wrong: dict[str, Any]) -> None:
    async with http.post("/_sandbox/faults", json={"on": "*", "fault": "late", **wrong}) as answer:
        assert answer.status == 400
        assert (await answer.json())["mistakes"][0].startswith(next(iter(wrong)))


async def test_late_is_twenty_seconds_and_no_answer_unless_said_otherwise(fault: Any) -> None:
    shown = await fault("late", status=None)
    assert (shown["seconds"], shown["status"]) == (20.0, None)
