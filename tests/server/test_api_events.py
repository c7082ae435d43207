"""The feed of events over real HTTP."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import House

EVENTS = "/api/v1/event?types=team.created&types=team.updated"
"""The feed, as far as these tests make it grow."""


def ask(client: httpx.Client, **params: Any) -> dict[str, Any]:
    query = "".join(f"&{name}={value}" for name, value in params.items())
    answer = client.get(EVENTS + query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def everything(client: httpx.Client, limit: int = 2, **params: object) -> list[dict[str, object]]:
    """All events, page by page, until nothing more comes."""
    found: list[dict[str, object]] = []
    after = ""
    while page := ask(client, after=after, limit=limit, **params):
        found += page["items"]
        after = page["next"]
        if not page["more"]:
            return found
    return found


def named(client: httpx.Client, *names: str) -> list[str]:
    return [client.post("/api/v1/team", json={"name": name}).json()["id"] for name in names]


def settled(client: httpx.Client, count: int) -> list[dict[str, object]]:
    """All events, once there are so many: other databases on the server hold the feed up for a moment."""
    for _ in range(1000):
        if len(found := everything(client)) >= count:
            return found
    raise AssertionError(found)


def test_what_happened_is_read_page_by_page_and_then_goes_on(house: House, client: httpx.Client) -> None:
    teams = named(client, "a", "b", "c")
    found = settled(client, 4)
    assert [event["subject"] for event in found][1:] == teams
    assert {event["type"] for event in found} == {"team.created"}
    assert all(event["sequence"] == 1 and event["previousSequence"] is None for event in found)
    last = ask(client, limit=1000)
    assert (len(last["items"]), last["more"]) == (4, False)
    assert ask(client, after=last["next"]) == {
        "items": [],
        "next": last["next"],
        "more": False,
    }
    client.patch(f"/api/v1/team/{teams[0]}", json={"name": "z"})
    settled(client, 5)
    (event,) = ask(client, after=last["next"])["items"]
    assert (event["type"], event["sequence"], event["previousSequence"]) == ("team.updated", 2, 1)
    assert (event["data"]["name"], event["version"], event["teamId"]) == ("z", 1, teams[0])


def test_the_latest_is_the_end_of_what_there_is(house: House, client: httpx.Client) -> None:
    named(client, "before")
    settled(client, 2)
    latest = ask(client, after="latest")
    assert latest["items"] == []
    (team,) = named(client, "after")
    settled(client, 3)
    (event,) = ask(client, after=latest["next"])["items"]
    assert event["subject"] == team


def test_a_stranger_and_another_team_read_nothing_of_it(house: House, client: httpx.Client) -> None:
    team, other = named(client, "mine", "other")
    settled(client, 3)
    with house.client(house.stranger.secret) as stranger:
        assert team not in str(ask(stranger, limit=1000))
        assert ask(stranger, teamId=team)["items"] == []
    key = client.post("/api/v1/api-key", json={"name": "k", "scopes": ["read"], "teamId": team}).json()["secret"]
    with house.client(key) as narrow:
        assert [event["subject"] for event in everything(narrow)] == [team]
        assert narrow.get(f"{EVENTS}&teamId={other}").status_code == 404
    assert [event["subject"] for event in everything(client, teamId=other)] == [other]
    assert client.get("/api/v1/event?types=team.deleted").json()["items"] == []


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("after=7", ["query", "after"]),
        ("after=0000-", ["query", "after"]),
        ("limit=0", ["query", "limit"]),
        ("limit=1001", ["query", "limit"]),
        ("limit=x", ["query", "limit"]),
        ("types=post.publishd", ["query", "types"]),
        ("afetr=1-1", ["query", "afetr"]),
    ],
)
def test_every_fault_of_a_query_is_told(shared_house: House, query: str, path: list[str]) -> None:
    with shared_house.client() as client:
        answer = client.get(f"{EVENTS}&{query}")
    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["issues"]] == [path]


def test_a_cursor_of_any_size_is_answered(shared_house: House) -> None:
    with shared_house.client() as client:
        for after in ("0-0", "9999999999999999999-999999999999999999", "1-999999999999999999"):
            assert client.get(f"{EVENTS}&after={after}").status_code == 200
        assert client.get(f"{EVENTS}&after=18446744073709551616-1").status_code == 400
