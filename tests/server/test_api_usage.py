"""Usage and health tell what is so."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from tests.server.conftest import House, picture

Pin = Callable[..., dict[str, Any]]
USAGE = "/api/v1/organization/usage"
MOST = 2**53 - 1


@pytest.fixture
def house(module_house: House) -> House:
    return module_house


def test_posts_and_uploads_are_counted(house: House, client: httpx.Client, pin: Pin) -> None:
    assert client.get(f"{USAGE}/posts").json() == {"used": 0, "limit": MOST, "remaining": MOST}
    assert client.post("/api/v1/post/", json=pin()).status_code == 200
    assert client.get(f"{USAGE}/posts").json() == {"used": 1, "limit": MOST, "remaining": MOST - 1}
    client.post("/api/v1/upload", files={"file": ("p.png", picture(), "image/png")})
    assert client.get(f"{USAGE}/uploads").json()["used"] == 1
    assert client.get(f"{USAGE}/comments").json() == {"used": 0, "limit": 0, "remaining": 0}
    with house.client(house.stranger.secret) as stranger:
        assert stranger.get(f"{USAGE}/posts").json()["used"] == 0


def test_the_day_of_an_account_is_held_against_its_platforms_quotas(house: House, client: httpx.Client) -> None:
    which = {"socialAccountId": str(house.account_id)}
    told = client.get(f"{USAGE}/daily-limits", params=which).json()
    assert (told["date"], told["type"]) == (datetime.now(UTC).date().isoformat(), "PINTEREST")
    assert told["posts"] == {"used": 0, "limit": 144_000, "remaining": 144_000}
    past = client.get(f"{USAGE}/daily-limits", params=which | {"date": "2026-01-02"}).json()
    assert past["date"] == "2026-01-02"
    assert client.get(f"{USAGE}/daily-limits", params=which | {"date": "soon"}).status_code == 400
    with house.client(house.stranger.secret) as stranger:
        assert stranger.get(f"{USAGE}/daily-limits", params=which).status_code == 404


def test_nothing_was_imported_of_any_account(house: House, client: httpx.Client) -> None:
    told = client.get(f"{USAGE}/imports", params={"pageSize": 1}).json()
    (account,) = told["socialAccounts"]
    assert (account["id"], account["used"], account["limit"]) == (str(house.account_id), 0, 0)
    assert told["pagination"] == {"page": 1, "pageSize": 1, "total": 1, "totalPages": 1}
    narrowed = client.get(f"{USAGE}/imports", params={"socialAccountType": "ECHO"}).json()
    assert narrowed["socialAccounts"] == []
    for strange in ({"teamId": str(house.stranger.team_id)}, {"socialAccountId": str(house.stranger.team_id)}):
        assert client.get(f"{USAGE}/imports", params=strange).status_code == 404


def test_a_platform_in_an_outage_is_told(house: House, client: httpx.Client) -> None:
    with psycopg.connect(house.database_url, autocommit=True) as connection:
        connection.execute("insert into breakers (platform, failures, opened_at) values ('PINTEREST', 3, now())")
        told = client.get("/api/v1/").json()["platforms"]
        assert (told["PINTEREST"]["status"], told["ECHO"]["status"]) == ("outage", "operational")
        assert "posts to it wait" in told["PINTEREST"]["note"]
        connection.execute("update breakers set server = 'https://one.example'")
        told = client.get("/api/v1/").json()["platforms"]["PINTEREST"]
        assert told["status"] == "degraded"
        assert "A server of it" in told["note"]
        connection.execute("update breakers set server = '', probe_at = now() - interval '2 hours'")
        long_ago = client.get("/api/v1/").json()["platforms"]["PINTEREST"]
        assert long_ago["status"] == "operational", "nobody has asked for hours, so nobody knows"
        connection.execute("delete from breakers")
    assert client.get("/api/v1/").json()["platforms"]["PINTEREST"] == {"status": "operational", "note": ""}


def test_what_is_not_offered_says_why(client: httpx.Client) -> None:
    refused = client.get("/api/v1/post-csv-import/x/rows")
    assert (refused.status_code, refused.json()["code"]) == (501, "not_offered")
    assert "/api/v1/post/bulk" in refused.json()["message"]
