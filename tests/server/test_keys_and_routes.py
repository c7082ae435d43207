"""How a key is sent, and that every address answers the same with and without its last slash."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import House
from tests.server.routes import Route, all_routes

ID = "0190b3f0-0000-7000-8000-000000000000"


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def test_every_route_stands_in_the_description_with_the_scope_that_it_asks_for(house: House) -> None:
    document = httpx.get(house.url + "/schema/openapi.json").json()
    described = {
        (method.upper(), path): {scope for way in operation["security"] for scopes in way.values() for scope in scopes}
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert described == {
        (route.method, route.path): {route.asked.scope} if route.asked else set() for route in all_routes()
    }


@pytest.mark.parametrize("route", all_routes(), ids=str)
def test_the_last_slash_makes_no_difference_and_no_redirect(house: House, client: httpx.Client, route: Route) -> None:
    query = {"teamId": str(house.owner.team_id)} if route.operation == "postGetList" else {}
    plain, slashed = [client.request(route.method, route.url() + slash, params=query) for slash in ("", "/")]
    assert plain.status_code == slashed.status_code
    assert plain.status_code not in (301, 302, 307, 308, 401, 405, 500)
    assert plain.headers["content-type"] == slashed.headers["content-type"]


def test_the_description_is_open_and_takes_a_slash(house: House) -> None:
    for slash in ("", "/"):
        assert httpx.get(f"{house.url}/schema/openapi.json{slash}").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"x-api-key": key},
        lambda key: {"X-Access-Key": key},
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"Authorization": f"bearer  {key}"},
        lambda key: {"x-api-key": "", "Authorization": f"Bearer {key}"},
    ],
)
def test_a_key_is_taken_under_each_of_three_headers(house: House, headers: Any) -> None:
    answer = httpx.get(f"{house.url}/api/v1/webhook-endpoint", headers=headers(house.owner.secret))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "fp_" + "a" * 43},
        {"x-api-key": "x" * 5000},
        {"x-api-key": "clé".encode()},
        {"x-api-key": b"\xff\xfe"},
        {"x-access-key": "%00"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer fp_"},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        {"x-api-key": "undefined"},
    ],
)
def test_junk_is_no_key(house: House, headers: dict[str, Any]) -> None:
    answer = httpx.get(f"{house.url}/api/v1/webhook-endpoint", headers=headers)
    assert answer.status_code == 401
    assert not any(str(value) in answer.text for value in headers.values() if len(str(value)) > 10)


def test_a_body_with_a_get_or_a_delete_does_no_harm(client: httpx.Client) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/api/v1/webhook-endpoint/{ID}", json={"ids": [ID]})
        assert answer.status_code == 404
    assert client.request("GET", "/api/v1/webhook-endpoint", content=b"{" * 100_000).status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing/here", 404, "not_found"),
        ("GET", "/schema/nothing", 404, "not_found"),
        ("GET", "/schema/nothing.json", 404, "not_found"),
        ("GET", "/api/v1/post/reference-key", 404, "not_found"),
        ("PUT", "/api/v1/post", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/post", 405, "method_not_allowed"),
        ("PATCH", "/health", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_a_problem_too(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["statusCode"] == problem["status"] == status
    assert problem["issues"] == problem["warnings"] == []
    assert status != 405 or answer.headers["allow"]


def test_a_browser_may_ask_for_the_methods_without_a_key(house: House) -> None:
    asked = httpx.options(f"{house.url}/api/v1/post")
    assert asked.status_code == 204
    assert "POST" in asked.headers["allow"]


def test_every_answer_has_a_request_id(house: House, client: httpx.Client) -> None:
    ids = set()
    for path in ("/health", "/nothing", "/api/v1/webhook-endpoint", f"/api/v1/post/{ID}"):
        ids.add(client.get(path).headers["x-request-id"])
    assert len(ids) == 4
    assert client.get("/health", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/health", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"
