"""The sandbox's consent page and token endpoint: strict about everything, and each code and refresh token good once."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

BACK = "https://app.example/back"
AUTH = aiohttp.encode_basic_auth("1500000", "the-secret-of-the-sandbox")


@pytest.fixture
def options() -> dict[str, Any]:
    return {"redirects": [BACK]}


def asked(**changes: str | None) -> dict[str, str]:
    whole = {
        "client_id": "1500000", "redirect_uri": BACK, "response_type": "code", "state": "s & t",
        "scope": "pins:read,pins:write boards:read", **changes,
    }  # fmt: skip
    return {name: value for name, value in whole.items() if value is not None}


async def decided(http: Any, decision: str = "allow", /, **changes: str | None) -> tuple[int, dict[str, list[str]]]:
    form = asked(**changes) | {"decision": decision, "user": "new"}
    async with http.post("/oauth/", data=form, allow_redirects=False) as answer:
        return answer.status, parse_qs(urlsplit(answer.headers.get("location", "")).query)


async def token(http: Any, credentials: str = AUTH, /, **form: str) -> tuple[int, Any]:
    headers = {"Authorization": credentials} if credentials else {}
    async with http.post("/v5/oauth/token", data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def code(http: Any, **changes: str | None) -> str:
    status, told = await decided(http, **changes)
    assert status == 302
    return told["code"][0]


async def test_the_page_says_who_asks_for_what(http: Any) -> None:
    async with http.get("/oauth/", params=asked()) as answer:
        text = await answer.text()
    assert answer.status == 200
    for words in ("1500000", "pins:write", "Give access", "Cancel", "a new member"):
        assert words in text


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None}, {"client_id": "1"}, {"redirect_uri": None}, {"redirect_uri": BACK + "/"},
        {"redirect_uri": "https://evil.example/"}, {"redirect_uri": BACK + "#x"}, {"response_type": "token"},
        {"response_type": None}, {"scope": None}, {"scope": ""}, {"scope": "analytics:read"},
    ],
)  # fmt: skip
async def test_a_mistake_in_the_address_is_shown_and_never_sent_to_the_app(http: Any, changes: Any) -> None:
    async with http.get("/oauth/", params=asked(**changes), allow_redirects=False) as answer:
        assert answer.status == 400
    assert (await decided(http, **changes))[0] == 400


async def test_state_comes_back_as_it_was_or_not_at_all(http: Any) -> None:
    assert (await decided(http))[1]["state"] == ["s & t"]
    assert "state" not in (await decided(http, state=None))[1]
    status, told = await decided(http, "deny")
    assert (status, told["error"], told["state"]) == (302, ["access_denied"], ["s & t"])
    assert "code" not in told


async def test_a_code_brings_tokens_that_work_once(http: Any) -> None:
    given = await code(http, scope="user_accounts:read")
    form = {"grant_type": "authorization_code", "code": given, "redirect_uri": BACK, "continuous_refresh": "true"}
    status, body = await token(http, **form)
    assert status == 200
    assert body["access_token"].startswith("pina_")
    assert body["refresh_token"].startswith("pinr_")
    assert (body["token_type"], body["expires_in"], body["refresh_token_expires_in"]) == ("bearer", 2592000, 5184000)
    assert (body["scope"], body["response_type"]) == ("user_accounts:read", "authorization_code")
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    async with http.get("/v5/user_account", headers=headers) as answer:
        assert answer.status == 200
    async with http.get("/v5/boards", headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, 3)
    assert (await token(http, **form))[0] == 401


async def test_a_refresh_token_is_replaced_by_the_next(http: Any) -> None:
    form = {"grant_type": "authorization_code", "code": await code(http), "redirect_uri": BACK}
    _, first = await token(http, **form)
    _, second = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert second["response_type"] == "refresh_token"
    status, refused = await token(http, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (status, refused["code"]) == (401, 283)
    async with http.get("/v5/boards", headers={"Authorization": f"Bearer {first['access_token']}"}) as answer:
        assert answer.status == 200, "the access token lives on"
    status, _ = await token(http, grant_type="refresh_token", refresh_token=second["refresh_token"], scope="ads:read")
    assert status == 401, "a scope can only be narrowed"
    _, narrow = await token(http, grant_type="refresh_token", refresh_token=second["refresh_token"], scope="pins:read")
    assert narrow["scope"] == "pins:read"


@pytest.mark.parametrize(
    "auth",
    ["", aiohttp.encode_basic_auth("1500000", "wrong"), aiohttp.encode_basic_auth("1", "x"), "Basic é", "Bearer x"],
)
async def test_only_the_apps_own_credentials_are_taken_and_only_as_basic(http: Any, auth: str) -> None:
    form = {"grant_type": "authorization_code", "code": await code(http), "redirect_uri": BACK}
    status, body = await token(http, auth, **form, client_id="1500000", client_secret="the-secret-of-the-sandbox")
    assert (status, body["code"]) == (401, 2)
    assert (await token(http, **form))[0] == 200, "the code was not used up by that"


@pytest.mark.parametrize(
    ("form", "status", "number"),
    [
        ({}, 400, 1), ({"grant_type": "password"}, 400, 1), ({"grant_type": "authorization_code"}, 400, 1),
        ({"grant_type": "authorization_code", "code": "x"}, 400, 1), ({"grant_type": "refresh_token"}, 400, 1),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": BACK}, 401, 283),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401, 283),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "y"}, 400, 1),
    ],
)  # fmt: skip
async def test_a_form_that_is_not_right_is_refused(http: Any, form: dict[str, str], status: int, number: int) -> None:
    answered, body = await token(http, **form)
    assert (answered, body["code"]) == (status, number)


async def test_a_code_is_bound_to_its_redirect_and_to_time(http: Any, clock: Any) -> None:
    given = await code(http)
    status, _ = await token(http, grant_type="authorization_code", code=given, redirect_uri=BACK + "/")
    assert status == 401
    given = await code(http)
    clock.now += 601
    status, _ = await token(http, grant_type="authorization_code", code=given, redirect_uri=BACK)
    assert status == 401


async def test_faults_fall_on_the_token_endpoint_too(http: Any) -> None:
    async with http.post("/_sandbox/faults", json={"on": "POST /v5/oauth/token", "fault": "error", "status": 503}):
        pass
    assert (await token(http, grant_type="refresh_token", refresh_token="x"))[0] == 503
