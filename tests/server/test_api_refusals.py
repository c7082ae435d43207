"""Requests that are refused over real HTTP: every fault is told, and nothing is stored."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import House
from tests.server.test_api_posts import issues, printed

Pin = Callable[..., dict[str, Any]]
POST = LIST = "/api/v1/post/"


@pytest.fixture
def house(shared_house: House) -> Iterator[House]:
    before = shared_house.count("posts")
    yield shared_house
    assert shared_house.count("posts") == before


def test_the_request_as_printed_has_exactly_two_faults(house: House, client: httpx.Client) -> None:
    answer = client.post(POST, json=printed(house))
    assert answer.status_code == 400
    assert issues(answer) == {
        ("bad_format", "data.PINTEREST.boardId"),
        ("media_missing", "data.PINTEREST.uploadIds"),
    }


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


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"', b"true"])
def test_json_that_is_no_object_is_told(client: httpx.Client, raw: bytes) -> None:
    answer = client.post(POST, content=raw)
    assert answer.status_code == 400
    assert issues(answer) == {("wrong_type", "")}


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


def test_an_account_of_another_team_is_refused(house: House, pin: Pin) -> None:
    with house.client(house.stranger.secret) as stranger:
        body = pin(teamId=str(house.stranger.team_id), socialAccountIds=[str(house.account_id)])
        assert ("unknown_account", "socialAccountIds.0") in issues(stranger.post(POST, json=body))


@pytest.mark.parametrize("id", ["post_1", "%00", "0190-", "x" * 300, "0190b3f0-0000-7000-8000-00000000000A"])
def test_what_is_no_id_is_not_found(client: httpx.Client, id: str) -> None:
    assert client.get(f"/api/v1/post/{id}").status_code == 404
    assert client.get(f"/api/v1/upload/{id}").status_code == 404
    assert client.delete(f"/api/v1/webhook-endpoint/{id}").status_code == 404


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("status=NEW", {("not_a_choice", "status")}),
        ("orderBy=title", {("not_a_choice", "orderBy")}),
        ("order=up", {("not_a_choice", "order")}),
        ("limit=0", {("too_small", "limit")}),
        ("limit=101", {("too_large", "limit")}),
        ("limit=ten", {("wrong_type", "limit")}),
        ("limit=", {("wrong_type", "limit")}),
        ("limit=%D9%A3", {("wrong_type", "limit")}),
        ("offset=-1", {("too_small", "offset")}),
        ("offset=1e3", {("wrong_type", "offset")}),
        ("offset=99999999999999999999999", {("wrong_type", "offset")}),
        ("offset=9999999999999", {("too_large", "offset")}),
        ("postDateFrom=yesterday", {("date_invalid", "postDateFrom")}),
        ("postDateTo=2026-01-01T00:00:00", {("date_without_offset", "postDateTo")}),
        ("q=%00", {("null_character", "q")}),
        ("platforms=%00", {("null_character", "platforms.0")}),
        ("state=DRAFT", {("unknown_field", "state")}),
        ("status=DRAFT&status=POSTED", {("duplicate", "status")}),
        (
            "status=NEW&limit=0&order=up",
            {("not_a_choice", "status"), ("too_small", "limit"), ("not_a_choice", "order")},
        ),
    ],
)
def test_every_bad_value_is_told(house: House, client: httpx.Client, query: str, faults: set[tuple[str, str]]) -> None:
    answer = client.get(f"{LIST}?teamId={house.owner.team_id}&{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_query"
    assert {
        (issue["code"], ".".join(map(str, issue["path"][1:])))
        for issue in answer.json()["issues"]
        if issue["path"][0] == "query"
    } == faults


def test_without_a_team_there_is_no_list(client: httpx.Client) -> None:
    answer = client.get(LIST)
    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["issues"]] == [["query", "teamId"]]
    assert client.get(LIST, params={"teamId": "team_1"}).status_code == 404
