"""What a newcomer finds ready: an organization, a team, a key, and an account on each sandbox."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.accounts.introduction import introduce
from core.adapter import Adapter, Profile
from core.database.pool import open_pool
from core.http import open_client, open_transport
from core.post import Channel
from core.registry import Registry
from core.settings import Settings
from core.tenants.keyring import Keyring
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.vault import Vault
from core.vault.register import check_keys
from server.cli.kept import kept_secret
from server.cli.plan import Plan

SANDBOX_APP = "sandbox"
"""The app under which accounts on a sandbox are connected; no other account is touched."""

ORGANIZATION, TEAM = "Local", "My team"


class SandboxAccount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sandbox, the account connected there, and a board (or the like) to publish to."""

    url: str
    social_account_id: str
    board_id: str


User = tuple[dict[str, Any], Profile, Sequence[Channel]]
"""What a sandbox says of a new user of its own, and what the platform tells of the account."""


class Newcomer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that a first request needs."""

    api_url: str
    api_key: str
    organization_id: str
    team_id: str
    sandboxes: dict[str, SandboxAccount]

    def request(self, registry: Registry, *, post_date: str) -> dict[str, Any]:
        """The body of a first post: the example of each platform that has a sandbox."""
        return {
            "teamId": self.team_id,
            "title": "New arrival",
            "postDate": post_date,
            "status": "SCHEDULED",
            "socialAccountTypes": list(self.sandboxes),
            "data": {
                platform: registry[platform].example(account.board_id, f"{account.url}/_sandbox/picture.png")
                for platform, account in self.sandboxes.items()
            },
        }


def met(state: Path, api_url: str, plan: Plan) -> Newcomer:
    """Make everything ready on a machine whose sandboxes answer, and whose schema is up to date."""
    settings = Settings.read(plan.environment)
    return asyncio.run(welcome(settings, plan.registry, state, api_url=api_url, sandboxes=plan.sandboxes))


async def welcome(
    settings: Settings, registry: Registry, state: Path, *, api_url: str, sandboxes: Mapping[str, str]
) -> Newcomer:
    """Make ready, or find again, what a first request needs."""
    vault = Vault.parse(settings.master_keys, file=settings.keys_file)
    async with open_pool(settings.database_url, size=2, name="up") as pool:
        await check_keys(pool, vault)
        tenants = Tenants(pool)
        accounts = Accounts(pool, vault)
        organization_id = await tenants.organization(ORGANIZATION)
        team_id = (await tenants.team_named(organization_id, TEAM)).id
        key = await _key(pool, organization_id, state / "api.key")
        users = await _users(settings, registry, sandboxes)
        connected: dict[str, SandboxAccount] = {}
        for platform, (user, profile, channels) in users.items():
            # A sandbox forgets its users when it ends; their accounts would only be in the way.
            await accounts.disconnect(organization_id, team_id, platform, app=SANDBOX_APP)
            account_id = await accounts.connect(
                organization_id=organization_id,
                team_id=team_id,
                platform=platform,
                profile=profile,
                channels=channels,
                access_token=user["access_token"],
                app=SANDBOX_APP,
            )
            connected[platform] = SandboxAccount(
                url=sandboxes[platform], social_account_id=str(account_id), board_id=user["channel_id"]
            )
    return Newcomer(
        api_url=api_url,
        api_key=key,
        organization_id=str(organization_id),
        team_id=str(team_id),
        sandboxes=connected,
    )


async def _users(settings: Settings, registry: Registry, sandboxes: Mapping[str, str]) -> dict[str, User]:
    """A user of each sandbox."""
    transport = open_transport(guard=None)
    try:
        found = (
            _user(transport, url, registry[platform], settings.hosts_of(registry[platform]))
            for platform, url in sandboxes.items()
        )
        return dict(zip(sandboxes, await asyncio.gather(*found), strict=True))
    finally:
        await transport.aclose()


async def _user(transport: httpx.AsyncBaseTransport, url: str, adapter: Adapter[Any], hosts: Mapping[str, str]) -> User:
    """A user of a sandbox who is ready to publish, and what the platform tells of the account."""
    answer = await open_client(transport).post(f"{url}/_sandbox/seed")
    user = answer.raise_for_status().json()
    way = user["facts"].get("way", "")
    return user, *await introduce(adapter, user["access_token"], hosts=hosts, transport=transport, way=way)


async def _key(pool: AsyncConnectionPool[AsyncConnection[Any]], organization_id: UUID, path: Path) -> str:
    kept = await asyncio.to_thread(kept_secret, path, str)
    keyring = Keyring(pool)
    known = await keyring.authenticate(kept)
    await keyring.aclose()
    if known is not None:
        return kept
    made = await ApiKeys(pool).create(organization_id, "made by fingerpost up")
    await asyncio.to_thread(path.write_text, made.secret)
    return made.secret
