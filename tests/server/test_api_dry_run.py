"""A dry run tells everything that a create would find and send, and leaves nothing behind."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.server.conftest import House, picture

Pin = Callable[..., dict[str, Any]]
TABLES = ("posts", "deliveries", "attempts", "lanes", "renditions", "idempotency_keys", "events")


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def run(client: httpx.Client, body: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/post/validate", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_it_tells_the_very_requests_that_would_be_sent(house: House, client: httpx.Client, pin: Pin) -> None:
    before = {table: house.count(table) for table in TABLES}
    told = run(client, pin({"link": "https://example.com/", "description": "Words"}))
    assert (told["valid"], told["issues"]) == (True, [])
    (delivery,) = told["deliveries"]
    (request,) = delivery["requests"]
    assert (request["method"], request["url"]) == ("POST", "https://api.pinterest.com/v5/pins")
    assert request["headers"] == {"content-type": "application/json"}
    assert request["body"] == {
        "title": "A title",
        "description": "Words",
        "link": "https://example.com/",
        "board_id": "4711",
        "media_source": {"source_type": "image_url", "url": "https://example.com/p.jpg"},
    }
    assert delivery["complete"]
    assert delivery["socialAccountId"] == str(house.account_id)
    assert (delivery["expectedAt"], delivery["waitsFor"]) == ("2030-01-02T03:04:05.678Z", "date")
    assert delivery["calls"] == {"org_write": 1}
    assert before == {table: house.count(table) for table in TABLES}


def test_every_fault_of_every_platform_is_told_as_a_create_tells_it(client: httpx.Client, pin: Pin) -> None:
    body = pin({"text": "x" * 101, "boardId": None}, socialAccountTypes=["PINTEREST", "ECHO"], postDate="soon")
    told = run(client, body)
    refused = client.post("/api/v1/post/", json=body)
    assert refused.status_code == 400
    assert not told["valid"]
    assert told["issues"] == refused.json()["issues"]
    assert told["warnings"] == refused.json()["warnings"]
    assert {issue["path"][1] for issue in told["issues"] if issue["path"][0] == "data"} == {"PINTEREST", "ECHO"}
    assert [delivery["requests"] for delivery in told["deliveries"]] == [[], []]


def test_it_tells_how_a_picture_is_changed_and_where_its_bytes_would_stand(client: httpx.Client, pin: Pin) -> None:
    upload = client.post("/api/v1/upload", files={"file": ("p.webp", picture(kind="WEBP"), "image/webp")}).json()
    told = run(client, pin({"mediaUrls": None, "uploadIds": [upload["id"]]}))
    (delivery,) = told["deliveries"]
    (media,) = delivery["media"]
    assert (media["uploadId"], media["mime"], media["bytes"]) == (upload["id"], "image/jpeg", None)
    assert media["changes"] == ["it is sent as JPEG instead of WebP"]
    assert delivery["requests"][0]["body"]["media_source"] == {
        "source_type": "image_base64",
        "content_type": "image/jpeg",
        "data": f"<the file {upload['id']}, in base64>",
    }
    assert [warning["code"] for warning in told["warnings"]] == ["media_fitted"]


def test_what_else_a_create_refuses_is_refused_alike(house: House, client: httpx.Client, pin: Pin) -> None:
    assert client.post("/api/v1/post/", json=pin(referenceKey="dry")).status_code == 200
    refused = client.post("/api/v1/post/validate", json=pin(referenceKey="dry"))
    assert (refused.status_code, refused.json()["code"]) == (409, "reference_key_taken")
    with house.client(house.stranger.secret) as stranger:
        assert stranger.post("/api/v1/post/validate", json=pin()).status_code == 404


def test_an_unfinished_draft_is_run_as_far_as_it_goes(client: httpx.Client, pin: Pin) -> None:
    told = run(client, pin({"boardId": None}, status="DRAFT"))
    (delivery,) = told["deliveries"]
    assert told["valid"]
    assert (delivery["valid"], delivery["requests"], delivery["expectedAt"]) == (False, [], None)
    (finished,) = run(client, pin(status="DRAFT"))["deliveries"]
    assert finished["valid"]
    assert finished["requests"]


def test_an_account_that_needs_a_new_consent_or_a_platform_in_trouble_is_told(
    house: House, client: httpx.Client, pin: Pin, change: Callable[..., None]
) -> None:
    change("update grants set state = 'needs_reauth'")
    (delivery,) = run(client, pin())["deliveries"]
    assert (delivery["expectedAt"], delivery["waitsFor"]) == (None, "account")
    change("update grants set state = 'live'")
    change("insert into breakers (platform, failures, opened_at) values ('PINTEREST', 3, now())")
    (delivery,) = run(client, pin())["deliveries"]
    assert (delivery["expectedAt"], delivery["waitsFor"]) == (None, "platform")
    change("delete from breakers")


@pytest.fixture
def change(house: House) -> Callable[..., None]:
    """Changes the database of the house."""
    import psycopg

    def execute(statement: str) -> None:
        with psycopg.connect(house.database_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    return execute


def test_a_date_at_the_end_of_time_is_no_fault_of_ours(client: httpx.Client, pin: Pin) -> None:
    told = run(client, pin(postDate="9999-12-31T23:59:59Z"))
    assert told["deliveries"][0]["waitsFor"] in ("date", "quota")
