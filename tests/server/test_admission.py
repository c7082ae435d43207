"""Who is let in where: every route, walked with keys that do not suffice and with a stranger's ids."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from core.accounts.accounts import Accounts
from core.adapter import Profile
from core.database.pool import open_pool
from core.post import Channel
from core.tenants.callers import SCOPES
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.vault import Vault
from tests.server.conftest import House, picture, pin_of
from tests.server.routes import Route, all_routes, request_for

ROUTES = all_routes()
CLOSED = [route for route in ROUTES if not route.open]
OFFERED = [route for route in CLOSED if not route.refused]
"""But for those that answer 501 whatever they are asked."""
NAMED = [route for route in OFFERED if route.parameters]
USUAL = {"GET": "read", "POST": "write", "PATCH": "write", "PUT": "write", "DELETE": "destructive"}
SPECIAL = {
    "metrics": "admin",
    "deliveryResolve": "destructive",
    "postValidate": "read",
    "organizationCreate": "admin",
    "organizationCreateFirstKey": "admin",
}
TEAMLESS = {"teamCreateTeam", "organizationCreate"}
"""What makes something without naming anything that is there."""
UNBOUND = {"reference_key", "type", "channel_id", "section_id"}
"""Parameters of paths that name nothing of ours."""
BY_BODY = {"uploadDeleteMany", "analyticsGetPostAnalytics"}
"""What names things by ids in its body or its query alone."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Secrets of the owner's organization, and what else there is in it."""

    revoked: str
    expired: str
    lacking: dict[str, str]
    admin: str
    second_team: str
    second_account: str
    own_team: str
    second_team_id: UUID
    second_account_id: UUID
    ids: dict[str, str]


async def _settle(house: House) -> dict[str, Any]:
    owner = house.owner.organization_id
    async with open_pool(house.database_url, size=2, name="tests") as pool:
        api_keys, tenants = ApiKeys(pool), Tenants(pool)
        revoked = await api_keys.create(owner, "revoked")
        await api_keys.revoke(owner, revoked.id)
        past = datetime.now(UTC) - timedelta(seconds=1)
        second = await tenants.create_team(owner, "second")
        account_id = await Accounts(pool, Vault.parse(house.settings.master_keys)).connect(
            organization_id=owner,
            team_id=house.owner.team_id,
            platform="PINTEREST",
            profile=Profile(external_user="456", username="gardener", display_name="The Gardener"),
            channels=[Channel(id="4713", name="Roses")],
            access_token="pina_other",
        )
        return {
            "revoked": revoked.secret,
            "expired": (await api_keys.create(owner, "expired", expires_at=past)).secret,
            "lacking": {
                scope: (await api_keys.create(owner, scope, scopes=[s for s in SCOPES if s != scope])).secret
                for scope in SCOPES
            },
            "admin": (await api_keys.create_operator("admin")).secret,
            "own_team": (await api_keys.create(owner, "own", team_id=house.owner.team_id)).secret,
            "second_team": (await api_keys.create(owner, "second", team_id=second.id)).secret,
            "second_account": (await api_keys.create(owner, "one", social_account_ids=[account_id])).secret,
            "second_team_id": second.id,
            "second_account_id": account_id,
        }


@pytest.fixture(scope="module")
def house(module_house: House) -> House:
    return module_house


@pytest.fixture(scope="module")
def keys(house: House) -> Keys:
    """Keys that are good for some things only, and one of each thing that an id may name, in the owner's team."""
    made = asyncio.run(_settle(house))
    with house.client() as client:
        block = {"socialAccountIds": [str(house.account_id)]}
        post = client.post("/api/v1/post", json=pin_of(house, block, referenceKey="walked")).json()
        upload = client.post(
            "/api/v1/upload",
            files={"file": ("p.png", picture("blue"), "image/png")},
            data={"teamId": str(house.owner.team_id)},
        ).json()
        endpoint = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9/walked"}).json()
        test = client.post(f"/api/v1/webhook-endpoint/{endpoint['id']}/test").json()
    ids = {
        "post": post["id"],
        "delivery": post["deliveries"][0]["id"],
        "upload": upload["id"],
        "webhook_endpoint": endpoint["id"],
        "webhook_message": test["messageId"],
        "team": str(house.owner.team_id),
        "api_key": str(house.owner.key_id),
        "social_account": str(house.account_id),
    }
    return Keys(**made, ids=ids)


def send(house: House, secret: str | None, route: Route, slash: str = "", **ids: object) -> httpx.Response:
    with house.client(secret) as client:
        request = request_for(route.operation, house.owner.team_id, house.account_id)
        return client.request(route.method, route.url(**ids) + slash, **request)


def names_something(house: House, route: Route) -> bool:
    """Whether a sound request names the owner's team or account beside its path."""
    sent = str(request_for(route.operation, house.owner.team_id, house.account_id))
    return str(house.owner.team_id) in sent or str(house.account_id) in sent


def ids_of(route: Route, keys: Keys) -> dict[str, str]:
    """The owner's own ids, as the route names them."""
    assert route.asked is not None
    return {"reference_key": "walked"} | {name: keys.ids[noun] for name, noun in route.asked.ids.items()}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_route_declares_what_it_asks_of_a_key(route: Route) -> None:
    assert route.open != (route.asked is not None), f"{route} needs `opt=access(…)`"
    if route.asked is not None:
        assert route.asked.scope == SPECIAL.get(route.operation, USUAL[route.method])
        unnamed = set(route.parameters) - set(route.asked.ids) - UNBOUND
        assert not unnamed or route.asked.scope == "admin" or route.refused, f"{route} has to say what {unnamed} names"


@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_without_a_key_that_is_good_nothing_opens(house: House, keys: Keys, route: Route) -> None:
    for slash in ("", "/"):
        told = send(house, None, route, slash)
        assert told.status_code == 401
        assert told.json()["code"] == "not_authenticated"
        assert all(name in told.json()["message"] for name in ("x-api-key", "x-access-key", "Bearer"))
        assert told.headers["www-authenticate"].startswith("Bearer")
        assert told.headers["content-type"] == "application/problem+json"
    one, *others = [send(house, secret, route).json() for secret in (keys.revoked, keys.expired, "fp_" + "a" * 43)]
    assert one["status"] == 401
    assert [other | {"requestId": ""} for other in others] == [one | {"requestId": ""}] * 2


@pytest.mark.parametrize("route", CLOSED, ids=str)
def test_a_key_of_too_small_a_scope_is_told_what_it_lacks(house: House, keys: Keys, route: Route) -> None:
    assert route.asked is not None
    scope = route.asked.scope
    secret = house.owner.secret if scope == "admin" else keys.lacking[scope]
    refused = send(house, secret, route, **ids_of(route, keys))
    assert refused.status_code == 403
    assert refused.json()["code"] == "forbidden"
    assert f"`{scope}`" in refused.json()["message"]
    if scope != "admin":
        assert send(house, keys.admin, route, **ids_of(route, keys)).status_code == 403


@pytest.mark.parametrize("route", OFFERED, ids=str)
def test_a_strangers_key_finds_nothing(house: House, keys: Keys, route: Route) -> None:
    answer = send(house, house.stranger.secret, route, **ids_of(route, keys))
    assert route.asked is not None
    named = route.parameters or route.operation in BY_BODY or names_something(house, route)
    if route.asked.scope == "admin":
        assert answer.status_code == 403
    elif named:
        assert answer.status_code == 404, answer.text
        # What is a stranger's and what is nobody's are answered alike.
        nobody = send(house, house.stranger.secret, route) if route.parameters else answer
        hidden = {"instance": "", "requestId": ""}
        assert nobody.json() | hidden == answer.json() | hidden
    else:
        assert answer.status_code in (200, 501) or route.operation in TEAMLESS, answer.text
        assert not [name for name, id in keys.ids.items() if id in answer.text]


@pytest.mark.parametrize("route", OFFERED, ids=str)
def test_a_key_for_another_team_finds_nothing_of_this_one(house: House, keys: Keys, route: Route) -> None:
    answer = send(house, keys.second_team, route, **ids_of(route, keys))
    assert route.asked is not None
    if route.asked.narrowest == "organization":
        assert answer.status_code == 403
    elif route.parameters or route.operation in BY_BODY or names_something(house, route):
        assert answer.status_code == 404, answer.text
    else:
        assert answer.status_code in (200, 501), answer.text
        assert not [name for name, id in keys.ids.items() if id in answer.text]


@pytest.mark.parametrize("route", NAMED, ids=str)
def test_a_key_for_another_account_finds_nothing_of_this_one(house: House, keys: Keys, route: Route) -> None:
    answer = send(house, keys.second_account, route, **ids_of(route, keys))
    assert route.asked is not None
    if route.asked.narrowest != "accounts":
        assert answer.status_code == 403
    elif set(route.asked.ids.values()) <= {"team", "upload"} and route.asked.ids:
        # The team in which its account is, and what is shared there, is its own.
        assert answer.status_code == 200
        assert str(house.account_id) not in answer.text
    else:
        assert answer.status_code == 404, answer.text


def test_after_all_that_everything_is_still_there(house: House, keys: Keys) -> None:
    with house.client() as client:
        for place, noun in {"post": "post", "upload": "upload", "team": "team"}.items():
            assert client.get(f"/api/v1/{place}/{keys.ids[noun]}").status_code == 200
        assert client.get(f"/api/v1/post/{keys.ids['post']}").json()["status"] == "SCHEDULED"
        assert keys.ids["webhook_endpoint"] in client.get("/api/v1/webhook-endpoint").text


@pytest.fixture
def narrow(house: House, keys: Keys) -> Iterator[httpx.Client]:
    """A client with a key for one account only."""
    with house.client(keys.second_account) as client:
        yield client


def test_a_key_for_an_account_posts_there_and_nowhere_else(house: House, keys: Keys, narrow: httpx.Client) -> None:
    block = {"boardId": "4713"}
    posted = narrow.post("/api/v1/post", json=pin_of(house, block))
    assert posted.status_code == 200, posted.text
    assert [delivery["socialAccountId"] for delivery in posted.json()["deliveries"]] == [str(keys.second_account_id)]
    assert narrow.get(f"/api/v1/post/{posted.json()['id']}").status_code == 200
    other = narrow.post("/api/v1/post", json=pin_of(house, block | {"socialAccountIds": [str(house.account_id)]}))
    assert other.status_code == 400
    assert str(house.account_id) not in other.json()["issues"][0]["message"]
    listed = narrow.get("/api/v1/post", params={"teamId": str(house.owner.team_id)}).json()
    found = {delivery["socialAccountId"] for post in listed["items"] for delivery in post["deliveries"]}
    assert found == {str(keys.second_account_id)}
    (team,) = narrow.get("/api/v1/team/").json()["items"]
    assert [account["id"] for account in team["socialAccounts"]] == [str(keys.second_account_id)]


def test_a_key_for_a_team_uses_it_without_naming_it(house: House, keys: Keys) -> None:
    with house.client(keys.own_team) as client:
        file = {"file": ("p.png", picture("green"), "image/png")}
        assert client.post("/api/v1/upload", files=file).json()["teamId"] == str(house.owner.team_id)
        refused = client.post("/api/v1/webhook-endpoint", json={"url": "http://127.0.0.1:9/all"})
        assert refused.status_code == 403
        hook = {"url": "http://127.0.0.1:9/own", "teamId": str(house.owner.team_id)}
        made = client.post("/api/v1/webhook-endpoint", json=hook)
        assert made.status_code == 201
        assert [item["id"] for item in client.get("/api/v1/webhook-endpoint").json()["items"]] == [made.json()["id"]]
        assert client.delete(f"/api/v1/webhook-endpoint/{made.json()['id']}").status_code == 204
