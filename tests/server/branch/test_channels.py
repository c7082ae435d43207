"""The channels of an account over the API: kept, refreshed, made, renamed and taken away, each thing one at a time."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest

from adapters.pinterest import wire
from core.changes import changes
from tests.server.branch.conftest import Branch


def made(client: httpx.Client, branch: Branch, name: str, **more: Any) -> dict[str, Any]:
    answer = client.post(branch.channels, json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    channel: dict[str, Any] = answer.json()
    return channel


def names(client: httpx.Client, branch: Branch, **query: str) -> list[str]:
    return [item["name"] for item in client.get(branch.channels, params=query).json()["items"]]


def test_what_is_kept_is_shown_without_a_call_and_refreshed_on_demand(
    client: httpx.Client, branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PAGE_SIZE", 4)
    kept = client.get(branch.channels).json()
    assert kept["total"] == len(kept["items"]) > 0
    assert not branch.calls("GET", "/v5/")
    for number in range(5):
        branch.platform("POST", "/v5/boards", json={"name": f"From elsewhere {number}"})
    branch.steer("DELETE", "log")
    fresh = client.get(branch.channels, params={"refresh": "true"}).json()
    assert fresh["total"] == kept["total"] + 5
    assert len(branch.calls("GET", "/v5/boards")) == (fresh["total"] + 3) // 4, "all pages"
    assert client.get(branch.channels).json() == fresh
    assert fresh["refreshedAt"] > kept["refreshedAt"]


def test_a_channel_is_made_read_changed_and_deleted(client: httpx.Client, branch: Branch) -> None:
    channel = made(client, branch, "Salads", description="Green")
    assert channel | {"id": ""} == {
        "id": "", "name": "Salads", "description": "Green", "privacy": "public", "writable": True,
    }  # fmt: skip
    at = f"{branch.channels}/{channel['id']}"
    assert client.get(at).json() == channel
    assert "Salads" in names(client, branch)
    changed = client.patch(at, json={"name": "Soups"})
    assert (changed.status_code, changed.json()["name"], changed.json()["description"]) == (200, "Soups", "Green")
    assert "Soups" in names(client, branch)
    assert branch.platform("GET", f"/v5/boards/{channel['id']}")["name"] == "Soups"
    assert client.delete(at).json() == {"id": channel["id"], "deleted": True, "wasThere": True}
    assert client.delete(at).json() == {"id": channel["id"], "deleted": True, "wasThere": False}
    assert "Soups" not in names(client, branch)
    assert client.get(at).json()["code"] == "board_not_found"
    assert client.get(at).status_code == 404


def test_sections_are_made_listed_renamed_and_deleted(client: httpx.Client, branch: Branch) -> None:
    at = f"{branch.channels}/{branch.seed.channel_id}/sections"
    section = client.post(at, json={"name": "Spring"})
    assert section.status_code == 201, section.text
    id = section.json()["id"]
    assert client.get(at).json() == {"items": [{"id": id, "name": "Spring"}], "total": 1}
    assert client.patch(f"{at}/{id}", json={"name": "Summer"}).json() == {"id": id, "name": "Summer"}
    assert client.delete(f"{at}/{id}").json()["wasThere"]
    assert not client.delete(f"{at}/{id}").json()["wasThere"]
    assert client.patch(f"{at}/{id}", json={"name": "Autumn"}).status_code == 404
    assert client.get(at).json()["total"] == 0


def test_two_renames_at_a_time_go_one_after_the_other(client: httpx.Client, branch: Branch) -> None:
    at = f"{branch.channels}/{made(client, branch, 'Contended')['id']}"
    branch.fault("PATCH /v5/boards/{board_id}", "hang_after", seconds=0.5)

    def rename(number: int) -> tuple[int, str]:
        with branch.client() as own:
            answer = own.patch(at, json={"name": f"Name {number}"})
        return answer.status_code, answer.json()["name"]

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(rename, range(3)))
    assert answers == [(200, f"Name {number}") for number in range(3)]
    arrivals = sorted(call["arrival"] for call in branch.calls("PATCH", "/v5/boards/"))
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(arrivals))


@pytest.mark.parametrize("fault", [{"kind": "error_after", "status": 500}, {"kind": "reset_after"}])
def test_an_unclear_change_is_looked_up(client: httpx.Client, branch: Branch, fault: dict[str, Any]) -> None:
    for method, path in (
        ("POST", "/v5/boards"),
        ("PATCH", "/v5/boards/{board_id}"),
        ("DELETE", "/v5/boards/{board_id}"),
    ):
        branch.fault(f"{method} {path}", fault["kind"], times=1, **{k: v for k, v in fault.items() if k != "kind"})
    name = f"Unclear {fault['kind']}"
    channel = made(client, branch, name)
    at = f"{branch.channels}/{channel['id']}"
    assert client.patch(at, json={"name": f"{name} too"}).json()["name"] == f"{name} too"
    assert client.delete(at).json()["deleted"]
    assert [board["name"] for board in branch.steer("GET", "state")["boards"] if name in board["name"]] == []
    looked = branch.rows("select kind, outcome, looked from changes where request->>'name' like %s", f"{name}%")
    assert sorted(looked) == [("channel.change", "done", True), ("channel.create", "done", True)]


def test_nobody_claims_what_is_not_known(client: httpx.Client, branch: Branch) -> None:
    branch.fault("POST /v5/boards", "reset_before", times=1)
    unknown = client.post(branch.channels, json={"name": "Perhaps"})
    assert (unknown.status_code, unknown.json()["code"]) == (502, "outcome_unknown")
    again = client.post(branch.channels, json={"name": "Perhaps"})
    assert (again.status_code, again.json()["code"]) == (429, "outcome_unknown"), "it may still come to be"
    assert 1 <= int(again.headers["retry-after"]) <= 25
    assert len(branch.calls("POST", "/v5/boards")) == 1
    branch.platform("POST", "/v5/boards", json={"name": "Perhaps"})
    assert made(client, branch, "Perhaps")["name"] == "Perhaps"
    assert len(branch.calls("POST", "/v5/boards")) == 2, "ours was not sent again: it was found"


def test_the_lane_of_a_process_that_died_is_free_when_its_time_is_over(
    client: httpx.Client, branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "PATIENCE_SECONDS", 0.2)
    channel = made(client, branch, "Held")
    at = f"{branch.channels}/{channel['id']}"
    branch.write(
        "insert into changes (id, organization_id, team_id, social_account_id, grant_id, kind, object, lease_until,"
        " armed_at) select gen_random_uuid(), organization_id, team_id, id, grant_id, 'channel.change', %s,"
        " now() + interval '1 hour', now() from social_accounts",
        f"channel:{channel['id']}",
    )
    busy = client.patch(at, json={"name": "Free"})
    assert (busy.status_code, busy.json()["code"]) == (409, "change_under_way")
    assert not branch.calls("PATCH", "/v5/")
    branch.write("update changes set lease_until = now() where ended_at is null")
    assert client.patch(at, json={"name": "Free"}).status_code == 200
    told = branch.rows(
        "select outcome, error->>'code' from changes where object = %s order by started_at", f"channel:{channel['id']}"
    )
    assert told == [("unclear", "worker_lost"), ("done", None)]


def test_what_the_platform_says_is_a_problem_with_our_code(client: httpx.Client, branch: Branch) -> None:
    taken = client.post(branch.channels, json={"name": "Recipes"})
    problem = taken.json()
    assert (taken.status_code, problem["code"], problem["platformStatus"]) == (422, "board_name_taken", 400)
    assert problem["hint"]
    branch.fault("POST /v5/boards", "error", status=429, times=1, headers={"x-ratelimit-reset": "2"})
    limited = client.post(branch.channels, json={"name": "Limited"})
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "2")
    denied = client.post(branch.channels, json={"name": "Limited"})
    assert (denied.status_code, denied.json()["code"]) == (429, "quota_exhausted")
    assert 1 <= int(denied.headers["retry-after"]) <= 2
    until = time.monotonic() + 30
    while client.post(branch.channels, json={"name": "Limited"}).status_code != 201:
        assert time.monotonic() < until
        time.sleep(0.2)
    branch.fault("GET /v5/boards/{board_id}", "error", status=503, times=1)
    away = client.get(f"{branch.channels}/{branch.seed.channel_id}")
    assert (away.status_code, away.json()["code"]) == (503, "platform_unavailable")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, {("missing_field", "name")}),
        (
            {"name": "", "privacy": "hidden", "x": 1},
            {("too_short", "name"), ("not_a_choice", "privacy"), ("unknown_field", "x")},
        ),
        ({"name": 5, "description": []}, {("wrong_type", "name"), ("wrong_type", "description")}),
        ({"name": "a\0b"}, {("null_character", "name")}),
    ],
)
def test_every_fault_is_told_at_once(
    client: httpx.Client, branch: Branch, body: dict[str, Any], found: set[tuple[str, str]]
) -> None:
    answer = client.post(branch.channels, json=body)
    assert answer.status_code == 400
    assert {(issue["code"], issue["path"][-1]) for issue in answer.json()["issues"]} == found
    assert not branch.calls("POST", "/v5/")


def test_bounds_of_the_platform_are_kept_before_it_is_asked(client: httpx.Client, branch: Branch) -> None:
    at = f"{branch.channels}/{branch.seed.channel_id}"
    for request, code in (
        (client.post(f"{at}/sections", json={"name": "x" * 181}), "too_long"),
        (client.patch(at, json={"privacy": "protected"}), "not_a_choice"),
        (client.patch(at, json={}), "missing_field"),
    ):
        assert (request.status_code, request.json()["issues"][0]["code"]) == (400, code)
    assert not branch.calls("PATCH", "/v5/")


def test_names_of_any_script_and_length_are_told_by_the_platform(client: httpx.Client, branch: Branch) -> None:
    for name in ("ŉ" * 500, "Rezepte 🥗", "  spaces  ", "'; drop table boards; --"):
        assert made(client, branch, name)["name"] == name
    assert client.post(branch.channels, json={"name": "x" * 501}).status_code == 400


@pytest.mark.parametrize("id", ["%2e%2e", "a%2Fb", "1%3Fx=1", "%00", "4711%20", "💥", "9" * 4000])
def test_hostile_ids_are_simply_unknown(client: httpx.Client, branch: Branch, id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        for path in (f"{branch.channels}/{id}", f"{branch.channels}/{branch.seed.channel_id}/sections/{id}"):
            answer = client.request(method, path, json={"name": "New"} if method == "PATCH" else None)
            assert answer.status_code in (400, 404, 405), (method, path, answer.text)
    assert not [call for call in branch.steer("GET", "log") if call["method"] in ("PATCH", "DELETE")]


def test_a_stranger_finds_no_channels(branch: Branch) -> None:
    with branch.client(branch.house.stranger.secret) as stranger:
        for method, path in (("GET", ""), ("POST", ""), ("GET", "/1"), ("PATCH", "/1"), ("DELETE", "/1")):
            answer = stranger.request(method, branch.channels + path, json={"name": "New"})
            assert answer.status_code == 404
    assert not branch.steer("GET", "log")
