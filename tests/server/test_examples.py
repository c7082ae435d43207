"""The examples of the description: each fits its schema, and each is sent."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from core.accounts.accounts import Accounts
from core.adapter import Profile
from core.database.pool import open_pool
from core.post import Channel
from core.registry import Registry
from core.tenants.tenants import Tenants
from core.vault import Vault
from server.examples import ACCOUNT, CHANNEL, OTHER_TEAM, TEAM, examples
from server.lines import NDJSON
from tests.server.conftest import House
from tests.server.routes import all_routes
from tests.server.test_openapi import check, operations

REGISTRY = Registry.installed()
SHOWN = [(name, words, value) for name, bodies in examples(REGISTRY).items() for words, value in bodies.items()]
STORED = {
    *("postCreate", "postValidate", "postCreateBulk", "apiKeyCreate", "teamCreateTeam", "teamUpdateTeam"),
    *("webhookEndpointCreate", "webhookEndpointUpdate", "webhookEndpointResend", "socialAccountCopy", "postUpdate"),
    *("uploadInitLargeUpload", "postReconnectSocialAccount", "appPut"),
}
"""What is carried out here as it stands; the others need something that no example can bring about."""
ELSEWHERE = (
    "FromUrl",
    "ConnectionCheck",
    "ProfileRefresh",
    "RefreshChannels",
    "channelCreate",
    "channelUpdate",
    "section",
)
"""What asks another server, which no test does."""


@pytest.fixture(scope="module")
def house(module_house: House) -> House:
    """The owner's team has an account on every platform, each with the channel of the examples."""
    asyncio.run(_connect(module_house))
    return module_house


async def _connect(house: House) -> None:
    async with open_pool(house.database_url, size=1, name="tests") as pool:
        accounts = Accounts(pool, Vault.parse(house.settings.master_keys))
        await Tenants(pool).create_team(house.owner.organization_id, "other")
        for platform in REGISTRY:
            await accounts.connect(
                organization_id=house.owner.organization_id,
                team_id=house.owner.team_id,
                platform=platform,
                profile=Profile(external_user="123", username="cook", display_name="The Cook"),
                channels=[Channel(id=CHANNEL, name="Recipes")],
                access_token="a token",
            )


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(house.url + "/schema/openapi.json").json()
    return found


def sent(house: House, client: httpx.Client, operation: str, value: Any) -> httpx.Response:
    """An example with ids of the house's own."""
    teams = [team["id"] for team in client.get("/api/v1/team/").json()["items"]]
    (other,) = {*teams} - {str(house.owner.team_id)} if len(teams) == 2 else {teams[0]}
    own = {TEAM: str(house.owner.team_id), OTHER_TEAM: other, ACCOUNT: str(house.account_id)}
    body = json.dumps(value)
    for there, here in own.items():
        body = body.replace(there, here)
    (route,) = [route for route in all_routes() if route.operation == operation]
    named = {"type": next(name for name, adapter in REGISTRY.items() if hasattr(adapter.connect, "token_url"))}
    if "postUpdate" in operation:
        named["id"] = client.get("/api/v1/post/", params={"teamId": own[TEAM]}).json()["items"][0]["id"]
    elif "Team" in operation:
        named["id"] = own[TEAM]
    elif "webhookEndpoint" in operation and route.parameters:
        named["id"] = client.get("/api/v1/webhook-endpoint").json()["items"][0]["id"]
    return client.request(route.method, route.url(**named), content=body)


def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {})
        for body in (content[kind] for kind in ("application/json", NDJSON) if kind in content):
            assert body["examples"], name
            for example in body["examples"].values():
                if "$ref" in body["schema"]:
                    check(document, body["schema"]["$ref"].rpartition("/")[2], example["value"])


@pytest.mark.parametrize("platform", REGISTRY)
def test_an_adapters_own_example_is_sound_and_its_dry_run_is_complete(house: House, platform: str) -> None:
    """Where it is not complete, the adapter's `rehearsal` lacks an answer: the note says to which call."""
    value = examples(REGISTRY)["postValidate"][REGISTRY[platform].label]
    with house.client() as client:
        told = sent(house, client, "postValidate", value).json()
    assert told["issues"] == []
    (delivery,) = told["deliveries"]
    assert delivery["complete"], delivery["note"]


def test_every_example_is_understood_and_carried_out_where_that_can_be(house: House) -> None:
    with house.client() as client:
        for operation, words, value in SHOWN:
            if operation.endswith(ELSEWHERE) or operation.startswith(ELSEWHERE):
                continue
            answer = sent(house, client, operation, value)
            assert answer.status_code != 400, (operation, words, answer.text)
            if operation in STORED:
                assert answer.is_success, (operation, words, answer.text)
