"""Webhook endpoints over real HTTP."""

import httpx
import pytest

from tests.server.conftest import House

HOOKS = "/api/v1/webhook-endpoint"
URL = "http://127.0.0.1:9000/hook"


def test_the_secret_is_shown_once(house: House, client: httpx.Client) -> None:
    answer = client.post(HOOKS, json={"url": URL, "teamId": str(house.owner.team_id), "eventTypes": ["post.published"]})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["secret"].startswith("whsec_")
    assert made["eventTypes"] == ["post.published"]
    (listed,) = client.get(HOOKS).json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}


def test_an_endpoint_is_removed(house: House, client: httpx.Client) -> None:
    made = client.post(HOOKS, json={"url": URL}).json()
    assert made["teamId"] is None
    answer = client.delete(f"{HOOKS}/{made['id']}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(HOOKS).json() == {"items": [], "total": 0}
    assert client.delete(f"{HOOKS}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, [["url"]]),
        ({"url": "http://10.0.0.1/"}, [["url"]]),
        ({"url": "nonsense"}, [["url"]]),
        ({"url": URL, "eventTypes": ["post.publish"]}, [["eventTypes", 0]]),
        ({"url": URL, "eventTypes": "post.published", "events": []}, [["events"], ["eventTypes"]]),
        ({"url": URL + "\0"}, [["url"]]),
    ],
)
def test_every_fault_is_told(
    house: House, client: httpx.Client, body: dict[str, object], paths: list[list[object]]
) -> None:
    answer = client.post(HOOKS, json=body)
    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["issues"]] == paths
    assert house.count("webhook_endpoints") == 0


def test_a_strangers_team_is_not_found(house: House, client: httpx.Client) -> None:
    for team in (str(house.stranger.team_id), "team_1"):
        assert client.post(HOOKS, json={"url": URL, "teamId": team}).status_code == 404
    assert house.count("webhook_endpoints") == 0
