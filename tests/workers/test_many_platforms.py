"""One request publishes to every platform, each adapted to it; what fails on one touches no other."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from core.accounts.introduction import introduce
from core.http import open_transport
from core.posts.views import FullPostView
from core.registry import Registry
from core.retry import Policy
from core.sandbox import RunningSandbox, Sandbox, running
from core.webhooks.endpoints import Endpoints
from core.webhooks.outbox import Outbox
from tests.core.webhooks.house import GUARD
from tests.workers.webhook_receiver import Receiver, receiving
from tests.world import Pool, World, world
from workers.drain import Drain
from workers.webhooks import Sender

pytestmark = pytest.mark.engine

HOME = "PINTEREST"
LINK = "https://example.com/products/new-arrival"
TEXT = "New arrival\nOur latest drop, for @nobody@far.example. #design"
OPEN = "select 1 from deliveries where state not in ('published', 'failed', 'cancelled', 'needs_review')"


class Everywhere:
    """A team with an account on every platform that has a sandbox, and an endpoint that hears of everything."""

    def __init__(self, here: World, at: dict[str, RunningSandbox[Sandbox]], receiver: Receiver) -> None:
        self.here = here
        self.at = at
        self.receiver = receiver
        self.platforms = [HOME, *at]
        self.channels = {HOME: here.account.channel}

    async def settle_in(self) -> None:
        here = self.here
        for platform, at in self.at.items():
            seed, adapter = at.sandbox.seed(), here.registry[platform]
            hosts = here.settings.hosts_of(adapter)
            profile, channels = await introduce(
                adapter, seed.access_token, hosts=hosts, transport=here.transport, way=seed.facts.get("way", "")
            )
            self.channels[platform] = seed.channel_id
            await here.accounts.connect(
                organization_id=here.organization_id,
                team_id=here.team_id,
                platform=platform,
                profile=profile,
                channels=channels,
                access_token=seed.access_token,
            )
        endpoints = Endpoints(here.pool, here.vault, GUARD)
        await endpoints.create(here.organization_id, None, f"{self.receiver.url}/hook", ())

    async def post(self, data: dict[str, Any]) -> FullPostView:
        """A post to all of them, carried out, and told."""
        here = self.here
        picture = await here.upload()
        view = await here.post(
            text=TEXT, link=LINK, altText="Blue", uploadIds=[picture], socialAccountTypes=self.platforms, data=data
        )
        for _ in range(20):
            await here.ledger.claim()
            for platform in self.platforms:
                await Drain(self._taker(platform), here.publisher.carry_out, in_flight=16).run()
            if not await here.rows(OPEN):
                break
            await here.hasten()
        await self._tell()
        return await here.posts.get(here.organization_id, str(view.id))

    def live(self, platform: str) -> list[dict[str, Any]]:
        sandbox = self.here.sandbox if platform == HOME else self.at[platform].sandbox
        told: Any = sandbox.live()
        return list(told[sandbox.shelf])

    async def fault(self, platform: str, **fault: Any) -> None:
        async with httpx.AsyncClient(base_url=self.at[platform].url) as client:
            assert (await client.post("/_sandbox/faults", json=fault)).is_success

    def heard(self) -> list[tuple[str, str]]:
        """What the endpoint heard of deliveries and posts: the type, and the platform of a delivery."""
        bodies = [json.loads(call.body) for call in self.receiver.at("/hook")]
        return sorted(
            (body["type"], body["data"].get("platform", "")) for body in bodies if body["type"].startswith(("d", "p"))
        )

    def _taker(self, platform: str) -> Any:
        async def take(limit: int) -> Any:
            return await self.here.ledger.take(platform, limit)

        return take

    async def _tell(self) -> None:
        transport, policy = open_transport(guard=GUARD), Policy(attempts=9, first=0.0)
        await Sender(Outbox(self.here.pool, self.here.vault), transport, GUARD, random=Random(1), policy=policy).drain()
        await transport.aclose()


@asynccontextmanager
async def everywhere(pool: Pool, folder: Path) -> AsyncIterator[Everywhere]:
    registry = Registry.installed()
    kinds = {name: kind for name, kind in registry.sandboxes().items() if name not in ("ECHO", HOME)}
    async with AsyncExitStack() as stack:
        at: dict[str, RunningSandbox[Sandbox]] = {
            name: await stack.enter_async_context(running(kind(rng=Random(1)))) for name, kind in kinds.items()
        }
        hosts = {
            f"FINGERPOST_{name}_{host.upper()}_URL": started.url
            for name, started in at.items()
            for host in registry[name].hosts
        }
        home = registry.sandboxes()[HOME](rng=Random(1))
        here = await stack.enter_async_context(world(pool, folder, home, registry=registry, hosts=hosts))
        made = Everywhere(here, at, await stack.enter_async_context(receiving()))
        await made.settle_in()
        yield made


async def test_one_request_goes_to_every_platform_as_that_platform_has_it(pool: Pool, tmp_path: Path) -> None:
    async with everywhere(pool, tmp_path) as team:
        assert {"BLUESKY", "MASTODON"} <= set(team.at)
        post = await team.post(
            {
                HOME: {"boardId": team.channels[HOME]},
                "BLUESKY": {"text": "Own words for one", "tags": ["design"]},
                "MASTODON": {"privacy": "UNLISTED"},
            }
        )
        assert post.status == "POSTED", msgspec.json.encode(post)
        assert {delivery.platform: delivery.state for delivery in post.deliveries} == dict.fromkeys(
            team.platforms, "published"
        )
        pin, bluesky, mastodon = (team.live(platform)[0] for platform in (HOME, "BLUESKY", "MASTODON"))
        assert (pin["title"], pin["link"], pin["alt_text"]) == ("New arrival", LINK, "Blue")
        assert (bluesky["text"], bluesky["record"]["tags"]) == ("Own words for one", ["design"])
        assert bluesky["record"]["embed"]["images"][0]["alt"] == "Blue"
        assert (mastodon["text"], mastodon["status"]["visibility"]) == (f"{TEXT}\n\n{LINK}", "unlisted")
        assert [len(team.live(platform)) for platform in team.platforms] == [1] * len(team.platforms)
        told = [("delivery.published", platform) for platform in sorted(team.platforms)]
        assert team.heard() == [*told, ("post.published", "")]


async def test_what_fails_on_one_platform_touches_no_other(pool: Pool, tmp_path: Path) -> None:
    async with everywhere(pool, tmp_path) as team:
        words = {"error": "Das geht hier nicht"}
        await team.fault("MASTODON", on="POST /api/v1/statuses", fault="error", status=422, body=words)
        await team.fault("BLUESKY", on="POST /xrpc/com.atproto.repo.putRecord", fault="reset_after", times=1)
        post = await team.post({HOME: {"boardId": team.channels[HOME]}})
        states = {delivery.platform: delivery.state for delivery in post.deliveries}
        assert states.pop("MASTODON") == "failed"
        assert set(states.values()) == {"published"}
        assert post.status == "ERROR"
        assert list(post.errors or ()) == ["MASTODON"]
        assert "Das geht hier nicht" in str((post.errors or {})["MASTODON"])
        assert set(post.external_data or ()) >= set(states)
        assert [len(team.live(platform)) for platform in states] == [1] * len(states)
        heard = team.heard()
        assert [each for each in heard if each[1] == "MASTODON"] == [("delivery.failed", "MASTODON")]
        assert {each[1] for each in heard if each[0] == "delivery.published"} == set(states)
        assert ("delivery.unconfirmed", "BLUESKY") in heard
        assert [each[0] for each in heard if each[0].startswith("post.")] == ["post.failed"]
