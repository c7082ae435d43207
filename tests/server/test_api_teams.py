"""Organization and teams, in the shape that bundle.social's clients know."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.server.conftest import House

TEAM = "/api/v1/team/"
VENDOR_TEAM = {"id", "name", "avatarUrl", "organizationId", "createdById", "createdAt", "updatedAt", "deletedAt"}
VENDOR_FULL = VENDOR_TEAM | {"organization", "createdBy", "bots", "socialAccounts"}


def team(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = client.post(TEAM, json={"name": "A team", **changes})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_team_is_made_read_changed_and_listed_in_the_vendors_shape(house: House, client: httpx.Client) -> None:
    made = team(client, avatarUrl="https://example.com/a.png")
    assert set(made) == VENDOR_TEAM | {"whenNotFound"}
    assert made["whenNotFound"] == "retry"
    read = client.get(TEAM + made["id"]).json()
    assert set(read) == VENDOR_FULL | {"whenNotFound"}
    assert read["organization"]["id"] == made["organizationId"] == str(house.owner.organization_id)
    changed = client.patch(TEAM + made["id"], json={"name": "Another", "whenNotFound": "review", "avatarUrl": None})
    assert changed.status_code == 200
    assert [changed.json()[name] for name in ("name", "whenNotFound", "avatarUrl")] == ["Another", "review", None]
    listed = client.get(TEAM, params={"search": "anoth"}).json()
    assert listed["total"] == 1
    assert listed["items"][0]["id"] == made["id"]


def test_the_list_is_paged_and_shows_the_accounts_of_each_team(house: House, client: httpx.Client) -> None:
    made = [team(client, name=f"Team {number}")["id"] for number in range(3)]
    first = client.get(TEAM, params={"offset": 0, "limit": 1}).json()
    assert first["total"] == 4
    assert [account["id"] for account in first["items"][0]["socialAccounts"]] == [str(house.account_id)]
    rest = client.get(TEAM, params={"offset": 1, "limit": 10}).json()
    assert [item["id"] for item in rest["items"]] == made


def test_the_organization_is_the_keys_own(house: House, client: httpx.Client) -> None:
    organization = client.get("/api/v1/organization/").json()
    assert organization["id"] == str(house.owner.organization_id)
    assert [found["id"] for found in organization["teams"]] == [str(house.owner.team_id)]
    assert {"createdBy", "createdById", "subscription", "apiAccess", "suspended"} <= set(organization)


def test_a_team_is_not_copied(client: httpx.Client) -> None:
    answer = client.post(TEAM, json={"name": "Copy", "copyTeamId": "x"})
    assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "missing_field"), ({"name": ""}, "too_short"), ({"name": "x" * 201}, "too_long"), ({"name": 1}, "wrong_type"),
     ({"name": "x", "whenNotFound": "never"}, "not_a_choice"), ({"name": "x", "avatarUrl": "ftp://x"}, "bad_format"),
     ({"name": "a\0b"}, "null_character"), ({"nam": "x"}, "unknown_field")],
)  # fmt: skip
def test_faults_are_told(client: httpx.Client, body: dict[str, Any], code: str) -> None:
    answer = client.post(TEAM, json=body)
    assert answer.status_code == 400
    assert code in {issue["code"] for issue in answer.json()["issues"]}


@pytest.mark.parametrize(
    ("query", "code"), [("limit=0", "too_small"), ("limit=x", "wrong_type"), ("offset=-1", "too_small"),
                        ("serch=x", "unknown_field"), ("limit=101", "too_large"), ("search=%00", "null_character")],
)  # fmt: skip
def test_a_faulty_query_is_told(client: httpx.Client, query: str, code: str) -> None:
    answer = client.get(f"{TEAM}?{query}")
    assert answer.status_code == 400
    assert answer.json()["issues"][0]["code"] == code


def test_a_team_with_a_post_that_waits_is_not_deleted_and_then_it_is(
    house: House, client: httpx.Client, pin: Any
) -> None:
    place = TEAM + str(house.owner.team_id)
    post = client.post("/api/v1/post", json=pin()).json()
    hook = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9", "teamId": post["teamId"]}).json()
    key = client.post("/api/v1/api-key", json={"name": "k", "scopes": ["read"], "teamId": post["teamId"]}).json()
    with house.client(key["secret"]) as bound:
        assert bound.get(place).status_code == 200
        assert client.delete(place).status_code == 409
        assert client.delete(f"/api/v1/post/{post['id']}").status_code == 200
        deleted = client.delete(place)
        assert deleted.status_code == 200
        assert deleted.json()["deletedAt"] is not None
        assert bound.get(place).status_code == 401
    for answer in (
        client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9", "teamId": post["teamId"]}),
        client.post("/api/v1/api-key", json={"name": "k", "scopes": ["read"], "teamId": post["teamId"]}),
        client.get(place),
        client.delete(place),
        client.patch(place, json={}),
        client.post("/api/v1/post", json=pin()),
    ):
        assert answer.status_code == 404
    assert client.get("/api/v1/organization").json()["teams"] == []
    (endpoint,) = client.get("/api/v1/webhook-endpoint").json()["items"]
    assert (endpoint["id"], endpoint["disabledAt"] is None) == (hook["id"], False)
    with psycopg.connect(house.database_url) as connection:
        assert connection.execute("select disconnected_at is null from social_accounts").fetchall() == [(False,)]
