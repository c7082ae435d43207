"""Rate limits are exact, and the headers tell them as the live API does."""

import asyncio
import re
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox

BODY = {"code": 8, "message": "You have exceeded your rate limit. Try again later.", "status": "failure"}
SMALL = {"org_write": (3, 60), "org_read": (5, 60), "safety_net": (1000, 1)}


async def test_headers_are_structured_as_measured(ann: Any) -> None:
    _, _, headers = await ann.call("GET", "/v5/boards")
    assert headers["x-ratelimit-limit"] == (
        '100, 100;w=1;name="safety_net_app_id_user_id", 1000;w=60;name="org_read_app_id_user_id"'
    )
    assert (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"]) == ("99", "1")
    assert re.fullmatch(r"\d+", headers["x-pinterest-rid"])
    _, _, headers = await ann.pin(title="t" * 101)
    assert headers["x-ratelimit-limit"] == (
        '100, 100;w=1;name="safety_net_app_id_user_id", 100;w=60;name="org_write_app_id_user_id"'
    )


async def test_every_answer_has_them(ann: Any, http: Any) -> None:
    for _, _, headers in (
        await ann.call("GET", "/v5/boards/1"),
        await ann.call("GET", "/v5/nothing"),
        await ann.call("POST", "/v5/pins", json={}),
    ):
        for name in ("limit", "remaining", "reset"):
            assert f"x-ratelimit-{name}" in headers
    async with http.get("/v5/boards") as answer:
        assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (401, "100")
    async with http.get("/_sandbox/state") as answer:
        assert "x-ratelimit-limit" not in answer.headers


@pytest.mark.parametrize("options", [{"limits": SMALL}])
async def test_one_call_too_many_is_a_429_until_the_oldest_has_left(ann: Any, clock: Any) -> None:
    remaining = []
    for _ in range(3):
        status, _, headers = await ann.pin()
        assert status == 201
        remaining.append(headers["x-ratelimit-remaining"])
        clock.now += 10
    assert remaining == ["2", "1", "0"]
    status, body, headers = await ann.pin()
    assert (status, body) == (429, BODY)
    assert (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"]) == ("0", "30")
    clock.now += 29.5
    assert (await ann.pin())[0] == 429
    clock.now += 0.5
    assert (await ann.pin())[0] == 201
    assert (await ann.pin())[0] == 429
    clock.now += 10
    assert (await ann.pin())[0] == 201


@pytest.mark.parametrize("options", [{"limits": SMALL}])
async def test_categories_and_users_are_counted_apart(ann: Any, account: Any, with_scopes: Any) -> None:
    assert [(await ann.pin())[0] for _ in range(4)] == [201, 201, 201, 429]
    assert (await ann.call("GET", "/v5/boards"))[0] == 200
    assert (await account().pin())[0] == 201
    scopes = ("boards:read", "boards:write", "pins:read", "pins:write")
    # A second token of the same user and app has no quota of its own; another app's has.
    assert (await with_scopes(*scopes).pin())[0] == 429
    assert (await with_scopes(*scopes, app="1500001").pin())[0] == 201


@pytest.mark.parametrize("options", [{"limits": {"safety_net": (4, 1)}}])
async def test_the_safety_net_spans_all_categories(ann: Any, clock: Any) -> None:
    calls = [("GET", "/v5/boards"), ("GET", "/v5/pins"), ("POST", "/v5/pins"), ("DELETE", "/v5/pins/1")]
    assert 429 not in [(await ann.call(*call))[0] for call in calls]
    assert (await ann.call("GET", "/v5/boards"))[0] == 429
    clock.now += 1
    assert (await ann.call("GET", "/v5/boards"))[0] == 200


@pytest.mark.parametrize("options", [{"tier": "trial", "limits": {"org_read": (2, 86_400)}}])
async def test_on_trial_all_users_of_an_app_share_a_day(ann: Any, account: Any) -> None:
    bob = account()
    _, _, headers = await ann.call("GET", "/v5/boards")
    assert headers["x-ratelimit-limit"] == (
        '2, 1000;w=86400;name="safety_net_app_id", 2;w=86400;name="org_read_app_id"'
    )
    assert (await bob.call("GET", "/v5/boards"))[0] == 200
    assert (await ann.call("GET", "/v5/boards"))[0] == 429


@pytest.mark.parametrize("options", [{"limits": SMALL}])
async def test_a_call_counts_when_it_arrives_whatever_becomes_of_it(ann: Any, http: Any) -> None:
    await http.post("/_sandbox/faults", json={"on": "*", "fault": "error", "times": 3})
    assert [(await ann.pin())[0] for _ in range(4)] == [500, 500, 500, 429]


@pytest.mark.parametrize("options", [{"limits": {"org_write": (20, 60)}}])
async def test_concurrent_calls_break_no_window(ann: Any) -> None:
    answers = await asyncio.gather(*(ann.pin() for _ in range(50)))
    statuses = [status for status, _, _ in answers]
    assert (statuses.count(201), statuses.count(429)) == (20, 30)


def test_limits_and_tiers_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match=r"orgwrite.*org_write"):
        PinterestSandbox(limits={"orgwrite": (1, 1)})
    with pytest.raises(ValueError, match="gold"):
        PinterestSandbox(tier="gold")
