"""Tokens, scopes and tiers open and shut the API as Pinterest's do."""

import random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox

DEAD = {"code": 2, "message": "Authentication failed.", "status": "failure"}


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer pina_unknown", "Basic YTpi"])
async def test_without_a_good_token_every_call_fails_with_code_2(http: Any, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with http.get("/v5/user_account", headers=headers) as answer:
        assert answer.status == 401
        assert await answer.json() == DEAD


async def test_a_token_dies_at_its_end(ann: Any, clock: Any) -> None:
    clock.now += 30 * 86_400 - 1
    await ann.get("/v5/user_account")
    clock.now += 1
    assert (await ann.call("GET", "/v5/user_account"))[:2] == (401, DEAD)


async def test_a_missing_scope_is_named_with_code_3(with_scopes: Any) -> None:
    poor = with_scopes("boards:read", "pins:read", "pins:write")
    status, body, _ = await poor.pin()
    assert status == 401
    assert body == {
        "code": 3,
        "message": "Your token does not have sufficient permissions to perform this operation. Please ensure your "
        "token is authorized with the correct set of scopes. Missing: ['boards:write']",
        "status": "failure",
    }


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("GET /v5/user_account", "['user_accounts:read']"),
        ("GET /v5/boards", "['boards:read']"),
        ("POST /v5/boards", "['boards:read', 'boards:write']"),
        ("GET /v5/boards/1", "['boards:read']"),
        ("PATCH /v5/boards/1", "['boards:read', 'boards:write']"),
        ("DELETE /v5/boards/1", "['boards:read', 'boards:write']"),
        ("GET /v5/boards/1/pins", "['boards:read', 'pins:read']"),
        ("GET /v5/boards/1/sections", "['boards:read']"),
        ("POST /v5/boards/1/sections", "['boards:read', 'boards:write']"),
        ("GET /v5/pins", "['boards:read', 'pins:read']"),
        ("POST /v5/pins", "['boards:read', 'boards:write', 'pins:read', 'pins:write']"),
        ("GET /v5/pins/1", "['boards:read', 'pins:read']"),
        ("DELETE /v5/pins/1", "['boards:read', 'boards:write', 'pins:read', 'pins:write']"),
    ],
)
async def test_each_operation_wants_its_scopes(with_scopes: Any, call: str, missing: str) -> None:
    status, body, _ = await with_scopes("catalogs:read").call(*call.split())
    assert (status, body["code"]) == (401, 3)
    assert body["message"].endswith(f"Missing: {missing}")


@pytest.mark.parametrize("options", [{"tier": "trial"}])
async def test_an_app_on_trial_creates_boards_but_no_pins(ann: Any) -> None:
    assert (await ann.call("POST", "/v5/boards", json={"name": "New"}))[0] == 201
    status, body, _ = await ann.pin()
    assert status == 403
    assert body == {
        "code": 29,
        "message": "Apps with Trial access may not create Pins in production https://api.pinterest.com - use API "
        "Sandbox https://api-sandbox.pinterest.com instead.",
        "status": "failure",
    }


async def test_the_account_is_told(ann: Any) -> None:
    await ann.pin()
    body = await ann.get("/v5/user_account")
    assert body["id"] == ann.id
    assert (body["username"], body["account_type"]) == ("sandbox_1", "BUSINESS")
    assert (body["board_count"], body["pin_count"]) == (3, 1)


async def test_the_log_names_the_account_and_shortens_the_picture(ann: Any, http: Any, sandbox: Any) -> None:
    await ann.pin(media_source={"source_type": "image_base64", "content_type": "image/png", "data": "A" * 4000})
    async with http.get("/_sandbox/log") as answer:
        [call] = await answer.json()
    assert (call["account"], call["path"], call["status"]) == (ann.id, "/v5/pins", 403)
    assert call["body"]["media_source"]["data"].endswith("… (4000 characters)")


async def test_a_path_nobody_serves_is_answered_in_pinterests_shape(ann: Any) -> None:
    status, body, _ = await ann.call("GET", "/v5/nothing")
    assert (status, body) == (404, {"code": 404, "message": "Not Found", "status": "failure"})
    assert (await ann.call("PUT", "/v5/pins"))[0] == 405


@pytest.mark.parametrize(
    ("status", "code"), [(401, 2), (403, 29), (429, 8), (500, 500), (503, 503), (418, 418), (599, 599)]
)
async def test_an_injected_error_has_pinterests_shape(ann: Any, http: Any, status: int, code: int) -> None:
    await http.post("/_sandbox/faults", json={"on": "GET /v5/boards", "fault": "error", "status": status})
    answered, body, headers = await ann.call("GET", "/v5/boards")
    assert (answered, body["code"]) == (status, code)
    assert body["message"]
    assert "x-ratelimit-limit" in headers


async def test_a_pin_can_be_made_although_the_answer_denies_it(ann: Any, http: Any) -> None:
    denial = {"code": 2787, "message": "Sorry! Something went wrong on our end."}
    fault = {"on": "POST /v5/pins", "fault": "error_after", "status": 400, "body": denial}
    await http.post("/_sandbox/faults", json=fault)
    assert (await ann.pin(title="Here"))[:2] == (400, denial)
    assert [pin["title"] for pin in (await ann.get(f"/v5/boards/{ann.board}/pins"))["items"]] == ["Here"]


def test_the_same_randomness_makes_the_same_users_again() -> None:
    first, second = (PinterestSandbox(rng=random.Random(5)) for _ in range(2))
    assert first.seed() == second.seed()
    assert PinterestSandbox().seed() != PinterestSandbox().seed()


def test_each_seed_is_another_user() -> None:
    sandbox = PinterestSandbox()
    ann, bob = sandbox.seed(), sandbox.seed()
    assert ann.access_token.startswith("pina_")
    assert (ann.refresh_token or "").startswith("pinr_")
    assert ann.facts["boards"][0] == {"id": ann.channel_id, "name": "Inspiration"}
    for name in ("access_token", "refresh_token", "external_user", "channel_id"):
        assert getattr(ann, name) != getattr(bob, name)
