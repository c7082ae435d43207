"""The list of posts over real HTTP: filters, order, pages."""

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Servers, new_database
from tests.server.conftest import House, opened, pin_of

LIST = "/api/v1/post/"


@pytest.fixture(scope="module")
def house(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with (
        new_database(servers.database_url, template=template) as url,
        opened(url, servers.redis_url, tmp_path_factory.mktemp("house")) as house,
    ):
        yield house


@pytest.fixture(scope="module")
def posts(house: House) -> list[str]:
    """Five posts, the n-th dated in year 2030 + n: a draft, three scheduled, one that was published."""
    ids = []
    with house.client() as client, psycopg.connect(house.database_url) as connection:
        for number in range(5):
            body = pin_of(
                house,
                title=f"Title {number} {'SOUP' if number % 2 else '50%_off'}",
                postDate=f"{2030 + number}-01-01T00:00:00Z",
                status="DRAFT" if number == 0 else "SCHEDULED",
            )
            ids.append(client.post(LIST, json=body).json()["id"])
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


def test_ten_are_answered_where_nothing_is_said(house: House) -> None:
    team: dict[str, Any] = {"teamId": str(house.stranger.team_id)}
    with house.client(house.stranger.secret) as client:
        assert client.get(LIST, params=team).json() == {"items": [], "total": 0, "totalIsExact": True, "next": None}
        for _ in range(11):
            assert client.post(LIST, json=pin_of(house, status="DRAFT", **team)).status_code == 200
        for query, count in (({}, 10), ({"limit": 100}, 11), ({"offset": 10}, 1)):
            answer = client.get(LIST, params={**team, **query}).json()
            assert (len(answer["items"]), answer["total"]) == (count, 11)
