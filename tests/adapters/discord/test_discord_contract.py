"""What we send and what the sandbox answers fit Discord's own OpenAPI description; DISCORD_OPENAPI names its file."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from adapters.discord import Discord
from adapters.discord.sandbox import DiscordSandbox
from core.conformance.subject import Subject
from core.conformance.trial import Trial, trial
from core.rehearsal import rehearse

DESCRIPTION = os.environ.get("DISCORD_OPENAPI", "")

pytestmark = pytest.mark.skipif(not DESCRIPTION, reason="DISCORD_OPENAPI names no description of the API")

MESSAGE = {"text": "Hello", "embeds": [{"title": "T", "description": "D", "url": "https://e.com/", "color": 255}]}


class Description:
    """The OpenAPI description, as a judge of bodies: only the schemas that are asked for are looked into."""

    def __init__(self, path: Path) -> None:
        document: Any = json.loads(path.read_text())
        self._registry: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))

    def mistakes(self, name: str, body: object) -> list[str]:
        schema = {"$ref": f"urn:api#/components/schemas/{name}"}
        errors = OAS31Validator(schema, registry=self._registry).iter_errors(body)
        return [f"{list(error.absolute_path)}: {error.message}" for error in errors]


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(Path(DESCRIPTION))


@pytest.fixture(params=["webhook", "bot"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Trial]:
    async with trial(Subject(adapter=Discord(), sandbox=DiscordSandbox, way=request.param)) as started:
        yield started


async def sent(here: Trial, block: dict[str, Any]) -> Any:
    """The message of the request that a block becomes."""
    rehearsal = await rehearse(here.adapter, here.draft({"channelId": here.seed.channel_id, **block}), here.hosts)
    assert rehearsal.complete
    (recorded,) = rehearsal.requests
    return json.loads(recorded.body[0]["value"])


async def test_what_we_send_fits_the_description(here: Trial, description: Description) -> None:
    webhook = here.certainty == "none"
    schema = "IncomingWebhookRequestPartial" if webhook else "MessageCreateRequest"
    files = {"uploadIds": ["image", "image-2"], "altText": "What it shows"}
    named = {"username": "Somebody", "avatarUrl": "https://e.com/a.png"} if webhook else {}
    for block in ({"text": "Hello"}, MESSAGE | files | named | {"mentions": ["everyone"]}):
        body = await sent(here, block)
        assert description.mistakes(schema, body) == []


async def test_what_the_sandbox_answers_fits_the_description(here: Trial, description: Description) -> None:
    bot = {} if here.certainty == "none" else {"Authorization": f"Bot {here.seed.access_token}"}
    post = f"/channels/{here.seed.channel_id}/messages" if bot else f"/webhooks/{here.seed.access_token}?wait=true"
    async with httpx.AsyncClient(base_url=here.url, headers=bot) as client:

        async def call(method: str, path: str, schema: str, status: int = 200, **options: Any) -> Any:
            answer = await client.request(method, path, **options)
            assert answer.status_code == status, answer.text
            bodies = answer.json() if isinstance(answer.json(), list) else [answer.json()]
            for body in bodies:
                # Its codes are words wherever Discord shows it, and numbers in the description alone.
                body.pop("errors", None)
                assert description.mistakes(schema, body) == []
            return answer.json()

        await call("POST", post, "MessageResponse", json={"content": "Hello", "embeds": MESSAGE["embeds"]})
        await call("POST", post, "ErrorResponse", 400, json={"content": "x" * 2001})
        if not bot:
            await call("GET", f"/webhooks/{here.seed.access_token}", "GuildIncomingWebhookResponse")
            await call("POST", "/webhooks/1/nobody", "ErrorResponse", 404, json={"content": "Hello"})
            return
        await call("GET", "/users/@me", "UserPIIResponse")
        (server,) = await call("GET", "/users/@me/guilds", "MyGuildResponse")
        await call("GET", f"/guilds/{server['id']}/channels", "GuildChannelResponse")
        await call("GET", "/guilds/1/channels", "ErrorResponse", 403)
        for _ in range(3):
            await client.post(post, json={"content": "Hello"})
        await call("POST", post, "RatelimitedResponse", 429, json={"content": "Hello"})


def test_the_description_finds_faults(description: Description) -> None:
    assert description.mistakes("MessageResponse", {"id": "1"}) != []
    assert description.mistakes("MessageCreateRequest", {"embeds": [{"title": "t" * 257}]}) != []
    assert description.mistakes("ErrorResponse", {"message": "no code"}) != []
