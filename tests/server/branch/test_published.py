"""What is live over the API: read, changed, deleted and saved, each told in the history, and never lied about."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.server.branch.conftest import Branch, branch_on


def at(live: dict[str, Any]) -> str:
    return f"/api/v1/delivery/{live['id']}/published"


def history(client: httpx.Client, live: dict[str, Any]) -> list[tuple[str, str, bool]]:
    (delivery,) = client.get(f"/api/v1/post/{live['post']}/deliveries").json()["items"]
    return [(change["kind"], change["outcome"], change["looked"]) for change in delivery["changes"]]


def events(branch: Branch, live: dict[str, Any]) -> list[str]:
    rows = branch.rows("select type from events where subject = %s order by sequence", live["post"])
    return [row[0] for row in rows if row[0].startswith("delivery.")]


def pin(branch: Branch, id: str) -> Any:
    return branch.platform("GET", f"/v5/pins/{id}")


def test_what_is_live_is_read_and_changed(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    seen = client.get(at(live)).json()
    assert (seen["externalId"], seen["fields"]["text"]) == (live["pin"], "A title")
    other = branch.platform("POST", "/v5/boards", json={"name": "Another board"})["id"]
    client.get(branch.channels, params={"refresh": "true"})
    changed = client.patch(at(live), json={"text": "Another", "link": None, "boardName": "another BOARD"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["fields"] | {"altText": None, "description": None, "boardSectionId": None} == {
        "text": "Another", "link": None, "boardId": other, "description": None, "altText": None, "boardSectionId": None,
    }  # fmt: skip
    now = pin(branch, live["pin"])
    assert (now["title"], now["link"], now["board_id"], now["description"]) == ("Another", None, other, "Words")
    branch.steer("DELETE", "log")
    again = client.patch(at(live), json={"text": "Another"})
    assert (again.status_code, again.json()["looked"]) == (200, True)
    assert not branch.calls("PATCH", "/v5/pins/"), "what is so already is not sent"
    assert history(client, live) == [("change", "done", False), ("change", "done", True)]
    assert events(branch, live) == ["delivery.changed"] * 2


def test_it_is_deleted_once_however_often_that_is_asked(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    assert client.delete(at(live)).json()["wasThere"] is True
    assert client.delete(at(live)).json()["wasThere"] is False
    assert len(branch.calls("DELETE", "/v5/pins/")) == 1
    post = client.get(f"/api/v1/post/{live['post']}").json()
    assert post["deliveries"][0]["removedAt"]
    assert history(client, live) == [("delete", "done", False)]
    assert events(branch, live) == ["delivery.removed"]
    for request in (client.get(at(live)), client.patch(at(live), json={"text": "New"})):
        assert (request.status_code, request.json()["code"]) == (409, "published_removed")


def test_the_vendors_call_deletes_what_is_live_of_a_post(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    which = {"teamId": str(branch.house.owner.team_id), "postId": str(live["post"])}
    for _ in range(2):
        answer = client.request("DELETE", "/api/v1/misc/pinterest/pin", json=which)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert len(branch.calls("DELETE", "/v5/pins/")) == 1
    assert events(branch, live) == ["delivery.removed"]
    assert client.patch("/api/v1/misc/pinterest/pin", json=which | {"title": "New"}).status_code == 501


def test_the_vendors_call_finds_no_post_of_another_team_nor_a_strangers(client: httpx.Client, branch: Branch) -> None:
    live, path = branch.live(), "/api/v1/misc/pinterest/pin"
    other = client.post("/api/v1/team", json={"name": "other"}).json()["id"]
    which = {"teamId": str(branch.house.owner.team_id), "postId": str(live["post"])}
    assert client.request("DELETE", path, json=which | {"teamId": other}).status_code == 404
    with branch.house.client(branch.house.stranger.secret) as stranger:
        assert stranger.request("DELETE", path, json=which).status_code == 404
        mine = which | {"teamId": str(branch.house.stranger.team_id)}
        assert stranger.request("DELETE", path, json=mine).status_code == 404
    assert client.request("DELETE", path, json=which | {"postId": "x"}).status_code == 404
    assert not branch.calls("DELETE", "/v5/pins/")
    assert client.request("DELETE", path, json={"postId": 1}).status_code == 400


def test_what_others_have_deleted_is_told_and_remembered(client: httpx.Client, branch: Branch) -> None:
    first, second = branch.live(), branch.live()
    for live in (first, second):
        branch.platform("DELETE", f"/v5/pins/{live['pin']}")
    assert client.patch(at(first), json={"text": "New"}).json()["code"] == "published_removed"
    assert client.get(f"/api/v1/post/{first['post']}").json()["deliveries"][0]["removedAt"]
    assert client.delete(at(second)).json()["wasThere"] is False


@pytest.mark.parametrize("kind", ["reset_after", "error_after"])
def test_what_is_unclear_is_looked_up(client: httpx.Client, branch: Branch, kind: str) -> None:
    live = branch.live()
    for operation in ("PATCH /v5/pins/{pin_id}", "POST /v5/pins/{pin_id}/save", "DELETE /v5/pins/{pin_id}"):
        branch.fault(operation, kind, times=1)
    assert client.patch(at(live), json={"text": "Unclear"}).json()["looked"] is True
    saved = client.post(f"{at(live)}/save", json={"channelId": branch.seed.channel_id}).json()
    assert saved["looked"] is True
    assert pin(branch, saved["externalId"])["parent_pin_id"] == live["pin"]
    assert client.delete(at(live)).json()["removed"] is True
    assert history(client, live) == [("change", "done", True), ("save", "done", True), ("delete", "done", True)]


def test_what_did_not_happen_is_not_claimed_and_may_be_asked_again(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    branch.fault("DELETE /v5/pins/{pin_id}", "reset_before", times=1)
    unknown = client.delete(at(live))
    assert (unknown.status_code, unknown.json()["code"]) == (502, "outcome_unknown")
    assert pin(branch, live["pin"])["id"] == live["pin"]
    assert client.delete(at(live)).json()["wasThere"] is True
    assert [outcome for _, outcome, _ in history(client, live)] == ["unclear", "done"]


def test_a_copy_is_saved_once_for_each_channel(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    board = branch.platform("POST", "/v5/boards", json={"name": f"Copies of {live['pin']}"})["id"]
    section = branch.platform("POST", f"/v5/boards/{board}/sections", json={"name": "S"})["id"]
    answers = [client.post(f"{at(live)}/save", json={"channelId": board}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json()["externalId"] for answer in answers}) == 1
    deeper = client.post(f"{at(live)}/save", json={"channelId": board, "sectionId": section}).json()
    assert pin(branch, deeper["externalId"])["board_section_id"] == section
    assert len(branch.calls("POST", "/save")) == 2
    branch.platform("DELETE", f"/v5/pins/{answers[0].json()['externalId']}")
    anew = client.post(f"{at(live)}/save", json={"channelId": board}).json()
    assert pin(branch, anew["externalId"])["parent_pin_id"] == live["pin"], "the first copy is gone"
    gone = client.post(f"{at(live)}/save", json={"channelId": "1"})
    assert (gone.status_code, gone.json()["code"]) == (404, "board_not_found")
    assert client.get(f"/api/v1/post/{live['post']}").json()["deliveries"][0]["removedAt"] is None
    assert events(branch, live) == ["delivery.saved"] * 3


def test_an_unclear_save_is_never_sent_twice(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    branch.fault("POST /v5/pins/{pin_id}/save", "reset_before", times=1)
    body = {"channelId": branch.seed.channel_id}
    assert client.post(f"{at(live)}/save", json=body).status_code == 502
    soon = client.post(f"{at(live)}/save", json=body)
    assert (soon.status_code, soon.json()["code"]) == (429, "outcome_unknown")
    assert len(branch.calls("POST", "/save")) == 1
    branch.write("update changes set armed_at = armed_at - interval '1 hour' where delivery_id = %s", live["id"])
    assert client.post(f"{at(live)}/save", json=body).status_code == 201
    assert len(branch.calls("POST", "/save")) == 2


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, {("missing_field", None)}),
        ([], {("wrong_type", None)}),
        (
            {"text": "x" * 101, "link": "ftp://x", "mediaUrls": [], "txet": "", "altText": 5},
            {
                ("too_long", "text"),
                ("bad_format", "link"),
                ("not_editable", "mediaUrls"),
                ("unknown_field", "txet"),
                ("wrong_type", "altText"),
            },
        ),
        ({"boardName": "No such board"}, {("pinterest.board-name", "boardName")}),
        ({"text": "a\0b"}, {("null_character", "text")}),
    ],
)
def test_every_fault_is_told_at_once(
    client: httpx.Client, branch: Branch, body: Any, found: set[tuple[str, str | None]]
) -> None:
    live = branch.live()
    branch.steer("DELETE", "log")
    answer = client.patch(at(live), json=body)
    assert answer.status_code == 400, answer.text
    assert {(issue["code"], (issue["path"] or [None])[-1]) for issue in answer.json()["issues"]} == found
    assert not branch.steer("GET", "log")


def test_nothing_can_be_done_with_what_is_not_live_or_a_strangers(client: httpx.Client, branch: Branch) -> None:
    block = {"boardId": branch.seed.channel_id}
    body = {
        "teamId": str(branch.house.owner.team_id), "title": "T", "postDate": "2031-01-01T00:00:00Z",
        "status": "SCHEDULED", "socialAccountTypes": ["PINTEREST"],
        "data": {"PINTEREST": block | {"text": "T", "mediaUrls": ["https://example.com/p.jpg"]}},
    }  # fmt: skip
    waiting = client.post("/api/v1/post", json=body).json()["deliveries"][0]
    path, live = f"/api/v1/delivery/{waiting['id']}/published", branch.live()
    branch.steer("DELETE", "log")
    for method, more in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/save")):
        sent = {"channelId": "1"} if more else {"text": "New"}
        refused = client.request(method, path + more, json=sent)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        with branch.client(branch.house.stranger.secret) as stranger:
            assert stranger.request(method, at(live) + more, json=sent).status_code == 404
    assert not branch.steer("GET", "log")


@pytest.fixture
def ungranted(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Branch]:
    """A branch on a platform that grants the app nothing that is in beta."""
    with branch_on(PinterestSandbox(rng=Random(4), features=()), database_url, redis_url, tmp_path) as branch:
        yield branch


def test_what_the_app_was_not_granted_is_said_clearly(ungranted: Branch) -> None:
    live = ungranted.live()
    with ungranted.client() as client:
        refused = client.patch(at(live), json={"text": "New"})
        assert (refused.status_code, refused.json()["code"]) == (422, "feature_restricted")
        assert "ask Pinterest for it" in refused.json()["hint"]
        assert history(client, live) == [("change", "refused", False)]
        assert client.delete(at(live)).json()["removed"] is True
