"""Posts over real HTTP: taken in, refused with every fault, read and listed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from tests.server.conftest import House, picture

Pin = Callable[..., dict[str, Any]]
POST = "/api/v1/post/"


def issues(answer: httpx.Response) -> set[tuple[str, str]]:
    """The faults of an answer, as code and dotted path."""
    return {(issue["code"], ".".join(map(str, issue["path"]))) for issue in answer.json()["issues"]}


def upload(client: httpx.Client) -> str:
    answer = client.post("/api/v1/upload/", files={"file": ("p.png", picture(), "image/png")})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def printed(house: House, **changes: Any) -> dict[str, Any]:
    """The request on the vendor's own page, for a team that exists."""
    return {
        "teamId": str(house.owner.team_id),
        "title": "New arrival Pin",
        "postDate": "2026-05-14T10:00:00.000Z",
        "status": "SCHEDULED",
        "socialAccountTypes": ["PINTEREST"],
        "data": {
            "PINTEREST": {
                "boardId": "board_inspiration_feed",
                "link": "https://example.com/products/new-arrival",
                "altText": "New arrival product shot on white background",
                "description": "Our latest drop - tap to shop.",
            }
        },
        **changes,
    }


def test_with_a_board_of_digits_and_one_picture_it_is_taken(house: House, client: httpx.Client) -> None:
    body = printed(house)
    body["data"]["PINTEREST"] |= {"boardId": "4711", "uploadIds": [upload(client)]}
    answer = client.post(POST, json=body)
    assert answer.status_code == 200, answer.text
    post = answer.json()
    assert post["status"] == "SCHEDULED"
    assert [warning["code"] for warning in post["warnings"]] == ["filled_in"]
    assert house.count("deliveries") == 1
    read = client.get(POST + post["id"]).json()
    assert [entry["uploadId"] for entry in read["uploads"]] == body["data"]["PINTEREST"]["uploadIds"]


def test_as_a_draft_it_is_stored_without_deliveries(house: House, client: httpx.Client) -> None:
    answer = client.post(POST, json=printed(house, status="DRAFT"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "DRAFT"
    assert answer.json()["deliveries"] == []
    assert {warning["code"] for warning in answer.json()["warnings"]} >= {"bad_format", "media_missing"}
    assert house.count("posts") == 1
    assert house.count("deliveries") == 0


def test_the_content_type_is_not_insisted_on(client: httpx.Client, pin: Pin) -> None:
    answer = client.post(POST, content=httpx.Request("POST", "http://x", json=pin()).content)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("announced", [True, False])
def test_ten_megabytes_are_refused_without_being_read_whole(house: House, pin: Pin, announced: bool) -> None:
    padding = b" " * 10_000_000
    content: Any = padding if announced else iter([padding[:100_000]] * 100)
    with house.client() as client:
        answer = client.post(POST, content=content)
        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"
        assert client.post(POST, json=pin()).status_code == 200
    assert house.count("posts") == 1


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2030-05-14T10:00:00+02:00", "2030-05-14T08:00:00.000Z"),
        ("2030-05-14t10:00:00.1234567z", "2030-05-14T10:00:00.123Z"),
        ("20300514T100000Z", "2030-05-14T10:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_ahead_is_kept_and_falls_due_then(client: httpx.Client, pin: Pin, date: str, shown: str) -> None:
    post = client.post(POST, json=pin(postDate=date)).json()
    assert post["postDate"] == shown
    assert post["deliveries"][0]["dueAt"] == shown
    assert client.get(POST + post["id"]).json()["postDate"] == shown


@pytest.mark.parametrize("date", ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_date_that_has_passed_means_now(client: httpx.Client, pin: Pin, date: str) -> None:
    post = client.post(POST, json=pin(postDate=date)).json()
    assert post["postDate"] == date.replace("Z", ".000Z")
    assert post["deliveries"][0]["dueAt"] == post["createdAt"]


def test_the_answer_of_a_create_is_what_is_read_later(client: httpx.Client, pin: Pin) -> None:
    created = client.post(POST, json=pin(referenceKey="k-1", firstComment={"PINTEREST": "first!"})).json()
    read = client.get(POST + created["id"]).json()
    assert {name: value for name, value in created.items() if name != "warnings"} == {
        name: value for name, value in read.items() if name not in ("uploads", "socialAccounts")
    }
    assert [warning["code"] for warning in created["warnings"]] == ["field_unused"]
    assert client.get("/api/v1/post/reference-key/k-1").json() == read


def test_a_post_is_shown_whole(house: House, client: httpx.Client, pin: Pin) -> None:
    created = client.post(POST, json=pin()).json()
    post = client.get(POST + created["id"]).json()
    assert post["organizationId"] == str(house.owner.organization_id)
    assert post["data"] == pin()["data"]
    assert post["errors"] is post["errorsVerbose"] is post["externalData"] is post["error"] is None
    assert post["postedDate"] is post["deletedAt"] is post["referenceKey"] is post["firstComment"] is None
    assert post["retryCount"] == 0
    (delivery,) = post["deliveries"]
    assert delivery["platform"] == "PINTEREST"
    assert delivery["socialAccountId"] == str(house.account_id)
    assert delivery["state"] == "scheduled"
    (account,) = post["socialAccounts"]
    assert account["socialAccount"]["username"] == "cook"
    assert account["socialAccount"]["channels"][0] == {"id": "4711", "name": "Recipes"}


def test_one_block_a_board_makes_one_delivery_each(client: httpx.Client, pin: Pin) -> None:
    blocks = [pin({"boardId": board})["data"]["PINTEREST"] for board in ("4711", "4712")]
    post = client.post(POST, json=pin(data={"PINTEREST": blocks})).json()
    assert len(post["deliveries"]) == 2
    assert client.get(POST + post["id"]).json()["deliveries"] == post["deliveries"]


def test_a_reference_key_is_taken_once_in_a_team(house: House, client: httpx.Client, pin: Pin) -> None:
    assert client.post(POST, json=pin(referenceKey="same")).status_code == 200
    answer = client.post(POST, json=pin(referenceKey="same"))
    assert answer.status_code == 409
    assert answer.json()["code"] == "reference_key_taken"
    assert "same" in answer.json()["message"]
    assert house.count("posts") == house.count("deliveries") == 1


@pytest.mark.parametrize("key", ["a/b", "a//b", "a b", "ä?#%", "a/", "."])
def test_a_reference_key_may_hold_anything(client: httpx.Client, pin: Pin, key: str) -> None:
    created = client.post(POST, json=pin(referenceKey=key)).json()
    encoded = "".join(f"%{byte:02X}" for byte in key.encode())
    for path in (encoded, encoded + "/"):
        answer = client.get(f"/api/v1/post/reference-key/{path}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == created["id"]


def test_an_upload_of_an_unknown_team_is_no_second_fault(house: House, client: httpx.Client, pin: Pin) -> None:
    body = pin({"mediaUrls": None, "uploadIds": [upload(client)]}, teamId=str(house.stranger.team_id))
    assert client.post(POST, json=body).status_code == 404


def test_a_hundred_posts_at_once_are_all_stored_and_share_transactions(
    house: House, client: httpx.Client, pin: Pin
) -> None:
    def create(number: int) -> httpx.Response:
        return client.post(POST, json=pin(title=f"number {number}"))

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(create, range(100)))
    assert [answer.status_code for answer in answers] == [200] * 100
    with psycopg.connect(house.database_url) as connection:
        rows = connection.execute("select id::text, xmin::text from posts").fetchall()
        lanes = connection.execute("select count(*) from lanes").fetchone()
    assert {id for id, _ in rows} == {answer.json()["id"] for answer in answers}
    assert len({transaction for _, transaction in rows}) < 100
    assert lanes == (1,)
    assert house.count("deliveries") == 100


def test_at_the_same_time_one_of_equal_reference_keys_wins_and_harms_no_other(
    house: House, client: httpx.Client, pin: Pin
) -> None:
    def create(number: int) -> int:
        key = "same" if number % 2 else f"own-{number}"
        return client.post(POST, json=pin(referenceKey=key)).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(create, range(40)))
    assert statuses[::2] == [200] * 20
    assert sorted(statuses[1::2]) == [200] + [409] * 19
    assert house.count("posts") == house.count("deliveries") == 21


def test_nothing_of_a_stranger_is_to_be_seen(house: House, client: httpx.Client, pin: Pin) -> None:
    created = client.post(POST, json=pin(referenceKey="mine")).json()
    upload_id = upload(client)
    hook = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9000/hook"}).json()
    with house.client(house.stranger.secret) as stranger:
        for path in (f"post/{created['id']}", "post/reference-key/mine", f"upload/{upload_id}"):
            assert stranger.get(f"/api/v1/{path}").status_code == 404, path
        assert stranger.get(POST, params={"teamId": str(house.owner.team_id)}).status_code == 404
        own = stranger.get(POST, params={"teamId": str(house.stranger.team_id)})
        assert (own.json()["items"], own.json()["total"]) == ([], 0)
        assert stranger.get("/api/v1/webhook-endpoint").json()["items"] == []
        assert stranger.delete(f"/api/v1/webhook-endpoint/{hook['id']}").status_code == 404
    assert house.count("webhook_endpoints") == 1
