"""The list of posts over real HTTP: filters, order, pages, and every bad value told."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from tests.server.conftest import House

Pin = Callable[..., dict[str, Any]]
LIST = "/api/v1/post/"


@pytest.fixture
def posts(house: House, client: httpx.Client, pin: Pin) -> list[str]:
    """Five posts, the n-th dated in year 2030 + n: a draft, three scheduled, one that was published."""
    ids = []
    for number in range(5):
        body = pin(
            title=f"Title {number} {'SOUP' if number % 2 else '50%_off'}",
            postDate=f"{2030 + number}-01-01T00:00:00Z",
            status="DRAFT" if number == 0 else "SCHEDULED",
        )
        ids.append(client.post(LIST, json=body).json()["id"])
    with psycopg.connect(house.database_url) as connection:
        connection.execute("update posts set status = 'POSTED', posted_at = now() where id = %s", [ids[4]])
    return ids


def listed(client: httpx.Client, house: House, **query: Any) -> list[str]:
    answer = client.get(LIST, params={"teamId": str(house.owner.team_id), **query})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_the_newest_come_first_and_all_are_counted(house: House, client: httpx.Client, posts: list[str]) -> None:
    answer = client.get(LIST, params={"teamId": str(house.owner.team_id), "limit": 2}).json()
    assert [item["id"] for item in answer["items"]] == [posts[4], posts[3]]
    assert answer["total"] == 5
    assert answer["items"][0] == client.get(LIST + posts[4]).json()


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"status": "DRAFT"}, [0]),
        ({"status": "POSTED"}, [4]),
        ({"status": "REVIEW"}, []),
        ({"status": "DELETED"}, []),
        ({"q": "soup"}, [3, 1]),
        ({"q": "50%_"}, [4, 2, 0]),
        ({"q": "%"}, [4, 2, 0]),
        ({"q": "'"}, []),
        ({"platforms": ["PINTEREST", "TWITTER"]}, [4, 3, 2, 1, 0]),
        ({"platforms": ["TWITTER"]}, []),
        ({"postDateFrom": "2033-01-01T00:00:00Z"}, [4, 3]),
        ({"postDateTo": "2031-01-01T00:00:00Z"}, [1, 0]),
        ({"postDateFrom": "2031-01-01T01:00:00+01:00", "postDateTo": "2032-12-31T00:00:00Z"}, [2, 1]),
        ({"order": "ASC"}, [0, 1, 2, 3, 4]),
        ({"orderBy": "postDate", "order": "ASC"}, [0, 1, 2, 3, 4]),
        ({"orderBy": "postDate"}, [4, 3, 2, 1, 0]),
        ({"orderBy": "updatedAt", "order": "ASC"}, [0, 1, 2, 3, 4]),
        ({"orderBy": "postedDate", "order": "ASC"}, [4, 0, 1, 2, 3]),
        ({"orderBy": "postedDate", "order": "DESC"}, [4, 3, 2, 1, 0]),
        ({"orderBy": "deletedAt", "order": "ASC"}, [0, 1, 2, 3, 4]),
        ({"offset": 3}, [1, 0]),
        ({"offset": 1, "limit": 2}, [3, 2]),
        ({"offset": 1_000_000}, []),
    ],
)
def test_a_list_is_narrowed_and_ordered(
    house: House, client: httpx.Client, posts: list[str], query: dict[str, Any], places: list[int]
) -> None:
    assert listed(client, house, **query) == [posts[place] for place in places]


def test_ten_are_answered_where_nothing_is_said(house: House, client: httpx.Client, pin: Pin) -> None:
    for _ in range(11):
        client.post(LIST, json=pin())
    assert len(listed(client, house)) == 10
    assert len(listed(client, house, limit=100)) == 11


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


def test_an_empty_team_has_an_empty_list(house: House) -> None:
    with house.client(house.stranger.secret) as stranger:
        answer = stranger.get(LIST, params={"teamId": str(house.stranger.team_id)})
    assert answer.json() == {"items": [], "total": 0}
