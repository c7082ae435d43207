"""Whatever comes in, nothing breaks: no answer of 500, and nothing stored that was refused."""

import string
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.server.conftest import House

POST = "/api/v1/post/"
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.text(max_size=12) | st.sampled_from(["PINTEREST", "ECHO", "4711", "https://example.com/p.jpg", "\0", "DRAFT"])
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
BLOCK = st.dictionaries(
    st.sampled_from(
        ["boardId", "boardName", "text", "link", "uploadIds", "mediaUrls", "socialAccountIds", "note", "nothing"]
    ),
    JSON,
    max_size=6,
)
NAMES = st.sampled_from(["PINTEREST", "ECHO", "pinterest", "NOWHERE"])


def envelope(house: House) -> st.SearchStrategy[dict[str, Any]]:
    """Requests that are nearly sound: each field is right more often than not."""
    team = str(house.owner.team_id)
    sound = {"boardId": "4711", "text": "x", "mediaUrls": ["https://example.com/p.jpg"]}
    whole = {
        "teamId": team,
        "title": "A Pin",
        "postDate": "2030-01-01T00:00:00Z",
        "status": "SCHEDULED",
        "socialAccountTypes": ["PINTEREST"],
        "data": {"PINTEREST": sound},
    }
    changes: dict[str, st.SearchStrategy[Any]] = {
        "teamId": JSON,
        "title": TEXT | JSON,
        "postDate": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | JSON,
        "status": st.sampled_from(["DRAFT", "SCHEDULED"]) | JSON,
        "socialAccountTypes": st.lists(NAMES, max_size=3) | JSON,
        "data": st.fixed_dictionaries({"PINTEREST": BLOCK.map(lambda block: sound | block)})
        | st.dictionaries(NAMES, BLOCK | st.lists(BLOCK, max_size=3), max_size=2)
        | JSON,
        "referenceKey": st.none() | st.text(max_size=3) | JSON,
        "firstComment": st.dictionaries(NAMES, st.none() | TEXT, max_size=2) | JSON,
        "text": TEXT | JSON,
        "link": TEXT | JSON,
        "uploadIds": st.lists(TEXT, max_size=2) | JSON,
        "mediaUrls": st.lists(TEXT, max_size=2) | JSON,
        "socialAccountIds": st.just([str(house.account_id)]) | JSON,
    }
    names = st.lists(st.sampled_from(sorted(changes)), max_size=3, unique=True)
    changed = names.flatmap(lambda names: st.fixed_dictionaries({name: changes[name] for name in names}))
    return changed.map(lambda changed: whole | changed)


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


@pytest.fixture
def stored(house: House) -> Iterator[list[int]]:
    """A list with the number of posts that were taken in; in the end just so many are there."""
    before, taken = house.count("posts"), [0]
    yield taken
    assert house.count("posts") - before == taken[0]


def judged(answer: httpx.Response, stored: list[int]) -> None:
    assert answer.status_code in (200, 400, 404, 409, 413), answer.text
    stored[0] += answer.status_code == 200
    if answer.status_code != 200:
        problem = answer.json()
        assert problem["statusCode"] == answer.status_code
        assert (answer.status_code == 400) <= bool(problem["issues"])


def test_any_json_is_answered(house: House, client: httpx.Client, stored: list[int]) -> None:
    @EXAMPLES
    @given(JSON)
    @example({"data": {"PINTEREST": {"uploadIds": [[]]}}})
    def judge(body: Any) -> None:
        judged(client.post(POST, json=body), stored)

    judge()


def test_any_request_that_is_nearly_sound_is_answered(house: House, client: httpx.Client, stored: list[int]) -> None:
    @EXAMPLES
    @given(envelope(house))
    def judge(body: Any) -> None:
        answer = client.post(POST, json=body)
        judged(answer, stored)
        if answer.status_code == 200:
            post = answer.json()
            read = client.get(POST + post["id"]).json()
            assert read["data"] == body.get("data", {})
            assert read["deliveries"] == post["deliveries"]
            assert bool(post["deliveries"]) == (body["status"] == "SCHEDULED")

    judge()
    assert stored[0] > 0, "no example was sound; the test says nothing of what is stored"


def test_any_bytes_are_answered(client: httpx.Client, stored: list[int]) -> None:
    @EXAMPLES
    @given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\u0d8f1e-tn ', max_size=60).map(str.encode))
    def judge(raw: bytes) -> None:
        judged(client.post(POST, content=raw), stored)

    judge()


def test_any_address_and_query_is_answered(house: House, client: httpx.Client) -> None:
    encoded = st.binary(max_size=12).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))
    plain = st.text(alphabet=string.ascii_letters + string.digits + "-._~!$'()*,;:@+", max_size=12)
    value = encoded | plain | st.just(str(house.owner.team_id))
    name = (
        st.sampled_from(
            ["teamId", "status", "after", "types", "limit", "offset", "q", "platforms", "postDateFrom", "order"]
        )
        | value
    )
    query = st.lists(st.tuples(name, value).map("=".join), max_size=4).map("&".join)
    place = st.sampled_from(["post", "post/reference-key", "upload", "webhook-endpoint", "webhook-message", "event"])

    @EXAMPLES
    @given(place, st.lists(value, max_size=2).map("/".join), query, st.sampled_from(["GET", "DELETE", "PUT"]))
    def judge(place: str, path: str, query: str, method: str) -> None:
        answer = client.request(method, f"/api/v1/{place}/{path}?{query}")
        assert answer.status_code in (200, 400, 404, 405), answer.text
        assert "json" in answer.headers["content-type"]

    judge()


def test_any_body_of_the_smaller_calls_is_answered(client: httpx.Client) -> None:
    body = st.dictionaries(st.sampled_from(["url", "teamId", "eventTypes", "x"]), JSON, max_size=4) | JSON

    @EXAMPLES
    @given(st.sampled_from(["webhook-endpoint", "upload/from-url", "upload"]), body)
    def judge(place: str, body: Any) -> None:
        answer = client.post(f"/api/v1/{place}", json=body)
        assert answer.status_code in (201, 400, 404, 409), answer.text

    judge()


def test_any_body_of_the_calls_of_tenants_is_answered(module_house: House) -> None:
    """In a house of its own: some of these bodies are sound, and make teams and keys."""
    ids = st.sampled_from([str(module_house.owner.team_id), str(module_house.account_id), "x"])
    known: dict[str, st.SearchStrategy[Any]] = {
        "name": TEXT | JSON,
        "scopes": st.lists(st.sampled_from(["read", "write", "admin"]), max_size=3) | JSON,
        "expiresAt": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | JSON,
        "teamId": ids | JSON,
        "socialAccountIds": st.lists(ids, max_size=2) | JSON,
        "avatarUrl": TEXT | JSON,
        "whenNotFound": st.sampled_from(["retry", "review", "never"]) | JSON,
        "copyTeamId": st.none() | JSON,
    }
    names = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
    body = names.flatmap(lambda names: st.fixed_dictionaries({name: known[name] for name in names}))
    team = f"team/{module_house.owner.team_id}"
    call = st.sampled_from([("POST", "team"), ("PATCH", team), ("POST", "api-key"), ("POST", "organization")])
    with module_house.client() as client:

        @EXAMPLES
        @given(call, body | JSON)
        def judge(call: tuple[str, str], body: Any) -> None:
            method, place = call
            answer = client.request(method, f"/api/v1/{place}", json=body)
            assert answer.status_code in (200, 201, 400, 403, 404, 501), answer.text

        judge()


def test_any_change_of_a_webhook_endpoint_is_answered(module_house: House) -> None:
    """Some of these bodies are sound; what they make of the endpoint is what it shows."""
    team = str(module_house.owner.team_id)
    known: dict[str, st.SearchStrategy[Any]] = {
        "url": st.sampled_from(["http://127.0.0.1:9/", "http://10.0.0.1/"]) | TEXT | JSON,
        "description": TEXT | JSON,
        "eventTypes": st.lists(st.sampled_from(["post.failed", "team.created", "x"]) | TEXT, max_size=3) | JSON,
        "platforms": st.lists(NAMES | TEXT, max_size=3) | JSON,
        "teamIds": st.lists(st.just(team) | TEXT, max_size=2) | JSON,
        "format": st.sampled_from(["fingerpost", "bundle.social", "other"]) | JSON,
        "ordered": st.booleans() | JSON,
        "enabled": st.booleans() | JSON,
        "since": TEXT | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | JSON,
    }
    names = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
    body = names.flatmap(lambda names: st.fixed_dictionaries({name: known[name] for name in names}))
    with module_house.client() as client:
        made = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9/"}).json()
        place = f"/api/v1/webhook-endpoint/{made['id']}"

        @EXAMPLES
        @given(st.sampled_from([("PATCH", ""), ("POST", "/resend")]), body | JSON)
        def judge(call: tuple[str, str], body: Any) -> None:
            method, action = call
            answer = client.request(method, place + action, json=body)
            assert answer.status_code in (200, 400, 409), answer.text
            if method == "PATCH" and answer.status_code == 200:
                shown = client.get(place).json()
                assert {name: shown[name] for name in body if name in ("url", "description", "ordered", "format")} == {
                    name: value for name, value in body.items() if name in ("url", "description", "ordered", "format")
                }

        judge()
