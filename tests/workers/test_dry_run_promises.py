"""What a dry run lets through a platform takes, by the requests that were foretold, and what not a create refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.describe import schema
from core.errors import InvalidPost
from core.governor.foresight import Foresight
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.posts.dry_run import DryRun, DryRuns
from core.registry import Registry
from core.sandbox import Sandbox
from tests.blocks import blocks, shared_parts
from tests.world import Clock, Pool, World, world

REGISTRY = Registry.installed()
WAYS = sorted((name, way) for name, kind in REGISTRY.sandboxes().items() for way in kind.ways or ("",))
REPEATED = {"ECHO", "PINTEREST"}
"""Where the dry run knows every word of what is sent; elsewhere the platform's own answers stand in it."""


class Ground:
    """A world, its dry runs, and what a generated block may name because it is there."""

    def __init__(self, here: World, dry_runs: DryRuns) -> None:
        self.here = here
        self.dry_runs = dry_runs
        self.known: dict[str, Any] = {"socialAccountIds": [str(here.account.id)]}
        self.foretold: list[Any] = []

    async def settle_in(self) -> None:
        """Publish a post, for others to name."""
        here = self.here
        self.upload = await here.upload()
        await here.say("The first")
        await here.to_the_end()
        ((first),) = await here.rows("select external_id from deliveries")
        channel, link = here.account.channel, first["external_id"]
        self.known |= {"boardId": channel, "channelId": channel, "quoteUri": link, "replyTo": link}

    def named(self, block: dict[str, Any]) -> dict[str, Any]:
        """A generated block, or a shared part, that names what is there, where what it names is of the right kind."""
        held = {name: value for name, value in block.items() if name not in ("boardSectionId", "boardName")}
        held |= {name: self.known[name] for name in held if name in self.known and isinstance(held[name], str | list)}
        for name, there in (("uploadIds", self.upload), ("mediaUrls", f"{self.here.sandbox_url}/_sandbox/picture.png")):
            if isinstance(held.get(name), list):
                held[name] = [there for _ in held[name]]
        return held

    async def tried(self, block: dict[str, Any], shared: dict[str, Any]) -> bool:
        """Run a post dry and create it: whether it was let through, by both or by neither."""
        here, platform = self.here, self.here.sandbox.platform
        body = {
            "teamId": str(here.team_id),
            "title": "A post",
            "postDate": "2020-01-01T00:00:00Z",
            "status": "SCHEDULED",
            "maxDelay": 31_536_000,
            "socialAccountTypes": [platform],
            "data": {platform: block},
            **shared,
        }
        told = await self.dry_runs.of(here.organization_id, body)
        if told.valid:
            await here.posts.create(here.organization_id, body)
            self._note(told)
            return True
        with pytest.raises(InvalidPost) as refused:
            await here.posts.create(here.organization_id, body)
        assert [(issue.code, issue.path, issue.message) for issue in told.issues] == [
            (finding.code, list(finding.path), finding.message) for finding in refused.value.report.errors
        ]
        return False

    def _note(self, told: DryRun) -> None:
        (delivery,) = told.deliveries
        assert delivery.complete, delivery.note
        self.foretold += [request.body for request in delivery.requests if request.method == "POST"]

    async def all_are_out(self) -> None:
        """Whatever was let through is published, by the requests that were foretold."""
        here = self.here
        await here.to_the_end(steps=2_000)
        refused = await here.rows("select error, block from deliveries where state <> 'published'")
        assert not refused, refused[0]


def generated(platform: str, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Blocks and shared parts of every kind, sound or not."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []

    @settings(max_examples=count, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(blocks(schema(REGISTRY[platform])), st.just({}) | shared_parts())
    @example({"nothing": "that is known"}, {})
    def gather(block: dict[str, Any], shared: dict[str, Any]) -> None:
        found.append((block, shared))

    gather()
    return found


def words(count: int) -> list[str]:
    """Texts of every kind and length, sound or not."""
    found: list[str] = []

    @settings(max_examples=count, derandomize=True, database=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=130))
    def gather(text: str) -> None:
        found.append(text)

    gather()
    return found


@asynccontextmanager
async def ground(pool: Pool, folder: Path, redis_url: str, platform: str, way: str) -> AsyncIterator[Ground]:
    options: dict[str, Any] = {"way": way} if way else {}
    sandbox: Sandbox = REGISTRY.sandboxes()[platform](rng=Random(1), clock=Clock(), **options)
    async with world(pool, folder, sandbox) as here:
        governor = Governor(redis_url, Journal(pool, worker=False), call_seconds=60.0)
        dry_runs = DryRuns(
            pool,
            here.registry,
            preparation=here.posts.preparation,
            uploads=here.uploads,
            renditions=here.renditions,
            foresight=Foresight(pool, governor, {}),
            settings=here.settings,
        )
        made = Ground(here, dry_runs)
        await made.settle_in()
        yield made
        await governor.aclose()


async def promised(pool: Pool, folder: Path, redis_url: str, platform: str, way: str, count: int) -> None:
    async with ground(pool, folder, redis_url, platform, way) as there:
        whole = there.here.adapter.example(there.here.account.channel, "")
        seen = {True: 0, False: 0}
        for number, (block, shared) in enumerate(generated(platform, count)):
            sent = there.named({**whole, **block} if number % 2 else block)
            seen[await there.tried(sent, there.named(shared))] += 1
        await there.all_are_out()
        assert min(seen.values()) > count // 20, seen


@pytest.mark.parametrize(("platform", "way"), WAYS)
async def test_what_a_dry_run_lets_through_is_taken_and_what_not_is_refused(
    pool: Pool, tmp_path: Path, redis_url: str, platform: str, way: str
) -> None:
    await promised(pool, tmp_path, redis_url, platform, way, count=16)


@pytest.mark.big
@pytest.mark.parametrize(("platform", "way"), WAYS)
async def test_at_length_what_a_dry_run_lets_through_is_taken_and_what_not_is_refused(
    pool: Pool, tmp_path: Path, redis_url: str, platform: str, way: str
) -> None:
    await promised(pool, tmp_path, redis_url, platform, way, count=600)


@pytest.mark.parametrize("platform", sorted(REPEATED))
async def test_what_is_foretold_is_what_is_sent(pool: Pool, tmp_path: Path, redis_url: str, platform: str) -> None:
    async with ground(pool, tmp_path, redis_url, platform, "") as there:
        here = there.here
        before = len(here.sandbox.log.calls())
        block = here.adapter.example(here.account.channel, f"{here.sandbox_url}/_sandbox/picture.png")
        for text in words(12):
            await there.tried({**block, "text": text}, {})
        await there.all_are_out()
        sent = [call.body for call in here.sandbox.log.calls()[before:] if call.method == "POST"]
        assert there.foretold
        assert sorted(map(str, sent)) == sorted(map(str, there.foretold))
