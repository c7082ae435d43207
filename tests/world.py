"""A small world for tests of the engine: a team with an account on a sandbox, and everything between."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx
import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.accounts.introduction import introduce, reading_session
from core.drafting import AnyAdapter
from core.governor.governor import Governor
from core.governor.passages import Passages
from core.guard import Guard
from core.http import open_client, open_transport
from core.ledger.breaker import Breaker
from core.ledger.ledger import Ledger
from core.limits import Quota
from core.media.processes import MediaProcesses
from core.posts.changing import Changing
from core.posts.posts import Posts
from core.posts.views import NewPostView
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from core.sandbox import Sandbox, running
from core.sandbox.picture import sample_picture
from core.session import Session
from core.settings import Settings
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.uploads.renditions import Renditions
from core.uploads.storage import FolderStorage
from core.uploads.uploads import Uploads
from core.vault import Vault
from workers.booking import Booking
from workers.drain import Drain
from workers.publish import Publisher

Pool = AsyncConnectionPool[AsyncConnection[Any]]

TRAVELS = (
    "update deliveries set due_at = due_at - %(by)s, turn_at = turn_at - %(by)s, expires_at = expires_at - %(by)s,"
    " lease_until = lease_until - %(by)s, armed_at = armed_at - %(by)s",
    "update attempts set started_at = started_at - %(by)s, armed_at = armed_at - %(by)s",
    "update lanes set blocked_until = blocked_until - %(by)s",
    "update breakers set opened_at = opened_at - %(by)s, probe_at = probe_at - %(by)s",
    "update webhook_messages set due_at = due_at - %(by)s, lease_until = lease_until - %(by)s",
    "update webhook_endpoints set retry_at = retry_at - %(by)s, failing_since = failing_since - %(by)s,"
    " failed_at = failed_at - %(by)s, previous_until = previous_until - %(by)s",
)
"""What makes time pass for the engine: every moment that it waits for comes nearer."""


BOUNDLESS = 10_000_000
"""Calls that an account may make where a test is not about quotas: as if the platform had told so."""


class Clock:
    """A sandbox's clock that goes on when a world travels in time."""

    def __init__(self) -> None:
        self.travelled = 0.0

    def __call__(self) -> float:
        return time.time() + self.travelled


class Account(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    channel: str
    token: str


class World:
    """One organization, one team; accounts are added on a sandbox that runs at `sandbox_url`."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        registry: Registry,
        sandbox: Sandbox,
        sandbox_url: str,
        policy: Policy,
        governor: Governor | None,
    ) -> None:
        self.pool = pool
        self.settings = settings
        self.registry = registry
        self.sandbox = sandbox
        self.sandbox_url = sandbox_url
        self.policy = policy
        self._picture: str | None = None
        self.quotas = tuple(msgspec.structs.replace(quota, calls=BOUNDLESS, seconds=1) for quota in self.adapter.quotas)
        self.random = Random(1)
        self.transport = open_transport(guard=None)
        self.vault = Vault.parse(settings.master_keys)
        self.accounts = Accounts(pool, self.vault)
        self.tenants = Tenants(pool)
        self.ledger = Ledger(pool, lease_seconds=settings.lease)
        self.outside = open_transport(guard=Guard(["loopback"]))
        guarded = open_client(self.outside)
        self.processes = MediaProcesses(1)
        self.uploads = Uploads(pool, FolderStorage(settings.uploads), guarded, probe=self.processes.probe)
        self.renditions = Renditions(pool, self.uploads, self.processes)
        self.posts = Posts(
            pool,
            registry,
            accounts=self.accounts,
            uploads=self.uploads,
            tenants=self.tenants,
            notices=self.ledger.notices,
            max_delay=settings.max_delay,
        )
        self.changing = Changing(pool, self.posts, self.ledger.notices)
        self.publisher = Publisher(
            ledger=self.ledger,
            breaker=Breaker(pool, self.ledger),
            accounts=self.accounts,
            uploads=self.uploads,
            renditions=self.renditions,
            registry=registry,
            settings=settings,
            transport=self.transport,
            random=self.random,
            policy=policy,
            passages=Passages(governor, settings) if governor else None,
        )
        self.governor = governor
        self.reserve = Booking(governor, registry, settings).reserve if governor else None

    @property
    def adapter(self) -> AnyAdapter:
        return self.registry[self.sandbox.platform]

    async def settle_in(self) -> None:
        self.organization_id = await self.tenants.create_organization("World")
        self.team_id = (await self.tenants.create_team(self.organization_id, "Team")).id
        self.account = await self.connect()
        self.key = (await ApiKeys(self.pool).create(self.organization_id, "test")).secret

    async def connect(self, team_id: UUID | None = None) -> Account:
        seed = self.sandbox.seed()
        hosts = self.settings.hosts_of(self.adapter)
        profile, channels = await introduce(
            self.adapter, seed.access_token, hosts=hosts, transport=self.transport, way=self.sandbox.way
        )
        id = await self.accounts.connect(
            organization_id=self.organization_id,
            team_id=team_id or self.team_id,
            platform=self.sandbox.platform,
            profile=msgspec.structs.replace(profile, quotas=self.quotas),
            channels=channels,
            access_token=seed.access_token,
        )
        return Account(id=id, channel=seed.channel_id, token=seed.access_token)

    async def upload(self, picture: bytes | None = None) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield picture or sample_picture()

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

    async def fill(self, count: int, mark: str = "Post", *, picture: bytes | None = None) -> None:
        """Posts that are due now: `mark` and a number are the title and the text of each, and told on the sandbox."""
        if picture is not None:
            self._picture = await self.upload(picture)
        await self._block()
        for start in range(0, count, 50):
            numbers = range(start, min(start + 50, count))
            await asyncio.gather(*(self.say(f"{mark} {number}") for number in numbers))

    async def say(self, text: str, **changes: Any) -> NewPostView:
        """Create a post of which `text` is the title, and what is told on the sandbox."""
        block = await self._block() | {"text": text}
        return await self.post(title=text, data={self.sandbox.platform: block}, **changes)

    async def _block(self) -> dict[str, Any]:
        """The adapter's own example, with an uploaded picture where it has one."""
        block = dict(self.adapter.example(self.account.channel, ""))
        if block.pop("mediaUrls", None):
            self._picture = self._picture or await self.upload()
            block["uploadIds"] = [self._picture]
        return block

    async def work(self) -> None:
        """Claim what is due and carry all of it out."""

        async def take(limit: int) -> Any:
            return await self.ledger.take(self.sandbox.platform, limit)

        await self.ledger.claim(self.reserve)
        await Drain(take, self.publisher.carry_out, in_flight=64).run()

    async def live_on(self) -> None:
        """One round of everything that is always on: repair, claim, carry out."""
        await self.ledger.sweep(self.policy, self.random)
        await self.work()

    async def travel(self, seconds: float) -> None:
        """Let time pass at once: whatever the engine waits for comes nearer, and a `Clock` of the sandbox goes on."""
        async with self.pool.connection() as connection:
            for query in TRAVELS:
                await connection.execute(query, {"by": timedelta(seconds=seconds)})
        if isinstance(self.sandbox.clock, Clock):
            self.sandbox.clock.travelled += seconds

    async def to_the_end(self, *, steps: int = 200) -> None:
        """Live on, from each due moment to the next, until no delivery waits for anything but a person."""
        for _ in range(steps):
            await self.live_on()
            seconds = await self._next()
            if seconds is None:
                return
            await self.travel(max(seconds, 0.0) + 0.001)
        raise AssertionError(await self.rows("select state, count(*), min(error::text) from deliveries group by state"))

    async def _next(self) -> float | None:
        """Seconds until something happens by itself; None when nothing will."""
        ((row),) = await self.rows(
            "select extract(epoch from min(greatest(coalesce(d.lease_until, d.due_at), b.probe_at)) - now())::float8"
            " as wait from deliveries d join grants g on g.id = d.grant_id"
            " left join breakers b on b.platform = d.platform and b.server = g.server"
            " where d.state not in ('published', 'failed', 'cancelled', 'needs_review')"
        )
        wait: float | None = row["wait"]
        return wait

    async def fault(self, on: str, kind: str, **more: Any) -> None:
        """Switch a fault of the sandbox on, over the wire."""
        await self._steer("POST", "faults", {"on": on, "fault": kind, **more})

    async def mend(self) -> None:
        """Switch all faults off."""
        await self._steer("DELETE", "faults")

    async def catch_up(self) -> None:
        """Have the sandbox do what it has put off."""
        await self._steer("POST", "late")

    async def weather(self, **changes: Any) -> None:
        """Change the sandbox's weather."""
        await self._steer("POST", "weather", changes)

    async def _steer(self, method: str, path: str, body: object = None) -> None:
        async with httpx.AsyncClient(base_url=self.sandbox_url) as client:
            answer = await client.request(method, f"/_sandbox/{path}", json=body)
        assert answer.is_success, answer.text

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
            await connection.execute(
                "update deliveries set due_at = now(), turn_at = least(turn_at, now()),"
                " armed_at = armed_at - greatest(due_at - now(), interval '0') where lease_until is null"
            )
            await connection.execute("update breakers set probe_at = now()")

    async def restrict(self, *quotas: Quota) -> None:
        """Let these be the quotas of all accounts, as if the platform had told so."""
        async with self.pool.connection() as connection:
            await connection.execute("update grants set quotas = %s", [Jsonb(msgspec.to_builtins(quotas))])

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
    governor: Governor | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A world around a sandbox, with the adapters of `registry` or those installed; it ends with the block.

    Without a governor nobody keeps to quotas in advance.
    """
    registry = registry or Registry.installed()
    async with running(sandbox) as at:
        prefix = f"FINGERPOST_{sandbox.platform}_"
        hosts = {f"{prefix}{name.upper()}_URL": at.url for name in registry[sandbox.platform].hosts}
        hosts |= settings.pop("hosts", {})
        made = Settings(
            database_url="",
            redis_url="",
            master_keys=Vault.generate(),
            state=str(folder),
            hosts=hosts,
            **settings,
        )
        here = World(pool, made, registry, sandbox, at.url, policy, governor)
        await here.settle_in()
        try:
            yield here
        finally:
            await here.posts.aclose()
            await here.ledger.aclose()
            await here.transport.aclose()
            await here.outside.aclose()
            await here.processes.aclose()
