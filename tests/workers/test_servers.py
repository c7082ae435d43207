"""A platform of many servers: where one of them is dead, only its own posts wait."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from adapters.mastodon.sandbox import MastodonSandbox
from core.accounts.introduction import introduce
from core.sandbox import running
from tests.world import Pool, World, world


async def connect(here: World, sandbox: MastodonSandbox, url: str) -> UUID:
    """An account on a server of its own."""
    token, hosts = sandbox.seed().access_token, here.settings.hosts_of(here.adapter, {"api": url})
    profile, channels = await introduce(here.adapter, token, hosts=hosts, transport=here.transport)
    return await here.accounts.connect(
        organization_id=here.organization_id, team_id=here.team_id, platform="MASTODON",
        profile=profile, channels=channels, access_token=token, hosts={"api": url},
    )  # fmt: skip


async def say(here: World, account: UUID, texts: Sequence[str]) -> None:
    for text in texts:
        block = {"text": text, "socialAccountIds": [str(account)]}
        await here.post(title=text, text=text, data={"MASTODON": block})


async def states(here: World, account: UUID) -> list[str]:
    rows = await here.rows("select state from deliveries where social_account_id = %s order by id", account)
    return [row["state"] for row in rows]


async def attempts(here: World, account: UUID) -> int:
    (row,) = await here.rows(
        "select count(*) from attempts a join deliveries d on d.id = a.delivery_id where social_account_id = %s",
        account,
    )
    return int(row["count"])


def told(sandbox: MastodonSandbox) -> list[str]:
    statuses: Any = sandbox.live()
    return sorted(each["text"] for each in statuses[sandbox.shelf])


async def test_a_dead_server_holds_up_its_own_posts_alone(pool: Pool, tmp_path: Path) -> None:
    sandbox, other = MastodonSandbox(rng=Random(1)), MastodonSandbox(rng=Random(2))
    first = [f"Text {number}" for number in range(6)]
    async with world(pool, tmp_path, sandbox) as here:
        async with running(other) as at:
            url = at.url
            account = await connect(here, other, url)
        await say(here, account, first)
        await say(here, here.account.id, first)
        await here.work()
        assert await states(here, here.account.id) == ["published"] * 6, "at once, whatever the other server does"
        assert await here.rows("select platform, server from breakers where opened_at is not null") == [
            {"platform": "MASTODON", "server": url}
        ]
        await say(here, account, ["Later"])
        await say(here, here.account.id, ["Later"])
        for _ in range(3):
            tried = await attempts(here, account)
            await here.hasten()
            await here.work()
            await here.work()
            assert await attempts(here, account) == tried + 1, "one asks whether the server is back, and no more"
        assert await states(here, here.account.id) == ["published"] * 7
        assert not {"published", "failed"} & set(await states(here, account))
        async with running(other, ("127.0.0.1", urlsplit(url).port or 0)):
            for _ in range(3):
                await here.hasten()
                await here.work()
        assert await states(here, account) == ["published"] * 7
        assert told(other) == told(sandbox) == sorted([*first, "Later"])
        assert await here.rows("select * from breakers") == []


async def test_a_dead_server_does_not_shut_its_neighbours_nor_hide_them(pool: Pool, tmp_path: Path) -> None:
    sandbox, third = MastodonSandbox(rng=Random(1)), MastodonSandbox(rng=Random(2))
    async with world(pool, tmp_path, sandbox) as here, running(third) as at:
        well = await connect(here, third, at.url)
        async with running(MastodonSandbox(rng=Random(3))) as dying:
            dead = await connect(here, dying.sandbox, dying.url)
        await say(here, dead, [f"Dead {number}" for number in range(5)])
        await here.work()
        await say(here, well, ["Here"])
        await here.hasten()
        # As little room as there may be: what waits for the dead server has a lane and a place, and only one.
        await here.ledger.claim(queued=2, lanes=2, each=1)
        rows = await here.rows("select social_account_id as id from deliveries where state = 'queued'")
        assert {row["id"] for row in rows} == {dead, well}
        taken = await here.ledger.take("MASTODON", 1)
        assert [each.probing for each in taken] == [True]
        taken = await here.ledger.take("MASTODON", 8)
        assert [(each.social_account_id, each.server, each.probing) for each in taken] == [(well, at.url, False)]
