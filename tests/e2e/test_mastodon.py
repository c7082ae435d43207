"""A server of the client API that is not ours takes what the adapter sends, and has everything once in a storm."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from adapters.mastodon.sandbox import MastodonSandbox
from adapters.mastodon.words import read
from adapters.pinterest.sandbox import PinterestSandbox
from core.registry import Registry
from core.sandbox import Seed
from server.app import create_app
from server.serve import bound
from tests.chaos.kinds import KINDS
from tests.chaos.tally import all_out, tally
from tests.chaos.test_kinds import PATIENT, storm
from tests.e2e.forwarder import Forwarder
from tests.e2e.servers import free_port, python_environment, serving
from tests.server.conftest import COOK, running, settings_for, settle
from tests.server.portal.conftest import Browser, Door
from tests.world import Clock, Pool, world

pytestmark = pytest.mark.e2e
TOKEN = "mock_token"


class Server:
    """The server at `url`; it has one account, which belongs to the token."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", trust_env=False, timeout=60)
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"

    def person(self) -> Seed:
        me = self.http.get("/accounts/verify_credentials").json()
        return Seed(access_token=TOKEN, refresh_token=None, external_user=me["id"], channel_id="", facts={})

    def statuses(self) -> list[dict[str, Any]]:
        """What is live, as a sandbox tells it."""
        found: list[dict[str, Any]] = []
        params = {"limit": "40"}
        path = f"/accounts/{self.person().external_user}/statuses"
        while page := self.http.get(path, params=params).json():
            found += [{"id": each["id"], "text": read(each["content"]), "status": each} for each in page]
            params["max_id"] = page[-1]["id"]
        return found

    def clear(self) -> None:
        for each in self.statuses():
            assert self.http.delete(f"/statuses/{each['id']}").is_success


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mastodon")
    ready = os.environ.get("FINGERPOST_TEST_MASTODON")
    programs = Path(ready) if ready else python_environment(folder / "environment", "mastodon_mock==0.6.1")
    port = free_port()
    argv = [str(programs / "mastodon_mock"), "serve", "--in-memory", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with serving(argv, folder, os.environ, f"{url}/api/v2/instance"):
        yield Server(url)


def before(server: Server, **options: Any) -> Forwarder:
    server.clear()
    people, shelf = server.person, server.statuses
    return Forwarder(MastodonSandbox(), server.url, people=people, shelf_of=shelf, rng=Random(1), **options)


async def test_an_account_is_connected_by_consent_at_the_server(
    server: Server, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    listener = bound("127.0.0.1", 0)
    public = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = msgspec.structs.replace(settings_for(database_url, redis_url, tmp_path), public_url=public)
    owner, stranger, _ = await settle(settings, COOK)
    with running(create_app(settings, Registry.installed()), listener) as url:
        door, browser = Door(url, owner, stranger, PinterestSandbox(), server.url), Browser(url, server.url)
        async with door.api:
            pages = []
            for _ in range(2):
                page = await browser.go(await door.connect(type="MASTODON", serverUrl=server.url))
                assert page.url.startswith(f"{server.url}/oauth/authorize?")
                pages.append(
                    await browser.go(f"{server.url}/oauth/authorize", page.fields() | {"username": "testuser"})
                )
            assert pages[0].answer["success"] == "true"
            assert pages[1].heading == "Already connected", "by the app that the server knows by now"
            (account,) = await door.accounts("MASTODON")
    assert (account["state"], account["displayName"]) == ("live", "Test User")


async def test_the_server_takes_everything_that_a_status_may_have(server: Server, pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, before(server)) as here:
        block = {
            "text": "Grüße an @ann@far.example",
            "link": "https://example.com/",
            "spoiler": "Careful",
            "sensitive": True,
            "privacy": "UNLISTED",
            "language": "de",
            "uploadIds": [await here.upload()],
            "altText": "Blue",
        }
        post = await here.post(data={"MASTODON": block})
        await here.to_the_end()
        delivery = await here.delivery(post)
        assert delivery["state"] == "published", delivery["error"]
        ((made),) = server.statuses()
        status = made["status"]
        assert made["text"] == "Grüße an @ann https://example.com/"
        assert (status["id"], status["url"]) == (delivery["external_id"], delivery["permalink"])
        assert (status["spoiler_text"], status["visibility"], status["sensitive"]) == ("Careful", "unlisted", True)
        assert (status["language"], status["media_attachments"][0]["description"]) == ("de", "Blue")


@pytest.mark.parametrize("keyless", [False, True])
async def test_a_storm_leaves_each_status_once(server: Server, pool: Pool, tmp_path: Path, keyless: bool) -> None:
    kind = KINDS["read-back of its server" if keyless else "key of its server"]
    settings: dict[str, Any] = {"readback": "1,2,4,8", "request_seconds": 2.0, "lease": 10.0}
    async with world(
        pool, tmp_path, before(server, keyless=keyless, clock=Clock()), policy=PATIENT, **settings
    ) as here:
        await storm(here, kind, probability=0.1, times=6)
        await here.fill(16)
        await here.to_the_end()
        assert await tally(here) == all_out(16)
