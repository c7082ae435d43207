"""The figures of posts and accounts: read once, kept, told with what stood in the way, in bundle.social's shape."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.server.branch.conftest import Branch, branch_on

OF_POST = {
    "id", "profilePostId", "impressions", "impressionsUnique", "views", "viewsUnique", "likes", "dislikes", "comments",
    "shares", "saves", "raw", "forced", "createdAt", "updatedAt", "deletedAt",
}  # fmt: skip
OF_ACCOUNT = {
    "id", "socialAccountId", "impressions", "impressionsUnique", "views", "viewsUnique", "likes", "comments",
    "postCount", "followers", "following", "forced", "createdAt", "updatedAt", "deletedAt",
}  # fmt: skip


def read(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"/api/v1/analytics/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def age(branch: Branch) -> None:
    branch.write("update figures set created_at = created_at - interval '2 hours'")


def test_the_figures_of_a_post_are_read_once_and_kept(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    told = read(client, "post", postId=live["post"], platformType="PINTEREST")
    (item,) = told["items"]
    assert item.keys() >= OF_POST
    assert told["profilePost"]["externalId"] == live["pin"]
    assert item["profilePostId"] == told["profilePost"]["id"] == live["id"]
    assert told["post"]["id"] == live["post"]
    assert item["impressions"] == item["raw"]["IMPRESSION"] > 0
    assert item["comments"] == item["raw"]["TOTAL_COMMENTS"] > 0, "which only the lifetime has"
    assert {"impressions", "likes", "comments", "saves"} == set(item["known"])
    assert read(client, "post", postId=live["post"]) == told
    (call,) = branch.calls("GET", "/analytics")
    assert "metric_types=IMPRESSION%2COUTBOUND_CLICK" in call["path"].replace(",", "%2C")
    age(branch)
    newer = read(client, "post", postId=live["post"])
    assert len(newer["items"]) == 2
    assert newer["items"][1]["id"] == item["id"]


def test_what_stands_in_the_way_is_told_beside_what_is_kept(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    path = "GET /v5/pins/{pin_id}/analytics"
    branch.fault(path, "error", status=503, times=1)
    away = client.get("/api/v1/analytics/post", params={"postId": live["post"]})
    assert (away.status_code, away.json()["code"]) == (503, "platform_unavailable")
    kept = read(client, "post", postId=live["post"])
    age(branch)
    branch.fault(path, "error", status=503, times=1)
    stale = read(client, "post", postId=live["post"])
    assert stale["items"][0]["id"] == kept["items"][0]["id"]
    assert stale["error"]["code"] == "platform_unavailable"


def test_many_are_read_by_one_call_and_one_that_is_gone_keeps_nobody_else(client: httpx.Client, branch: Branch) -> None:
    posts = [branch.live() for _ in range(3)]
    branch.steer("DELETE", "log")
    query = {"postIds": [each["post"] for each in posts], "platformType": "PINTEREST"}
    told = read(client, "post/bulk", **query)
    assert [(each["postId"], len(each["items"]), each["error"]) for each in told["results"]] == [
        (each["post"], 1, None) for each in posts
    ]
    assert told["pagination"] == {"page": 1, "limit": 20, "total": 3, "totalPages": 1}
    assert len(branch.calls("GET", "/analytics")) == 1
    age(branch)
    branch.platform("DELETE", f"/v5/pins/{posts[1]['pin']}")
    again = read(client, "post/bulk", **query, limit=2)["results"]
    assert [(len(each["items"]), bool(each["error"])) for each in again] == [(2, False), (1, True)]
    stranger = read(client, "post/bulk", postIds=["nonsense"], platformType="PINTEREST")["results"]
    assert stranger == [{"postId": "nonsense", "items": [], "error": "There is no such post."}]


def test_the_figures_of_an_account(client: httpx.Client, branch: Branch) -> None:
    branch.live()
    team = {"teamId": str(branch.house.owner.team_id), "platformType": "PINTEREST"}
    told = read(client, "social-account", **team)
    (item,) = told["items"]
    assert item.keys() >= OF_ACCOUNT
    assert told["socialAccount"]["id"] == item["socialAccountId"] == str(branch.house.account_id)
    assert item["postCount"] == branch.platform("GET", "/v5/user_account")["pin_count"]
    assert item["impressions"] == item["raw"]["IMPRESSION"] > 0
    assert read(client, "social-account", **team) == told
    age(branch)
    branch.fault("GET /v5/user_account/analytics", "error", status=403, times=1)
    poorer = read(client, "social-account", **team)["items"][0]
    assert (poorer["postCount"], poorer["impressions"], len(poorer["lacks"])) == (item["postCount"], 0, 1)
    assert "impressions" not in poorer["known"]


def test_what_cannot_be_asked_is_refused_with_every_fault(client: httpx.Client, branch: Branch) -> None:
    asked: list[tuple[str, dict[str, Any], int, str]] = [
        ("post", {}, 400, "missing_field"),
        ("post", {"postId": "x", "colour": "red"}, 400, "unknown_field"),
        ("post", {"importedPostId": "1"}, 501, "not_offered"),
        ("post", {"postId": "nonsense"}, 404, "not_found"),
        ("post", {"postId": "\0"}, 400, "null_character"),
        ("post/bulk", {"platformType": "PINTEREST"}, 400, "missing_field"),
        ("post/bulk", {"platformType": "PINTEREST", "postIds": ["x"] * 61}, 400, "too_many"),
        ("post/bulk", {"platformType": "PINTEREST", "postIds": ["x"], "page": 0}, 400, "too_small"),
        ("social-account", {"platformType": "PINTEREST"}, 400, "missing_field"),
        ("post/raw", {}, 501, "not_offered"),
        ("social-account/raw", {}, 501, "not_offered"),
    ]
    for path, query, status, code in asked:
        answer = client.get(f"/api/v1/analytics/{path}", params=query)
        assert answer.status_code == status, (path, query, answer.text)
        found = {issue["code"] for issue in answer.json()["issues"]} or {answer.json()["code"]}
        assert code in found, (path, query)
    for path in ("post/force", "social-account/force"):
        assert client.post(f"/api/v1/analytics/{path}", json={}).status_code == 501


def test_a_stranger_reads_no_figures(client: httpx.Client, branch: Branch) -> None:
    live = branch.live()
    team = {"teamId": str(branch.house.owner.team_id), "platformType": "PINTEREST"}
    branch.steer("DELETE", "log")
    with branch.client(branch.house.stranger.secret) as stranger:
        assert stranger.get("/api/v1/analytics/post", params={"postId": live["post"]}).status_code == 404
        assert stranger.get("/api/v1/analytics/social-account", params=team).status_code == 404
        (result,) = read(stranger, "post/bulk", postIds=[live["post"]], platformType="PINTEREST")["results"]
        assert result["error"] == "There is no such post."
    assert not branch.steer("GET", "log")


@pytest.fixture
def ungranted(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Branch]:
    """A branch on a platform that grants the app nothing that is in beta."""
    with branch_on(PinterestSandbox(rng=Random(4), features=()), database_url, redis_url, tmp_path) as branch:
        yield branch


def test_without_the_beta_each_is_read_by_itself_and_the_quota_is_told(ungranted: Branch) -> None:
    posts = [ungranted.live() for _ in range(3)]
    query = {"postIds": [each["post"] for each in posts], "platformType": "PINTEREST"}
    with ungranted.client() as client:
        told = read(client, "post/bulk", **query)["results"]
        assert [(len(each["items"]), each["error"]) for each in told] == [(1, None)] * 3
        assert len(ungranted.calls("GET", "/analytics")) == 4
        age(ungranted)
        ungranted.fault("GET /v5/pins/{pin_id}/analytics", "error", status=429, headers={"x-ratelimit-reset": "600"})
        limited = read(client, "post/bulk", **query)["results"]
        assert [(len(each["items"]), bool(each["error"])) for each in limited] == [(1, True)] * 3
        fresh = ungranted.live()
        denied = client.get("/api/v1/analytics/post", params={"postId": fresh["post"]})
        assert (denied.status_code, denied.json()["code"]) == (429, "quota_exhausted")
        assert int(denied.headers["retry-after"]) > 500
