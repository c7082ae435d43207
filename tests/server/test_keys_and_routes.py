"""Who is let in where, and that every address answers the same with and without its last slash."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from core.database.pool import open_pool
from core.tenants.tenants import NewKey, Tenants
from tests.server.conftest import House

ID = "0190b3f0-0000-7000-8000-000000000000"
CLOSED = [
    ("POST", "/api/v1/post"),
    ("GET", "/api/v1/post"),
    ("GET", f"/api/v1/post/{ID}"),
    ("PATCH", f"/api/v1/post/{ID}"),
    ("DELETE", f"/api/v1/post/{ID}"),
    ("POST", f"/api/v1/post/{ID}/retry"),
    ("GET", f"/api/v1/post/{ID}/deliveries"),
    ("POST", f"/api/v1/delivery/{ID}/resolve"),
    ("GET", "/api/v1/post/reference-key/k"),
    ("POST", "/api/v1/upload"),
    ("POST", "/api/v1/upload/from-url"),
    ("GET", f"/api/v1/upload/{ID}"),
    ("POST", "/api/v1/webhook-endpoint"),
    ("GET", "/api/v1/webhook-endpoint"),
    ("DELETE", f"/api/v1/webhook-endpoint/{ID}"),
]
OPEN = [("GET", "/health"), ("GET", "/api/v1"), ("GET", "/schema/openapi.json")]


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def with_tenants(house: House, act: Any) -> Any:
    async def call() -> Any:
        async with open_pool(house.database_url, size=1, name="tests") as pool:
            return await act(Tenants(pool))

    return asyncio.run(call())


def test_every_route_is_walked(house: House) -> None:
    document = httpx.get(house.url + "/schema/openapi.json").json()
    known = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    walked = {
        (method, path.replace(ID, "{id}").replace("key/k", "key/{reference_key}")) for method, path in CLOSED + OPEN
    }
    assert known == walked - {("GET", "/schema/openapi.json")}


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_without_a_key_nothing_opens(house: House, method: str, path: str) -> None:
    with house.client(None) as nobody:
        for slash in ("", "/"):
            answer = nobody.request(method, path + slash)
            assert answer.status_code == 401
            assert answer.json()["code"] == "not_authenticated"
            assert all(name in answer.json()["message"] for name in ("x-api-key", "x-access-key", "Bearer"))
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), [*CLOSED, *OPEN])
def test_the_last_slash_makes_no_difference_and_no_redirect(
    house: House, client: httpx.Client, method: str, path: str
) -> None:
    query = {"teamId": str(house.owner.team_id)} if (method, path) == ("GET", "/api/v1/post") else {}
    plain, slashed = [client.request(method, path + slash, params=query) for slash in ("", "/")]
    assert plain.status_code == slashed.status_code
    assert plain.status_code not in (301, 302, 307, 308, 401, 405, 500)
    assert plain.headers["content-type"] == slashed.headers["content-type"]


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


def test_a_revoked_key_and_one_that_has_expired_are_no_keys(house: House) -> None:
    async def expired(tenants: Tenants) -> NewKey:
        past = datetime.now(UTC) - timedelta(seconds=1)
        return await tenants.create_key(house.owner.organization_id, "old", expires_at=past)

    async def fresh(tenants: Tenants) -> NewKey:
        return await tenants.create_key(house.owner.organization_id, "fresh")

    async def revoke(tenants: Tenants) -> None:
        await tenants.revoke_key(house.owner.organization_id, key.id)

    old, key = with_tenants(house, expired), with_tenants(house, fresh)
    with house.client(key.secret) as client:
        assert client.get("/api/v1/webhook-endpoint").status_code == 200
        with_tenants(house, revoke)
        assert client.get("/api/v1/webhook-endpoint").status_code == 401
    with house.client(old.secret) as client:
        assert client.get("/api/v1/webhook-endpoint").status_code == 401


def test_a_body_with_a_get_or_a_delete_does_no_harm(client: httpx.Client) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/api/v1/webhook-endpoint/{ID}", json={"ids": [ID]})
        assert answer.status_code == {"GET": 405, "DELETE": 404}[method]
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


def test_every_answer_has_a_request_id(house: House, client: httpx.Client) -> None:
    ids = set()
    for path in ("/health", "/nothing", "/api/v1/webhook-endpoint", f"/api/v1/post/{ID}"):
        ids.add(client.get(path).headers["x-request-id"])
    assert len(ids) == 4
    assert client.get("/health", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert client.get("/health", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"
