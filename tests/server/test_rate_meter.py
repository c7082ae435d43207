"""The rate meter, the gauges, and the limit on callers of the API itself."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from core.database.pool import open_pool
from core.governor.allowance import Allowance
from core.governor.asks import go
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.oauth.app import DEFAULT_APP
from core.registry import Registry
from core.tenants.keys import ApiKeys
from server.app import create_app
from tests.server.conftest import House, pin_of, running


def use(house: House, calls: int) -> None:
    """Let so many creates of the owner's account be under way."""

    async def enter() -> None:
        async with open_pool(house.database_url, size=1, name="tests") as pool:
            async with pool.connection() as connection:
                row = await (await connection.execute("select id, platform from grants")).fetchone()
                assert row is not None
            adapter = Registry.installed()[row[1]]
            allowance = Allowance.of(row[1], DEFAULT_APP, row[0], house.settings.quotas_of(adapter), ())
            governor = Governor(house.settings.redis_url, Journal(pool, worker=True), call_seconds=60.0)
            asks = [go(allowance.windows("org_write"), uuid4().hex) for _ in range(calls)]
            assert all(answer.delay == 0 for answer in await governor.ask(allowance.app, asks))
            await governor.aclose()

    asyncio.run(enter())


def meter_of(house: House, client: httpx.Client) -> dict[tuple[str, int], dict[str, Any]]:
    answer = client.get(f"/api/v1/social-account/{house.account_id}/rate-meter")
    assert answer.status_code == 200, answer.text
    return {(window["category"], window["seconds"]): window for window in answer.json()["windows"]}


def test_the_meter_shows_every_window_live(house: House, client: httpx.Client) -> None:
    before = meter_of(house, client)
    assert {(name, seconds): before[name, seconds]["limit"] for name, seconds in before} == {
        ("all", 1): 100,
        ("org_write", 60): 100,
        ("org_read", 60): 1000,
        ("org_analytics", 60): 60,
    }
    assert {window["used"] for window in before.values()} == {0}
    use(house, 3)
    after = meter_of(house, client)
    assert after["org_write", 60]["used"] == 3
    assert after["org_read", 60]["used"] == 0


def test_the_meter_foretells_when_a_new_post_would_go(house: House, client: httpx.Client) -> None:
    use(house, 100)
    for number in range(2):
        sent = pin_of(house, title=f"Pin {number}", postDate="2020-01-01T00:00:00Z")
        assert client.post("/api/v1/post/", json=sent).status_code == 200
    window = meter_of(house, client)["org_write", 60]
    assert window["queueAhead"] == 2
    assert window["freeAt"] <= window["nextPostAt"]


def test_a_strangers_account_has_no_meter(house: House) -> None:
    with house.client(house.stranger.secret) as stranger:
        assert stranger.get(f"/api/v1/social-account/{house.account_id}/rate-meter").status_code == 404


def test_gauges_are_told_to_the_platforms_admin(house: House, client: httpx.Client) -> None:
    use(house, 1)
    sent = pin_of(house, postDate="2020-01-01T00:00:00Z")
    assert client.post("/api/v1/post/", json=sent).status_code == 200

    async def admin() -> str:
        async with open_pool(house.database_url, size=1, name="tests") as pool:
            return (await ApiKeys(pool).create_operator("prometheus")).secret

    with house.client(asyncio.run(admin())) as prometheus:
        answer = prometheus.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    (line,) = [
        line
        for line in answer.text.splitlines()
        if line.startswith("fingerpost_rate_window_used{") and 'category="org_write"' in line
    ]
    assert line.endswith(" 1.0")
    assert client.get("/metrics").status_code == 403


@pytest.fixture
def narrow(house: House, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """A server over the same database that lets a key call three times a minute."""
    settings = msgspec.structs.replace(house.settings, api_calls=3)
    with running(create_app(settings, Registry.installed())) as url:
        yield url


def test_a_caller_is_limited_and_told_how_it_stands(house: House, narrow: str) -> None:
    headers = {"x-api-key": house.owner.secret}
    with httpx.Client(base_url=narrow, headers=headers) as client:
        answers = [client.get("/api/v1/team/") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"key";q=3;w=60'
        assert answers[0].headers["ratelimit"].startswith('"key";r=2;t=')
        assert answers[3].json()["code"] == "too_many_requests"
        assert 0 < int(answers[3].headers["retry-after"]) <= 60
        assert client.get("/api/v1").status_code == 200, "health is open to all"
    with httpx.Client(base_url=narrow, headers={"x-api-key": house.stranger.secret}) as other:
        assert other.get("/api/v1/team/").status_code == 200


def test_a_create_too_many_stores_nothing_and_is_told_so_whatever_else_stands_against_it(
    house: House, narrow: str
) -> None:
    with httpx.Client(base_url=narrow, headers={"x-api-key": house.owner.secret}) as client:
        answers = [client.post("/api/v1/post", json=pin_of(house)) for _ in range(2)]
        answers.append(client.post("/api/v1/post", content=b"{"))
        assert [answer.status_code for answer in answers] == [200, 200, 400]
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0"]
        refused = [client.post("/api/v1/post", json=pin_of(house)), client.post("/api/v1/post", content=b"{")]
        assert [answer.status_code for answer in refused] == [429, 429]
        assert house.count("posts") == 2


def test_a_loss_of_redis_holds_no_caller_up(house: House, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(house.settings, api_calls=3, redis_url="redis://127.0.0.1:9")
    headers = {"x-api-key": house.owner.secret}
    with (
        running(create_app(settings, Registry.installed())) as url,
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
    ):
        assert [client.get("/api/v1/team/").status_code for _ in range(5)] == [200] * 5
        answer = client.get(f"/api/v1/social-account/{house.account_id}/rate-meter")
        assert (answer.status_code, answer.json()["code"]) == (503, "redis_away")
