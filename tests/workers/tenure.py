"""Accounts with tokens that can be renewed, in a world of the tests, and a refresher for them."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from adapters.pinterest.sandbox import PinterestSandbox
from core.accounts.apps import Apps
from core.accounts.introduction import introduce
from core.connect import Tokens
from core.governor.passages import Passages
from core.sandbox import Seed
from tests.world import Account, World
from workers.tokens import Refresher

APP = {"FINGERPOST_PINTEREST_CLIENT_ID": "1500000", "FINGERPOST_PINTEREST_CLIENT_SECRET": "the-secret-of-the-sandbox"}


def sandbox_of(here: World) -> PinterestSandbox:
    assert isinstance(here.sandbox, PinterestSandbox)
    return here.sandbox


async def consent(here: World, *, user: str | None = None, expires_in: float | None = 2_592_000.0) -> Account:
    """An account of the world's team with both tokens, as after a person's consent: that of `user`, or a new one."""
    sandbox = sandbox_of(here)
    seed = sandbox.seed() if user is None else _again(sandbox, user)
    hosts = here.settings.hosts_of(here.adapter)
    profile, channels = await introduce(here.adapter, seed.access_token, hosts=hosts, transport=here.transport)
    tokens = Tokens(access_token=seed.access_token, refresh_token=seed.refresh_token, expires_in=expires_in)
    joined = await here.accounts.join(
        here.organization_id, here.team_id, sandbox.platform, profile, channels, tokens, "default"
    )
    account = Account(id=joined.id, channel=channels[0].id, token=seed.access_token)
    if user is None:
        with suppress(Exception):
            await here.accounts.remove(here.organization_id, here.account.id)
        here.account = account
    return account


def _again(sandbox: PinterestSandbox, user: str) -> Seed:
    """New tokens of a user who is there already."""
    token = sandbox.issue(sandbox.user(user))
    refresh = sandbox.refresh_for(token)
    return Seed(access_token=token.value, refresh_token=refresh, external_user=user, channel_id="", facts={})


def refresher(here: World) -> Refresher:
    return Refresher(
        grants=here.accounts.grants,
        apps=Apps(here.pool, here.vault, here.settings),
        registry=here.registry,
        settings=here.settings,
        transport=here.transport,
        notices=here.ledger.notices,
        passages=Passages(here.governor, here.settings) if here.governor else None,
    )


def token_calls(here: World) -> int:
    return sum(call.path == "/v5/oauth/token" for call in here.sandbox.log.calls())


async def grant(here: World, account: Account | None = None) -> dict[str, Any]:
    id: UUID = (account or here.account).id
    return (
        await here.rows("select g.* from grants g join social_accounts a on a.grant_id = g.id where a.id = %s", id)
    )[0]


async def told(here: World) -> list[str]:
    """The events of the world's account, in their order."""
    rows = await here.rows("select type from events where subject = %s order by sequence", here.account.id)
    return [row["type"].removeprefix("account.") for row in rows]


async def due(here: World) -> None:
    """Let all that can be renewed be due."""
    query = "update grants set refresh_due_at = now(), refresh_lease_until = null where refresh_due_at is not null"
    await here.rows(f"{query} returning id")
