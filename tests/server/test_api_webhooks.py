"""Webhook endpoints over real HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
        ({"url": URL, "platforms": ["NOWHERE"], "teamIds": ["x"]}, [["teamIds", 0]]),
        ({"url": URL, "platforms": ["NOWHERE"], "eventTypes": ["x"]}, [["eventTypes", 0], ["platforms", 0]]),
        ({"url": URL, "format": "zapier"}, [["format"]]),
        ({"url": URL, "format": "bundle.social", "eventTypes": ["delivery.failed"]}, [["eventTypes", 0]]),
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


def made(client: httpx.Client, **terms: object) -> dict[str, Any]:
    answer = client.post(HOOKS, json={"url": URL, **terms})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_endpoint_is_read_changed_switched_off_and_on(house: House, client: httpx.Client) -> None:
    endpoint = made(client, platforms=["ECHO"], ordered=True, description="mine", teamIds=[str(house.owner.team_id)])
    place = f"{HOOKS}/{endpoint['id']}"
    shown = client.get(place).json()
    assert shown == {name: value for name, value in endpoint.items() if name != "secret"}
    assert (shown["platforms"], shown["ordered"], shown["format"], shown["failures"]) == (
        ["ECHO"],
        True,
        "fingerpost",
        0,
    )
    changed = client.patch(place, json={"description": "yours", "eventTypes": ["post.failed"], "enabled": False}).json()
    assert (changed["description"], changed["eventTypes"], changed["platforms"]) == ("yours", ["post.failed"], ["ECHO"])
    assert (changed["disabledReason"], changed["disabledAt"] is None) == ("owner", False)
    for call in ("test", "resend"):
        refused = client.post(f"{place}/{call}", json={"since": "2020-01-01T00:00:00Z"})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert client.post(f"{place}/enable").json()["disabledAt"] is None
    faulty = client.patch(place, json={"url": "http://10.0.0.1", "platforms": ["ECO"], "secret": "x"})
    assert [issue["path"] for issue in faulty.json()["issues"]] == [["secret"]]
    assert client.patch(place, json={"url": "http://10.0.0.1", "platforms": ["ECO"]}).status_code == 400


def test_a_new_secret_is_shown_once_beside_the_end_of_the_old_one(house: House, client: httpx.Client) -> None:
    endpoint = made(client)
    rotated = client.post(f"{HOOKS}/{endpoint['id']}/rotate-secret").json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != endpoint["secret"]
    left = datetime.fromisoformat(rotated["previousSecretUntil"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert "secret" not in client.get(f"{HOOKS}/{endpoint['id']}").json()


def test_the_bound_on_endpoints_is_told(house: House, client: httpx.Client) -> None:
    for _ in range(house.settings.webhook_endpoints):
        made(client)
    refused = client.post(HOOKS, json={"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_endpoints")
    assert str(house.settings.webhook_endpoints) in refused.json()["message"]


def test_messages_are_listed_read_and_sent_again(house: House, client: httpx.Client) -> None:
    endpoint = made(client)
    place = f"{HOOKS}/{endpoint['id']}"
    first, second = [client.post(f"{place}/test").json()["messageId"] for _ in range(2)]
    listed = client.get(f"{place}/message").json()["items"]
    assert [message["id"] for message in listed] == [second, first]
    assert client.get(f"{place}/message", params={"before": second}).json()["items"] == listed[1:]
    assert client.get(f"{place}/message", params={"state": "failed"}).json()["items"] == []
    assert client.get(f"{place}/message", params={"before": "x"}).json()["items"] == []
    shown = client.get(f"/api/v1/webhook-message/{first}").json()
    assert (shown["state"], shown["type"], shown["tries"]) == ("waiting", "webhook_endpoint.test", [])
    assert client.post(f"/api/v1/webhook-message/{first}/resend").json()["state"] == "waiting"
    assert client.post(f"{place}/resend", json={"since": "2020-01-01T00:00:00Z"}).json() == {"resent": 0}
    for faulty in ({"since": "yesterday"}, {"since": "2020-01-01T00:00:00"}, {}):
        answer = client.post(f"{place}/resend", json=faulty)
        assert [issue["path"] for issue in answer.json()["issues"]] == [["since"]]
    for faulty_query in ({"state": "lost"}, {"limit": 0}, {"limit": "many"}):
        assert client.get(f"{place}/message", params=faulty_query).status_code == 400
