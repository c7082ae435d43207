"""Approval over real HTTP, and answers that are told apart by their tags."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.server.conftest import House, picture

Pin = Callable[..., dict[str, Any]]
POST = "/api/v1/post/"


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def create(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(POST, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_post_is_approved_with_or_without_a_note(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin(status="REVIEW"))
    assert (post["status"], post["deliveries"], post["reviews"]) == ("REVIEW", [], [])
    mistakes: list[Any] = [{"note": ""}, {"note": 1}, {"colour": "red"}, []]
    for wrong in mistakes:
        assert client.post(f"{POST}{post['id']}/approve", json=wrong).status_code == 400, wrong
    approved = client.post(f"{POST}{post['id']}/approve").json()
    assert (approved["status"], approved["deliveries"][0]["state"], approved["warnings"]) == (
        "SCHEDULED",
        "scheduled",
        [],
    )
    (said,) = approved["reviews"]
    assert (said["verdict"], said["note"], said["apiKeyId"]) == ("approved", None, str(house.owner.key_id))
    again = client.post(f"{POST}{post['id']}/approve", json={"note": "Again"})
    assert (again.status_code, again.json()["code"]) == (409, "not_in_review")


def test_a_post_is_rejected_and_sent_in_again(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin(status="REVIEW"))
    refused = client.patch(f"{POST}{post['id']}", json={"status": "SCHEDULED"})
    assert (refused.status_code, refused.json()["code"]) == (409, "in_review")
    rejected = client.post(f"{POST}{post['id']}/reject/", json={"note": "Too loud"}).json()
    assert (rejected["status"], rejected["reviews"][0]["note"]) == ("DRAFT", "Too loud")
    sent = client.patch(f"{POST}{post['id']}", json={"status": "REVIEW", "title": "Quieter"}).json()
    assert (sent["status"], sent["title"]) == ("REVIEW", "Quieter")


def test_a_stranger_neither_approves_nor_rejects(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin(status="REVIEW"))
    with house.client(house.stranger.secret) as stranger:
        for call in ("approve", "reject"):
            assert stranger.post(f"{POST}{post['id']}/{call}").status_code == 404
    for call in ("approve", "reject"):
        assert client.post(f"{POST}nothing/{call}").status_code == 404
    assert client.get(POST + post["id"]).json()["status"] == "REVIEW"


def test_every_fault_of_a_change_is_told_and_nothing_is_changed(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin())
    wrong = {"title": "", "colour": "red", "data": {"PINTEREST": {"text": "x" * 101}}}
    answer = client.patch(POST + post["id"], json=wrong)
    assert answer.status_code == 400
    found = {(issue["code"], issue["path"][-1]) for issue in answer.json()["issues"]}
    assert {("too_short", "title"), ("unknown_field", "colour"), ("too_long", "text")} <= found
    assert client.get(POST + post["id"]).json()["title"] == post["title"]
    assert client.patch(POST + post["id"], json=[]).json()["issues"][0]["code"] == "wrong_type"
    assert client.patch(POST + post["id"], content=b"").status_code == 400


def test_who_has_an_answer_already_is_told_so(house: House, client: httpx.Client, pin: Pin) -> None:
    upload = client.post("/api/v1/upload/", files={"file": ("p.png", picture(), "image/png")}).json()["id"]
    post = create(client, pin({"mediaUrls": None, "uploadIds": [upload]}, referenceKey="tagged"))
    team = f"?teamId={house.owner.team_id}&q=a+pin"
    posts = [POST + path for path in (post["id"], "reference-key/tagged", team, f"{post['id']}/deliveries")]
    for path in (*posts, "/api/v1/team/", "/api/v1/organization/", f"/api/v1/upload/{upload}", "/api/v1/platforms"):
        first = client.get(path)
        tag = first.headers["etag"]
        assert tag.startswith('"')
        for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            unchanged = client.get(path, headers={"If-None-Match": named})
            assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag), path
        assert client.get(path, headers={"If-None-Match": '"x"'}).json() == first.json()
    before = client.get(POST + post["id"]).headers["etag"]
    client.patch(POST + post["id"], json={"title": "Another"})
    assert client.get(POST + post["id"], headers={"If-None-Match": before}).status_code == 200


def test_a_change_may_hang_on_what_was_read(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin())
    assert client.patch(POST + post["id"], json={"title": "Any"}, headers={"If-Match": "*"}).status_code == 200
    tag = "W/" + client.get(POST + post["id"]).headers["etag"]
    mine = client.patch(POST + post["id"], json={"title": "Mine"}, headers={"If-Match": tag})
    assert (mine.status_code, mine.json()["title"]) == (200, "Mine")
    late = client.patch(POST + post["id"], json={"title": "Theirs"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert client.get(POST + post["id"]).json()["title"] == "Mine"


def test_pages_go_on_where_they_ended_whatever_is_put_in(house: House, client: httpx.Client, pin: Pin) -> None:
    words = "Pages that go on"
    made = [create(client, pin(title=f"{words} {n}"))["id"] for n in range(5)]
    team: dict[str, Any] = {"teamId": str(house.owner.team_id), "q": words, "limit": 2, "orderBy": "createdAt"}
    read: list[str] = []
    query: dict[str, Any] = dict(team)
    while True:
        page = client.get(POST, params=query).json()
        read += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        create(client, pin(title=f"{words}, put in"))
        query = {**team, "after": page["next"]}
    assert read == made[::-1]
    mistakes: list[dict[str, Any]] = [
        {"after": "x"},
        {"after": query["after"], "order": "ASC"},
        {"after": query["after"], "offset": 1},
    ]
    for wrong in mistakes:
        refused = client.get(POST, params={**team, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_query")
