"""What a dry run lets through a platform takes, and by the very requests that were foretold."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.governor.foresight import Foresight
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.posts.dry_run import DryRuns
from core.registry import Registry
from tests.world import Pool, world

PLATFORMS = sorted({*Registry.installed().sandboxes()} & {"ECHO", "PINTEREST"})
COUNT = 12


def words() -> list[str]:
    """Texts of every kind and length, sound or not."""
    found: list[str] = []

    @settings(max_examples=COUNT, derandomize=True, database=None)
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=130))
    def gather(text: str) -> None:
        found.append(text)

    gather()
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_what_is_foretold_is_what_is_sent_and_taken(
    pool: Pool, tmp_path: Path, redis_url: str, platform: str
) -> None:
    sandbox = Registry.installed().sandboxes()[platform]()
    async with world(pool, tmp_path, sandbox) as here:
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
        block = here.adapter.example(here.account.channel, f"{here.sandbox_url}/_sandbox/picture.png")
        foretold: list[Any] = []
        for text in words():
            body = {
                "teamId": str(here.team_id),
                "title": "A post",
                "postDate": "2020-01-01T00:00:00Z",
                "status": "SCHEDULED",
                "maxDelay": 31_536_000,
                "socialAccountTypes": [platform],
                "data": {platform: {**block, "text": text}},
            }
            told = await dry_runs.of(here.organization_id, body)
            if told.valid:
                (delivery,) = told.deliveries
                assert delivery.complete, delivery.note
                foretold += [request.body for request in delivery.requests if request.method == "POST"]
                await here.posts.create(here.organization_id, body)
        await here.work()
        assert foretold
        states = await here.rows("select state, count(*) as count from deliveries group by state")
        assert states == [{"state": "published", "count": len(foretold)}]
        sent = [call.body for call in sandbox.log.calls() if call.method == "POST"]
        assert sorted(map(str, sent)) == sorted(map(str, foretold))
        await governor.aclose()
