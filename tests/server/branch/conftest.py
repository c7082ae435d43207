"""A server whose account is on a sandbox that listens beside it, for what is done on a platform beside publishing."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.adapter import Profile
from core.post import Channel
from core.registry import Registry
from core.sandbox import Sandbox, Seed
from core.sandbox import running as sandbox_running
from server.app import create_app
from tests.conftest import Servers, new_database
from tests.server.conftest import House, connect, pin_of, running, settings_for, tenants_of

ROOMY = dict.fromkeys(("org_read", "org_write", "safety_net"), (10_000, 60.0))
STEPS = ("queued", "publishing", "published")


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A house, and the platform on which its account is."""

    house: House
    url: str
    seed: Seed

    def client(self, secret: str | None = "", **options: Any) -> httpx.Client:
        """A client of the server, with the owner's key or another."""
        return self.house.client(secret, **options)

    @property
    def channels(self) -> str:
        """Where the channels of the account are."""
        return f"/api/v1/social-account/{self.house.account_id}/channels"

    def member(self) -> httpx.Client:
        """A client of the platform with the account's own token."""
        headers = {"Authorization": f"Bearer {self.seed.access_token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def platform(self, method: str, path: str, **options: Any) -> Any:
        """What the platform itself answers to the account's own token."""
        with self.member() as member:
            answer = member.request(method, path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def steer(self, method: str, what: str, body: object = None) -> Any:
        """Steer the sandbox."""
        answer = httpx.request(method, f"{self.url}/_sandbox/{what}", json=body, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def fault(self, on: str, kind: str, **more: Any) -> None:
        """Switch a fault on."""
        self.steer("POST", "faults", {"on": on, "fault": kind, **more})

    def calls(self, method: str, part: str) -> list[dict[str, Any]]:
        """The calls that the platform got since the log was cleared."""
        return [call for call in self.steer("GET", "log") if call["method"] == method and part in call["path"]]

    def live(self) -> dict[str, Any]:
        """A delivery that is live: its id, its post's, and the Pin on the platform."""
        source = {"source_type": "image_url", "url": f"{self.url}/_sandbox/picture.png"}
        words = {"title": "A title", "description": "Words", "link": "https://example.com/a"}
        pin = self.platform(
            "POST", "/v5/pins", json={"board_id": self.seed.channel_id, "media_source": source, **words}
        )
        with self.client() as client:
            block = {"boardId": self.seed.channel_id, "text": "A title", "description": "Words"}
            post = client.post("/api/v1/post", json=pin_of(self.house, block)).json()
        id = post["deliveries"][0]["id"]
        with psycopg.connect(self.house.database_url, autocommit=True) as connection:
            for state in STEPS:
                connection.execute(
                    "update deliveries set state = %s, external_id = %s, permalink = %s, published_at = now(),"
                    " lease_until = case when %s = 'publishing' then now() end where id = %s",
                    (state, pin["id"], f"{self.url}/pin/{pin['id']}/", state, id),
                )
            connection.execute("update posts set status = 'POSTED' where id = %s", (post["id"],))
        return {"id": id, "post": post["id"], "pin": pin["id"]}

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Rows of the server's database."""
        with psycopg.connect(self.house.database_url) as connection:
            return connection.execute(query, values).fetchall()

    def write(self, query: str, *values: Any) -> None:
        """Change the server's database."""
        with psycopg.connect(self.house.database_url, autocommit=True) as connection:
            connection.execute(query, values)


@contextmanager
def listening(sandbox: Sandbox) -> Iterator[str]:
    """The sandbox in a thread of its own; its URL."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    said: list[str] = []

    async def serve() -> None:
        over = asyncio.get_running_loop().create_future()
        ends.append(lambda: over.set_result(None))
        async with sandbox_running(sandbox) as at:
            said.append(at.url)
            ready.set()
            await over

    ends: list[Any] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield said[0]
    finally:
        loop.call_soon_threadsafe(ends[0])
        thread.join(30)
        loop.close()


@contextmanager
def branch_on(sandbox: Sandbox, database_url: str, redis_url: str, folder: Any, **options: Any) -> Iterator[Branch]:
    """A branch on a sandbox."""
    with listening(sandbox) as url:
        seed = sandbox.seed()
        hosts = {f"FINGERPOST_PINTEREST_{name}_URL": url for name in ("API", "WEB")} | options.pop("hosts", {})
        settings = msgspec.structs.replace(settings_for(database_url, redis_url, folder), hosts=hosts, **options)
        profile = Profile(external_user=seed.external_user, username=seed.facts["username"], display_name="A")
        boards = [Channel(id=board["id"], name=board["name"]) for board in seed.facts["boards"]]
        owner, stranger = asyncio.run(tenants_of(settings))
        account_id: UUID = asyncio.run(connect(settings, owner, profile, boards, seed.access_token))
        with running(create_app(settings, Registry.installed())) as server:
            house = House(
                url=server,
                database_url=database_url,
                owner=owner,
                stranger=stranger,
                account_id=account_id,
                settings=settings,
            )
            yield Branch(house=house, url=url, seed=seed)


@pytest.fixture(scope="module")
def shared_branch(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Branch]:
    """One branch for the tests of a module."""
    with (
        new_database(servers.database_url, template=template) as url,
        branch_on(
            PinterestSandbox(rng=Random(3), limits=ROOMY), url, servers.redis_url, tmp_path_factory.mktemp("branch")
        ) as branch,
    ):
        yield branch


@pytest.fixture
def branch(shared_branch: Branch) -> Branch:
    """The shared branch, with no fault on and nothing in the log."""
    shared_branch.steer("DELETE", "faults")
    shared_branch.steer("DELETE", "weather")
    shared_branch.steer("DELETE", "log")
    return shared_branch


@pytest.fixture
def client(branch: Branch) -> Iterator[httpx.Client]:
    """A client with the owner's key."""
    with branch.client() as client:
        yield client
