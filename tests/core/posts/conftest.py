"""Posts over a real database, with an account and another organization beside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.adapter import Profile
from core.database.notices import Notices
from core.database.pool import open_pool
from core.guard import Guard
from core.http import open_client, open_transport
from core.post import Channel
from core.posts.posts import Posts
from core.registry import Registry
from core.tenants.tenants import Tenants
from core.uploads.storage import FolderStorage
from core.uploads.uploads import Uploads
from core.vault import Vault

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a post needs."""

    pool: Pool
    intake: Pool
    posts: Posts
    accounts: Accounts
    tenants: Tenants
    uploads: Uploads
    organization_id: UUID
    team_id: UUID
    account_id: UUID

    def request(self, block: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """A sound request, but for what a test changes."""
        pin = {"boardId": "4711", "text": "A title", "mediaUrls": ["https://example.com/p.jpg"], **(block or {})}
        return {
            "teamId": str(self.team_id),
            "title": "A Pin",
            "postDate": "2030-01-02T03:04:05Z",
            "status": "SCHEDULED",
            "socialAccountTypes": ["PINTEREST"],
            "data": {"PINTEREST": pin},
            **changes,
        }

    async def rows(self, query: Any, **values: Any) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()


@asynccontextmanager
async def desk_over(
    pool: Pool, folder: Path, registry: Registry | None = None, *, patience_seconds: float = 30
) -> AsyncIterator[Desk]:
    """A desk with an organization, a team and an account of its own, and a connection for the intake."""
    tenants, accounts = Tenants(pool), Accounts(pool, Vault.parse(Vault.generate()))
    organization_id = await tenants.create_organization("ours")
    team = await tenants.create_team(organization_id, "team")
    account_id = await accounts.connect(
        organization_id=organization_id,
        team_id=team.id,
        platform="PINTEREST",
        profile=Profile(external_user="123", username="cook", display_name="The Cook"),
        channels=[Channel(id="4711", name="Recipes")],
        access_token="token",
    )
    notices = Notices(pool)
    assert isinstance(pool.conninfo, str)
    async with (
        open_client(open_transport(guard=Guard())) as client,
        open_pool(pool.conninfo, size=1, name="intake", patience_seconds=patience_seconds, autocommit=True) as intake,
    ):
        uploads = Uploads(pool, FolderStorage(folder), client)
        posts = Posts(
            pool,
            registry or Registry.installed(),
            accounts=accounts,
            uploads=uploads,
            tenants=tenants,
            notices=notices,
            max_delay=86_400,
            intake=intake,
        )
        yield Desk(
            pool=pool,
            intake=intake,
            posts=posts,
            accounts=accounts,
            tenants=tenants,
            uploads=uploads,
            organization_id=organization_id,
            team_id=team.id,
            account_id=account_id,
        )
        await posts.aclose()
        await notices.aclose()


@pytest.fixture
async def desk(pool: Pool, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_over(pool, tmp_path) as made:
        yield made
