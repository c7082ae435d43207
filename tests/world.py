"""A small world for tests of the engine: a team with an account on a sandbox, and everything between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.accounts.introduction import introduce, reading_session
from core.drafting import AnyAdapter
from core.guard import Guard
from core.http import open_client, open_transport
from core.ledger.breaker import Breaker
from core.ledger.ledger import Ledger
from core.posts.posts import Posts
from core.posts.views import NewPostView
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from core.sandbox import Sandbox, running
from core.sandbox.picture import sample_picture
from core.session import Session
from core.settings import Settings
from core.tenants.tenants import Tenants
from core.uploads.storage import FolderStorage
from core.uploads.uploads import Uploads
from core.vault import Vault
from workers.drain import Drain
from workers.publish import Publisher

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    channel: str
    token: str


class World:
    """One organization, one team; accounts are added on a sandbox that runs at `sandbox_url`."""

    def __init__(
        self, pool: Pool, settings: Settings, registry: Registry, sandbox: Sandbox, sandbox_url: str, policy: Policy
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.registry = registry
        self.sandbox = sandbox
        self.sandbox_url = sandbox_url
        self.transport = open_transport(guard=None)
        self.vault = Vault.parse(settings.master_keys)
        self.accounts = Accounts(pool, self.vault)
        self.tenants = Tenants(pool)
        self.ledger = Ledger(pool, lease_seconds=settings.lease)
        guarded = open_client(open_transport(guard=Guard(["loopback"])))
        self.uploads = Uploads(pool, FolderStorage(settings.uploads), guarded)
        self.posts = Posts(
            pool,
            registry,
            accounts=self.accounts,
            uploads=self.uploads,
            tenants=self.tenants,
            notices=self.ledger.notices,
            max_delay=settings.max_delay,
        )
        self.publisher = Publisher(
            ledger=self.ledger,
            breaker=Breaker(pool, self.ledger),
            accounts=self.accounts,
            uploads=self.uploads,
            registry=registry,
            settings=settings,
            transport=self.transport,
            random=Random(1),
            policy=policy,
        )

    @property
    def adapter(self) -> AnyAdapter:
        return self.registry[self.sandbox.platform]

    async def settle_in(self) -> None:
        self.organization_id = await self.tenants.create_organization("World")
        self.team_id = (await self.tenants.create_team(self.organization_id, "Team")).id
        self.account = await self.connect()
        self.key = (await self.tenants.create_key(self.organization_id, "test")).secret

    async def connect(self, team_id: UUID | None = None) -> Account:
        seed = self.sandbox.seed()
        hosts = self.settings.hosts_of(self.adapter)
        profile, channels = await introduce(self.adapter, seed.access_token, hosts=hosts, transport=self.transport)
        id = await self.accounts.connect(
            organization_id=self.organization_id,
            team_id=team_id or self.team_id,
            platform=self.sandbox.platform,
            profile=profile,
            channels=channels,
            access_token=seed.access_token,
        )
        return Account(id=id, channel=seed.channel_id, token=seed.access_token)

    async def upload(self) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield sample_picture()

        return str((await self.uploads.create(self.organization_id, self.team_id, chunks(), "picture.png")).id)

    async def post(self, **changes: Any) -> NewPostView:
        """Create a post that is due now, from the adapter's own example."""
        block = self.adapter.example(self.account.channel, f"{self.sandbox_url}/_sandbox/picture.png")
        body = {
            "teamId": str(self.team_id),
            "title": "A post",
            "text": "Something to say",
            "postDate": datetime.now(UTC).isoformat(),
            "status": "SCHEDULED",
            "socialAccountTypes": [self.sandbox.platform],
            "data": {self.sandbox.platform: block},
        }
        return await self.posts.create(self.organization_id, body | changes)

    async def work(self) -> None:
        """Claim what is due and carry all of it out."""

        async def take(limit: int) -> Any:
            return await self.ledger.take(self.sandbox.platform, limit)

        await self.ledger.claim()
        await Drain(take, self.publisher.carry_out, in_flight=64).run()

    async def reading(self) -> Session:
        """A session of the account that can only read."""
        credentials = await self.accounts.credentials(self.organization_id, self.account.id)
        return reading_session(
            self.adapter,
            credentials.account,
            credentials.token,
            hosts=self.settings.hosts_of(self.adapter),
            transport=self.transport,
        )

    async def hasten(self) -> None:
        """Let everything that waits be due now, as if its time had come."""
        async with self.pool.connection() as connection:
            await connection.execute("update deliveries set due_at = now() where lease_until is null")
            await connection.execute("update breakers set probe_at = now()")

    async def delivery(self, post: NewPostView) -> dict[str, Any]:
        return (await self.rows("select * from deliveries where post_id = %s", post.id))[0]

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall()


@asynccontextmanager
async def world(
    pool: Pool,
    folder: Path,
    sandbox: Sandbox,
    *,
    policy: Policy = PUBLISHING,
    registry: Registry | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A world around a sandbox, with the adapters of `registry` or those installed; it ends with the block."""
    registry = registry or Registry.installed()
    async with running(sandbox) as at:
        prefix = f"FINGERPOST_{sandbox.platform}_"
        hosts = {f"{prefix}{name.upper()}_URL": at.url for name in registry[sandbox.platform].hosts}
        made = Settings(
            database_url="",
            redis_url="",
            master_keys=Vault.generate(),
            state=str(folder),
            hosts=hosts,
            **settings,
        )
        here = World(pool, made, registry, sandbox, at.url, policy)
        await here.settle_in()
        try:
            yield here
        finally:
            await here.posts.aclose()
            await here.ledger.aclose()
            await here.transport.aclose()
