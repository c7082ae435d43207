"""Every fault, over real HTTP."""

import asyncio
import random
from typing import Any

import aiohttp
import pytest

NEVER = 3600


async def test_an_error_is_answered_without_the_work(notes: Any, http: Any, fault: Any) -> None:
    await fault("error", status=503, body={"code": 7}, headers={"Retry-After": "3"})
    async with http.post("/notes", data="hi") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "3"
        assert answer.headers["x-platform"] == "notes"
        assert await answer.json() == {"code": 7}
    assert notes.sandbox.notes == []


async def test_an_error_after_is_answered_although_the_work_is_done(notes: Any, http: Any, fault: Any) -> None:
    await fault("error_after", status=500, body="<html>broken</html>")
    async with http.post("/notes", data="hi") as answer:
        assert answer.status == 500
        assert await answer.text() == "<html>broken</html>"
    assert notes.sandbox.notes == ["hi"]


async def test_an_error_without_a_body_has_the_platforms_own(http: Any, fault: Any) -> None:
    await fault("error", status=502, body=None)
    async with http.post("/notes") as answer:
        assert await answer.json() == {"message": "Bad Gateway"}


@pytest.mark.parametrize(("name", "made"), [("reset_before", []), ("reset_after", ["hi"])])
async def test_a_reset_gives_not_one_byte(notes: Any, raw: Any, fault: Any, name: str, made: list[str]) -> None:
    await fault(name)
    assert await raw() == b"(reset)"
    assert notes.sandbox.notes == made
    [call] = notes.sandbox.log.calls()
    assert (call.status, call.fault) == (None, name)


async def test_a_hang_before_works_only_when_it_is_over(notes: Any, http: Any, fault: Any, until: Any) -> None:
    await fault("hang_before", seconds=0.3)
    call = asyncio.create_task(http.post("/notes", data="hi"))
    await until(lambda: [each for each in notes.sandbox.log.calls() if each.fault])
    assert notes.sandbox.notes == []
    answer = await call
    assert answer.status == 201
    assert notes.sandbox.notes == ["hi"]


async def test_a_client_that_leaves_a_hang_before_leaves_nothing_done(notes: Any, http: Any, fault: Any) -> None:
    await fault("hang_before", times=1, seconds=0.4)
    await fault("hang_before", times=1, seconds=0.8)
    with pytest.raises(TimeoutError):
        await http.post("/notes", data="left", timeout=aiohttp.ClientTimeout(total=0.1))
    # The second hang ends later than the first would have.
    await http.post("/notes", data="stayed")
    assert notes.sandbox.notes == ["stayed"]
    assert [call.status for call in notes.sandbox.log.calls()] == [None, 201]


async def test_a_hang_after_has_worked_already(notes: Any, http: Any, fault: Any, until: Any) -> None:
    await fault("hang_after", seconds=NEVER)
    call = asyncio.create_task(http.post("/notes", data="hi"))
    await until(lambda: notes.sandbox.notes == ["hi"])
    assert notes.sandbox.log.calls()[0].status is None
    call.cancel()
    await http.delete("/_sandbox/faults")
    await fault("hang_after", seconds=0.05)
    answer = await http.post("/notes", data="ho")
    assert answer.status == 201


async def test_a_slow_answer_is_true_but_comes_in_pieces(notes: Any, http: Any, fault: Any) -> None:
    await fault("slow", seconds=0.5)
    async with http.post("/notes", data="hi") as answer:
        first = await answer.content.readany()
        assert notes.sandbox.log.calls()[0].status is None
        rest = await answer.content.read()
        assert 0 < len(first) < len(first + rest) == int(answer.headers["Content-Length"])
        assert answer.status == 201
        assert answer.content_type == "application/json"
    assert notes.sandbox.log.calls()[0].status == 201


async def test_garbage_is_a_200_that_is_not_json(notes: Any, http: Any, fault: Any) -> None:
    await fault("garbage")
    async with http.post("/notes", data="hi") as answer:
        assert answer.status == 200
        with pytest.raises(ValueError, match=r"decode|Expecting"):
            await answer.json()
    assert notes.sandbox.notes == ["hi"]


async def test_a_fault_hits_so_often_as_was_asked(http: Any, fault: Any) -> None:
    await fault("error", times=2)
    statuses = [(await http.post("/notes")).status for _ in range(4)]
    assert statuses == [500, 500, 201, 201]
    [shown] = await (await http.get("/_sandbox/faults")).json()
    assert (shown["times"], shown["applied"]) == (2, 2)


async def test_a_fault_falls_with_its_probability_and_the_randomness_handed_in(http: Any, fault: Any) -> None:
    await fault("error", probability=0.5)
    coin = random.Random(7)
    expected = [500 if coin.random() < 0.5 else 201 for _ in range(20)]
    assert [(await http.post("/notes")).status for _ in range(20)] == expected
    assert set(expected) == {500, 201}


@pytest.mark.parametrize(
    ("on", "hit"),
    [
        ("GET /notes/{note_id}", [201, 500, 500]),
        ("GET /notes/{other_name}", [201, 500, 500]),
        ("GET /notes/2", [201, 200, 500]),
        ("* /notes", [500, 200, 200]),
        ("GET *", [201, 500, 500]),
        ("*", [500, 500, 500]),
    ],
)
async def test_a_fault_hits_the_calls_it_means(http: Any, fault: Any, on: str, hit: list[int]) -> None:
    await fault("error", on=on)
    calls = [("POST", "/notes"), ("GET", "/notes/1"), ("GET", "/notes/2?x=1")]
    assert [(await http.request(*call)).status for call in calls] == hit


async def test_the_first_of_two_faults_comes_first(http: Any, fault: Any) -> None:
    await fault("error", times=1, status=501)
    await fault("error", times=1, status=502)
    assert [(await http.post("/notes")).status for _ in range(3)] == [501, 502, 201]


async def test_a_refused_call_uses_up_no_fault(notes: Any, http: Any, fault: Any) -> None:
    await fault("error", times=1)
    notes.sandbox.refuse = True
    assert (await http.post("/notes")).status == 429
    notes.sandbox.refuse = False
    assert (await http.post("/notes")).status == 500


async def test_the_work_of_a_client_that_left_is_finished(notes: Any, http: Any, until: Any) -> None:
    notes.sandbox.gate.clear()
    with pytest.raises(TimeoutError):
        await http.post("/notes", data="hi", timeout=aiohttp.ClientTimeout(total=0.1))
    await until(lambda: notes.sandbox.calling.transport is None)
    assert notes.sandbox.notes == []
    notes.sandbox.gate.set()
    await until(lambda: notes.sandbox.notes == ["hi"])
    assert notes.sandbox.log.calls()[0].status is None


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({}, ["fault", "on"]),
        ({"on": "POST /notes", "fault": "explode"}, ["fault"]),
        ({"on": "POST /note", "fault": "error"}, ["on"]),
        ({"on": "POST", "fault": "error"}, ["on"]),
        ({"on": "notes", "fault": "error", "times": 0, "probability": 1.5}, ["on", "times", "probability"]),
        ({"on": "*", "fault": "slow", "seconds": -1, "status": 99, "tmes": 3}, ["seconds", "status", "tmes"]),
        ({"on": 5, "fault": 5, "times": "many", "headers": {"a": 1}}, ["on", "fault", "times", "headers"]),
        ([], ["the body"]),
    ],
)
async def test_a_bad_fault_is_refused_with_every_mistake(http: Any, sent: Any, named: list[str]) -> None:
    async with http.post("/_sandbox/faults", json=sent) as answer:
        assert answer.status == 400
        mistakes = (await answer.json())["mistakes"]
    assert sorted(mistake.split(":")[0].split(" must")[0] for mistake in mistakes) == sorted(named)
    assert await (await http.get("/_sandbox/faults")).json() == []


async def test_a_mistyped_fault_is_told_the_nearest_name(http: Any) -> None:
    sent = {"on": "POST /note", "fault": "error", "tmes": 1}
    async with http.post("/_sandbox/faults", json=sent) as answer:
        text = str(await answer.json())
    assert "the nearest is POST /notes" in text
    assert "the nearest is times" in text


async def test_a_fault_that_is_not_json_is_refused(http: Any) -> None:
    async with http.post("/_sandbox/faults", data="{") as answer:
        assert answer.status == 400
        assert "not JSON" in str(await answer.json())


async def test_nulls_mean_the_usual(http: Any, fault: Any) -> None:
    shown = await fault("error", times=None, probability=None, seconds=None, status=None, body=None)
    assert (shown["times"], shown["probability"], shown["status"], shown["id"]) == (None, 1.0, 500, 1)
    assert (await http.post("/notes")).status == 500


async def test_faults_are_switched_off_together(http: Any, fault: Any) -> None:
    await fault("error")
    assert (await http.delete("/_sandbox/faults")).status == 204
    assert (await http.post("/notes")).status == 201
