"""The API keys of the API: shown once, never wider than the one that makes them, and revoked at once."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from core.database.pool import open_pool
from core.tenants.keys import ApiKeys
from tests.server.conftest import House

KEYS = "/api/v1/api-key/"


@pytest.fixture
def house(module_house: House) -> House:
    return module_house


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with house.client() as client:
        yield client


def make(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post(KEYS, json={"name": "made", "scopes": ["read"], **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_key_is_shown_once_and_listed_without_its_secret(house: House, client: httpx.Client) -> None:
    made = make(client, scopes=["write", "read"], expiresAt="2999-01-01T00:00:00Z")
    assert made["secret"].startswith("fp_")
    assert made["scopes"] == ["read", "write"]
    assert made["expiresAt"] == "2999-01-01T00:00:00.000Z"
    listed = client.get(KEYS)
    assert made["secret"] not in listed.text
    (found,) = [item for item in listed.json()["items"] if item["id"] == made["id"]]
    assert found == {name: value for name, value in made.items() if name != "secret"}
    with house.client(made["secret"]) as other:
        assert other.get("/api/v1/team").status_code == 200


def test_a_key_that_is_revoked_here_is_refused_at_once(house: House, client: httpx.Client) -> None:
    made = make(client)
    with house.client(made["secret"]) as other:
        assert other.get("/api/v1/team").status_code == 200
        revoked = client.delete(KEYS + made["id"])
        assert revoked.status_code == 200
        assert revoked.json()["revokedAt"] is not None
        assert other.get("/api/v1/team").status_code == 401
    assert client.delete(KEYS + made["id"]).json() == revoked.json()


def test_a_key_may_revoke_itself(house: House, client: httpx.Client) -> None:
    made = make(client, scopes=["destructive"])
    with house.client(made["secret"]) as other:
        assert other.delete(KEYS + made["id"]).status_code == 200
        assert other.delete(KEYS + made["id"]).status_code == 401


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        ({"scopes": ["write"]}, {"scopes": ["write"]}, 201),
        ({"scopes": ["write"]}, {"scopes": ["read"]}, 403),
        ({"scopes": ["write"]}, {"scopes": ["write", "destructive"]}, 403),
        ({"scopes": ["write"], "expiresAt": "2999-01-01T00:00:00Z"}, {"expiresAt": "2998-01-01T00:00:00Z"}, 201),
        ({"scopes": ["write"], "expiresAt": "2999-01-01T00:00:00Z"}, {"expiresAt": "2999-01-02T00:00:00Z"}, 403),
        ({"scopes": ["write"], "teamId": "own"}, {"teamId": "own"}, 201),
        ({"scopes": ["write"], "teamId": "own"}, {"teamId": "second"}, 404),
        ({"scopes": ["write"], "teamId": "second"}, {"socialAccountIds": ["own"]}, 404),
        ({"scopes": ["write"], "teamId": "own"}, {"socialAccountIds": ["own"]}, 201),
        ({"scopes": ["write"], "socialAccountIds": ["own"]}, {"socialAccountIds": ["own"]}, 201),
        ({"scopes": ["write"], "socialAccountIds": ["own"]}, {"teamId": "own"}, 403),
    ],
)
def test_a_key_never_grants_more_than_it_has(
    house: House, client: httpx.Client, own: dict[str, Any], asked: dict[str, Any], status: int
) -> None:
    second = client.post("/api/v1/team", json={"name": "second"}).json()["id"]
    ids = {"own": str(house.owner.team_id), "second": second}

    def whole(body: dict[str, Any]) -> dict[str, Any]:
        named = body | ({"teamId": ids[body["teamId"]]} if "teamId" in body else {})
        return named | ({"socialAccountIds": [str(house.account_id)]} if "socialAccountIds" in body else {})

    with house.client(make(client, **whole(own))["secret"]) as narrow:
        answer = narrow.post(KEYS, json={"name": "wider", "scopes": ["write"], **whole(asked)})
        assert answer.status_code == status, answer.text


def test_what_is_left_out_is_as_narrow_as_the_key_that_asks(house: House, client: httpx.Client) -> None:
    team, account = str(house.owner.team_id), str(house.account_id)
    end = "2999-01-01T00:00:00.000Z"
    for bound in ({"teamId": team}, {"socialAccountIds": [account]}):
        parent = make(client, scopes=["read", "write"], expiresAt=end, **bound)
        with house.client(parent["secret"]) as narrow:
            child = make(narrow)
            seen = {item["id"] for item in narrow.get(KEYS).json()["items"]}
        names = ("teamId", "socialAccountIds", "expiresAt")
        assert [child[name] for name in names] == [parent[name] for name in names]
        assert {parent["id"], child["id"]} <= seen
        assert str(house.owner.key_id) not in seen


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scopes": []}, "too_few"),
        ({"scopes": ["admin"]}, "not_a_choice"),
        ({"scopes": None}, "wrong_type"),
        ({"name": ""}, "too_short"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "date_past"),
        ({"expiresAt": "tomorrow"}, "date_invalid"),
        ({"socialAccountIds": []}, "too_few"),
        ({"teamId": "x", "socialAccountIds": ["y"]}, "duplicate"),
        ({"colour": "red"}, "unknown_field"),
    ],
)
def test_a_faulty_request_is_told_its_fault(client: httpx.Client, changes: dict[str, Any], code: str) -> None:
    answer = client.post(KEYS, json={"name": "made", "scopes": ["read"], **changes})
    assert answer.status_code == 400
    assert code in {issue["code"] for issue in answer.json()["issues"]}


async def _admin(house: House) -> str:
    async with open_pool(house.database_url, size=1, name="tests") as pool:
        end = datetime.now(UTC) + timedelta(hours=1)
        return (await ApiKeys(pool).create_operator("admin", expires_at=end)).secret


def test_a_platform_admin_starts_an_organization_and_sees_nothing_of_it(house: House) -> None:
    with house.client(asyncio.run(_admin(house))) as admin:
        made = admin.post("/api/v1/organization", json={"name": "Newcomers"})
        assert made.status_code == 201
        place = f"/api/v1/organization/{made.json()['id']}/api-key"
        first = admin.post(place, json={"name": "first"})
        assert first.status_code == 201
        assert first.json()["scopes"] == ["read", "write", "destructive"]
        assert admin.post(place, json={"name": "second"}).status_code == 409
        # Nor is there a way into an organization that has keys.
        theirs = f"/api/v1/organization/{house.owner.organization_id}/api-key"
        assert admin.post(theirs, json={"name": "mine"}).status_code == 409
        assert admin.get("/api/v1/organization").status_code == 403
        assert admin.get(KEYS).status_code == 403
    with house.client(first.json()["secret"]) as client:
        organization = client.get("/api/v1/organization/").json()
        assert (organization["name"], organization["teams"]) == ("Newcomers", [])
        team = client.post("/api/v1/team/", json={"name": "First"})
        assert team.status_code == 200


@pytest.mark.parametrize("id", ["0190b3f0-0000-7000-8000-000000000000", "x"])
def test_an_organization_that_is_not_there_gets_no_key(house: House, id: str) -> None:
    with house.client(asyncio.run(_admin(house))) as admin:
        assert admin.post(f"/api/v1/organization/{id}/api-key", json={"name": "first"}).status_code == 404
