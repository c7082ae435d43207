"""A fault can be meant for some of the calls to a route."""

from typing import Any

import pytest


async def statuses(http: Any, *calls: dict[str, Any]) -> list[int]:
    """What a note is answered with, call by call."""
    return [(await http.post("/notes", **call)).status for call in calls]


async def test_a_fault_can_be_meant_for_one_account(http: Any, fault: Any) -> None:
    await fault("error", match={"account": "ann"})
    ann, bob = {"headers": {"Authorization": "ann"}}, {"headers": {"Authorization": "bob"}}
    assert await statuses(http, bob, ann, {}, ann) == [201, 500, 201, 500]


async def test_a_fault_can_be_meant_for_a_part_of_the_body(http: Any, fault: Any) -> None:
    await fault("error", match={"body": "lämp"})
    calls: list[dict[str, Any]] = [
        {"data": "A lamp"},
        {"data": "A lämp"},
        {"json": {"title": "lamp"}},
        {},
        {"data": b"\xff l\xc3\xa4mp"},
    ]
    assert await statuses(http, *calls) == [201, 500, 201, 201, 500]


@pytest.mark.parametrize(
    ("wanted", "hit"),
    [
        ({"title": "Lamp"}, [500, 500, 201, 201, 201, 201]),
        ({"media": {"kind": "image"}}, [201, 500, 201, 201, 201, 201]),
        ({"title": "Lamp", "media": {"size": [3, 2]}}, [201, 500, 201, 201, 201, 201]),
        ({"title": None}, [201, 201, 500, 201, 201, 201]),
        ({}, [500, 500, 500, 500, 201, 201]),
    ],
)
async def test_a_fault_can_be_meant_for_what_a_json_body_holds(
    http: Any, fault: Any, wanted: Any, hit: list[int]
) -> None:
    await fault("error", match={"json": wanted})
    calls: list[dict[str, Any]] = [
        {"json": {"title": "Lamp", "more": 1}},
        {"json": {"title": "Lamp", "media": {"kind": "image", "size": [3, 2], "url": "x"}}},
        {"json": {"title": None}},
        {"json": {"titles": "Lamp", "media": "image"}},
        {"json": ["title", "Lamp"]},
        {"data": "title=Lamp"},
    ]
    assert await statuses(http, *calls) == hit


async def test_a_fault_can_be_meant_for_the_nth_call_that_fits(http: Any, fault: Any) -> None:
    await http.post("/notes", data="lamp")
    await fault("error", match={"body": "lamp", "nth": 2})
    calls = [{"data": text} for text in ("lamp", "table", "lamp 2", "lamp 3")]
    assert await statuses(http, *calls) == [201, 201, 500, 201]


async def test_a_call_that_another_fault_hits_is_counted_too(http: Any, fault: Any) -> None:
    await fault("error", status=501, match={"nth": 1})
    await fault("error", status=503, match={"nth": 3})
    await fault("error", status=502, match={"nth": 2})
    assert await statuses(http, {}, {}, {}, {}) == [501, 502, 503, 201]


async def test_all_that_a_matcher_says_has_to_be_so(http: Any, fault: Any) -> None:
    await fault("error", match={"account": "ann", "json": {"title": "Lamp"}, "body": "green"})
    lamp = {"title": "Lamp", "text": "green"}
    calls = [
        {"json": lamp},
        {"json": lamp, "headers": {"Authorization": "ann"}},
        {"json": lamp | {"text": "red"}, "headers": {"Authorization": "ann"}},
    ]
    assert await statuses(http, *calls) == [201, 500, 201]


async def test_times_counts_the_calls_that_were_hit(http: Any, fault: Any) -> None:
    await fault("error", times=2, match={"body": "lamp"})
    calls = [{"data": text} for text in ("table", "lamp", "table", "lamp", "lamp")]
    assert await statuses(http, *calls) == [201, 500, 201, 500, 201]
    [shown] = await (await http.get("/_sandbox/faults")).json()
    assert (shown["applied"], shown["match"]) == (2, {"body": "lamp"})


async def test_a_fault_without_a_matcher_is_meant_for_all(http: Any, fault: Any) -> None:
    shown = await fault("error", match=None)
    assert shown["match"] == {}
    assert await statuses(http, {}, {"data": "hi"}) == [500, 500]


@pytest.mark.parametrize(
    ("match", "named"),
    [
        ({"account": 5, "body": ["x"], "json": "title", "nth": 0}, ["account", "body", "json", "nth"]),
        ({"acount": "ann", "nth": 1.5}, ["acount", "nth"]),
        ({"title": "Lamp"}, ["title"]),
    ],
)
async def test_a_bad_matcher_is_refused_with_every_mistake(http: Any, match: Any, named: list[str]) -> None:
    sent = {"on": "POST /notes", "fault": "error", "match": match, "tmes": 1}
    async with http.post("/_sandbox/faults", json=sent) as answer:
        assert answer.status == 400
        mistakes = (await answer.json())["mistakes"]
    assert sorted(mistake.split(":")[0] for mistake in mistakes) == sorted(
        ["tmes", *(f"match.{name}" for name in named)]
    )
    assert await (await http.get("/_sandbox/faults")).json() == []


@pytest.mark.parametrize("match", ["ann", ["ann"], 5])
async def test_a_matcher_is_an_object(http: Any, match: Any) -> None:
    async with http.post("/_sandbox/faults", json={"on": "*", "fault": "error", "match": match}) as answer:
        assert (await answer.json()) == {"mistakes": ["match: must be a JSON object"]}


async def test_a_mistyped_matcher_is_told_the_nearest_name(http: Any) -> None:
    async with http.post("/_sandbox/faults", json={"on": "*", "fault": "error", "match": {"acount": "a"}}) as answer:
        assert "match.acount: no such field; the nearest is account" in str(await answer.json())
