"""A post after it was taken in: sent again, moved, called off, tried again, and told of in full."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.server.conftest import House

Pin = Callable[..., dict[str, Any]]


def create(client: httpx.Client, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    return client.post("/api/v1/post", json=body, headers={"Idempotency-Key": key} if key is not None else {})


def bring(house: House, state: str) -> None:
    """Put every delivery into a state, past the engine: what matters here is how the API answers."""
    with psycopg.connect(house.database_url) as connection:
        connection.execute("alter table deliveries disable trigger legal_moves_only")
        error = Jsonb({"code": "outcome_unknown", "message": "Nobody knows.", "hint": "Look."})
        connection.execute(
            "update deliveries set state = %s, certain = false, lease_until = now(), error = %s", [state, error]
        )


def test_the_same_under_one_key_makes_one_post_and_has_one_answer(house: House, client: httpx.Client, pin: Pin) -> None:
    first, second = create(client, pin(), "k1"), create(client, pin(), "k1")
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    reordered = dict(reversed(pin().items()))
    assert create(client, reordered, "k1").json() == first.json()
    assert house.count("posts") == 1
    assert create(client, pin(), "k2").json()["id"] != first.json()["id"]
    assert create(client, pin()).json()["id"] != first.json()["id"]


def test_an_answer_is_given_again_with_the_times_of_the_first(house: House, client: httpx.Client, pin: Pin) -> None:
    late = pin(postDate="2001-01-01T00:00:00Z")
    first = create(client, late, "k").json()
    assert first["createdAt"] == first["updatedAt"] == first["deliveries"][0]["dueAt"] > "2020"
    assert create(client, late, "k").json() == first
    with psycopg.connect(house.database_url) as connection:
        # As versions before kept it: whole.
        connection.execute("update idempotency_keys set answer = %s", [Jsonb(first)])
    assert create(client, late, "k").json() == first


def test_another_request_under_the_same_key_is_refused(house: House, client: httpx.Client, pin: Pin) -> None:
    create(client, pin(), "k")
    answer = create(client, pin(title="Another"), "k")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert house.count("posts") == 1


def test_a_key_of_a_request_that_was_refused_is_free_again(house: House, client: httpx.Client, pin: Pin) -> None:
    assert create(client, pin({"boardId": "x"}), "k").status_code == 400
    create(client, pin(referenceKey="taken"))
    assert create(client, pin(referenceKey="taken"), "k").status_code == 409
    assert create(client, pin(referenceKey="free"), "k").status_code == 200


def test_a_key_belongs_to_its_organization(house: House, client: httpx.Client, pin: Pin) -> None:
    mine = create(client, pin(), "k").json()
    with house.client(house.stranger.secret) as stranger:
        body = pin(teamId=str(house.stranger.team_id), status="DRAFT")
        theirs = create(stranger, body, "k")
        assert theirs.status_code == 200
        assert theirs.json()["id"] != mine["id"]


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
def test_a_key_that_is_none_is_told(client: httpx.Client, pin: Pin, key: str) -> None:
    answer = create(client, pin(), key)
    assert answer.status_code == 400
    assert answer.json()["issues"][0]["path"] == ["header", "idempotency-key"]


def test_a_hundred_identical_calls_at_once_make_one_post(house: House, client: httpx.Client, pin: Pin) -> None:
    body = pin()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: create(client, body, "once"), range(100)))
    assert house.count("posts") == 1
    assert house.count("deliveries") == 1
    stored = [answer.json() for answer in answers if answer.status_code == 200]
    assert stored
    assert all(answer == stored[0] for answer in stored)
    refused = {(a.status_code, a.json()["code"]) for a in answers if a.status_code != 200}
    assert refused <= {(409, "idempotency_key_under_way")}


def test_a_post_is_moved_to_another_date(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin()).json()
    moved = client.patch(f"/api/v1/post/{post['id']}", json={"postDate": "2031-05-06T07:08:09+02:00"})
    assert moved.status_code == 200
    assert moved.json()["postDate"] == "2031-05-06T05:08:09.000Z"
    assert moved.json()["deliveries"][0]["dueAt"].startswith("2031-05-06T05:08:")
    refused = client.patch(f"/api/v1/post/{post['id']}", json={"postDate": "tomorrow", "titel": 1})
    assert refused.status_code == 400


def test_a_draft_is_moved_and_deleted_too(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin(status="DRAFT")).json()
    moved = client.patch(f"/api/v1/post/{post['id']}", json={"postDate": "2031-05-06T07:08:09Z"})
    assert (moved.json()["status"], moved.json()["postDate"]) == ("DRAFT", "2031-05-06T07:08:09.000Z")
    assert client.delete(f"/api/v1/post/{post['id']}").json()["status"] == "DELETED"


def test_a_deleted_post_is_shown_as_deleted_and_frees_its_reference_key(client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin(referenceKey="r")).json()
    gone = client.request("DELETE", f"/api/v1/post/{post['id']}", json={"any": "body"})
    assert gone.status_code == 200
    assert (gone.json()["status"], gone.json()["deliveries"][0]["state"]) == ("DELETED", "cancelled")
    assert client.get(f"/api/v1/post/{post['id']}").json()["status"] == "DELETED"
    assert client.delete(f"/api/v1/post/{post['id']}").status_code == 404
    assert create(client, pin(referenceKey="r")).status_code == 200


@pytest.mark.parametrize("state", ["publishing", "processing", "unconfirmed", "needs_review"])
def test_what_is_under_way_is_refused_with_its_reason(house: House, client: httpx.Client, pin: Pin, state: str) -> None:
    post = create(client, pin()).json()
    bring(house, state)
    calls = [
        client.delete(f"/api/v1/post/{post['id']}"),
        client.patch(f"/api/v1/post/{post['id']}", json={"postDate": "2031-01-01T00:00:00Z"}),
    ]
    for answer in calls:
        assert answer.status_code == 409
        assert state in answer.json()["message"]


def test_only_what_failed_is_retried(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin()).json()
    assert client.post(f"/api/v1/post/{post['id']}/retry").status_code == 409
    bring(house, "failed")
    assert client.post(f"/api/v1/post/{post['id']}/retry").json()["deliveries"][0]["state"] == "retrying"


def test_what_needs_review_is_resolved_by_a_person(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin()).json()
    delivery = post["deliveries"][0]["id"]
    assert client.post(f"/api/v1/delivery/{delivery}/resolve", json={"resolution": "fail"}).status_code == 409
    bring(house, "needs_review")
    shown = client.get(f"/api/v1/post/{post['id']}").json()
    assert shown["errorsVerbose"]["PINTEREST"]["code"] == "outcome_unknown"
    wrong = client.post(f"/api/v1/delivery/{delivery}/resolve", json={"resolution": "maybe"})
    assert (wrong.status_code, wrong.json()["issues"][0]["path"]) == (400, ["resolution"])
    body = {"resolution": "published", "externalId": "987", "permalink": "https://example.com/987"}
    resolved = client.post(f"/api/v1/delivery/{delivery}/resolve", json=body).json()
    assert resolved["status"] == "POSTED"
    assert resolved["externalData"]["PINTEREST"]["id"] == "987"


def test_what_was_tried_is_listed(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin()).json()
    with psycopg.connect(house.database_url) as connection:
        connection.execute(
            "insert into attempts (delivery_id, fence, kind, outcome, code, http_status, answer, next_state, next_at)"
            " select id, 1, 'publish', 'retrying', 'platform_down', 503, 'down', 'retrying', now() from deliveries"
        )
    answer = client.get(f"/api/v1/post/{post['id']}/deliveries").json()
    (tried,) = answer["items"][0]["tries"]
    assert (tried["kind"], tried["httpStatus"], tried["nextState"]) == ("publish", 503, "retrying")
    assert tried["nextAt"].endswith("Z")


def test_a_stranger_changes_nothing(house: House, client: httpx.Client, pin: Pin) -> None:
    post = create(client, pin()).json()
    delivery = post["deliveries"][0]["id"]
    bring(house, "needs_review")
    with house.client(house.stranger.secret) as stranger:
        answers = [
            stranger.delete(f"/api/v1/post/{post['id']}"),
            stranger.patch(f"/api/v1/post/{post['id']}", json={"postDate": "2031-01-01T00:00:00Z"}),
            stranger.post(f"/api/v1/post/{post['id']}/retry"),
            stranger.get(f"/api/v1/post/{post['id']}/deliveries"),
            stranger.post(f"/api/v1/delivery/{delivery}/resolve", json={"resolution": "fail"}),
        ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert client.get(f"/api/v1/post/{post['id']}").json()["deliveries"][0]["state"] == "needs_review"
