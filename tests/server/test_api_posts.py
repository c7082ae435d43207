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


def test_the_request_as_printed_has_exactly_two_faults(house: House, client: httpx.Client) -> None:
    answer = client.post(POST, json=printed(house))
    assert answer.status_code == 400
    assert issues(answer) == {
        ("bad_format", "data.PINTEREST.boardId"),
        ("media_missing", "data.PINTEREST.uploadIds"),
    }
    assert house.count("posts") == 0


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


def test_a_post_with_everything_wrong_names_every_fault(house: House, client: httpx.Client) -> None:
    body = {
        "teamId": str(house.owner.team_id),
        "title": "",
        "postDate": "2026-05-14T10:00:00",
        "status": "NOW",
        "socialAccountTypes": ["PINTREST", "PINTEREST", 5],
        "colour": "red",
        "data": {
            "PINTEREST": {
                "text": "t" * 101,
                "description": 7,
                "link": "ftp://example.com",
                "altText": "a" * 501,
                "alttext": "x",
                "uploadIds": ["nothing"],
                "dominantColor": "red",
            },
            "PINTREST": {},
        },
    }
    answer = client.post(POST, json=body)
    assert answer.status_code == 400
    assert issues(answer) == {
        ("too_short", "title"),
        ("date_without_offset", "postDate"),
        ("not_a_choice", "status"),
        ("unknown_platform", "socialAccountTypes.0"),
        ("wrong_type", "socialAccountTypes.2"),
        ("unknown_field", "colour"),
        ("unknown_platform", "data.PINTREST"),
        ("too_long", "data.PINTEREST.text"),
        ("wrong_type", "data.PINTEREST.description"),
        ("bad_format", "data.PINTEREST.link"),
        ("too_long", "data.PINTEREST.altText"),
        ("unknown_field", "data.PINTEREST.alttext"),
        ("bad_format", "data.PINTEREST.dominantColor"),
        ("unknown_upload", "data.PINTEREST.uploadIds.0"),
        ("pinterest.board", "data.PINTEREST.boardId"),
    }
    assert all(issue["message"].strip() for issue in answer.json()["issues"])
    nearest = {issue["path"][-1]: issue["message"] for issue in answer.json()["issues"]}
    assert "'altText'" in nearest["alttext"]
    assert "'PINTEREST'" in nearest["PINTREST"]
    assert house.count("posts") == 0


def test_an_invalid_answer_is_a_problem_document_that_the_vendors_clients_read(
    house: House, client: httpx.Client
) -> None:
    answer = client.post(POST, json=printed(house))
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["statusCode"], problem["code"]) == (400, 400, "invalid_post")
    assert problem["type"] == "/errors/invalid_post"
    assert problem["instance"] == "/api/v1/post"
    assert problem["message"] == problem["detail"]
    assert {warning["code"] for warning in problem["warnings"]} == {"filled_in"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"{", "JSON"),
        (b'{"teamId": NaN}', "JSON"),
        (b'{"teamId": 1e999}', "range"),
        (b'{"teamId": "\\ud800"}', "JSON"),
        (b'{"teamId": "\xff"}', "UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "deep"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "deep"),
        (b'{"teamId": ' + b"9" * 5000 + b"}", "JSON"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", "JSON"),
    ],
)
def test_what_is_no_json_is_one_finding(house: House, client: httpx.Client, raw: bytes, words: str) -> None:
    answer = client.post(POST, content=raw, headers={"content-type": "text/plain"})
    assert answer.status_code == 400, answer.text
    assert issues(answer) == {("malformed_json", "")}
    assert words in answer.json()["issues"][0]["message"]
    assert house.count("posts") == 0


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"', b"true"])
def test_json_that_is_no_object_is_told(client: httpx.Client, raw: bytes) -> None:
    answer = client.post(POST, content=raw)
    assert answer.status_code == 400
    assert issues(answer) == {("wrong_type", "")}


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
    ("date", "code"),
    [
        ("2026-05-14T10:00:00", "date_without_offset"),
        ("2026-05-14", "date_without_offset"),
        ("2026-05-14T10:00:00 Europe/Berlin", "date_unknown_zone"),
        ("2026-05-14T10:00:00[Europe/Berlin]", "date_unknown_zone"),
        ("2026-05-14T10:00:00 CEST", "date_unknown_zone"),
        ("2026-13-14T10:00:00Z", "date_invalid"),
        ("soon", "date_invalid"),
        ("", "date_invalid"),
        ("1747216800", "date_invalid"),
        ("9999-12-31T23:59:59-12:00", "date_invalid"),
    ],
)
def test_a_date_that_is_not_certain_is_refused(
    house: House, client: httpx.Client, pin: Pin, date: str, code: str
) -> None:
    answer = client.post(POST, json=pin(postDate=date))
    assert answer.status_code == 400
    assert issues(answer) == {(code, "postDate")}
    assert house.count("posts") == 0


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


@pytest.mark.parametrize("key", ["nothing", "%00", "%FF", "a%00b"])
def test_an_unknown_reference_key_is_not_found(client: httpx.Client, key: str) -> None:
    answer = client.get(f"/api/v1/post/reference-key/{key}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_a_team_that_is_not_known_is_not_found(house: House, client: httpx.Client, pin: Pin) -> None:
    for team in (str(house.stranger.team_id), "team_123", str(house.owner.organization_id)):
        answer = client.post(POST, json=pin(teamId=team))
        assert answer.status_code == 404, answer.text
        answer = client.post(POST, json=pin(teamId=team, title=""))
        assert issues(answer) == {("too_short", "title"), ("unknown_team", "teamId")}
    assert house.count("posts") == 0


def test_an_upload_of_an_unknown_team_is_no_second_fault(house: House, client: httpx.Client, pin: Pin) -> None:
    body = pin({"mediaUrls": None, "uploadIds": [upload(client)]}, teamId=str(house.stranger.team_id))
    assert client.post(POST, json=body).status_code == 404


def test_an_account_of_another_team_is_refused(house: House, pin: Pin) -> None:
    with house.client(house.stranger.secret) as stranger:
        body = pin(teamId=str(house.stranger.team_id), socialAccountIds=[str(house.account_id)])
        assert ("unknown_account", "socialAccountIds.0") in issues(stranger.post(POST, json=body))


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
        assert own.json() == {"items": [], "total": 0}
        assert stranger.get("/api/v1/webhook-endpoint").json()["items"] == []
        assert stranger.delete(f"/api/v1/webhook-endpoint/{hook['id']}").status_code == 404
    assert house.count("webhook_endpoints") == 1


@pytest.mark.parametrize("id", ["post_1", "%00", "0190-", "x" * 300, "0190b3f0-0000-7000-8000-00000000000A"])
def test_what_is_no_id_is_not_found(client: httpx.Client, id: str) -> None:
    assert client.get(f"/api/v1/post/{id}").status_code == 404
    assert client.get(f"/api/v1/upload/{id}").status_code == 404
    assert client.delete(f"/api/v1/webhook-endpoint/{id}").status_code == 404
