"""A second server of other people's making that speaks as Mastodon does, and less of it: kepi 0.7, of 2020.

It has no media, no `/api/v2/instance`, no pages, no keys, and knows apps by a form alone; texts are Markdown to it. The
scopes that we ask for its operator has to add, and its tokens are good for ten hours.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adapters.mastodon.adapter import SCOPES
from adapters.mastodon.sandbox import MastodonSandbox
from adapters.mastodon.words import read
from core.sandbox import Seed
from tests.chaos.kinds import KINDS
from tests.chaos.tally import all_out, tally
from tests.chaos.test_kinds import PATIENT, storm
from tests.e2e.forwarder import Forwarder
from tests.e2e.servers import free_port, python_environment, serving
from tests.server.cli.processes import until
from tests.server.cli.running import Client, said, up
from tests.server.portal.conftest import Browser, Page
from tests.world import Clock, Pool, world

pytestmark = pytest.mark.e2e
PROGRAM = Path(__file__).parent / "kepi"
NAME, PASSWORD, TOKEN = "ann", "not a secret", "token-of-ann"
AGAIN = "FINGERPOST_TEST_KEPI"
"""A folder with the programs of an environment where the packages are installed already."""


class Kepi:
    """The server at `url`, and the one person who has an account there."""

    def __init__(self, url: str) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=60)
        self.id: str = self.http.get("/accounts/verify_credentials").json()["id"]

    def person(self) -> Seed:
        return Seed(access_token=TOKEN, refresh_token=None, external_user=self.id, channel_id="", facts={})

    def statuses(self) -> list[dict[str, Any]]:
        """What is live, as a sandbox tells it."""
        told = self.http.get(f"/accounts/{self.id}/statuses").json()
        return [{"id": each["id"], "text": read(each["content"]), "status": each} for each in told]

    def clear(self) -> None:
        for each in self.statuses():
            assert self.http.delete(f"/statuses/{each['id']}").is_success


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with kepi and everything that it needs, as pinned."""
    if ready := os.environ.get(AGAIN):
        return Path(ready)
    folder = tmp_path_factory.mktemp("kepi") / "environment"
    return python_environment(folder, "--require-hashes", "-r", str(PROGRAM / "requirements.lock"))


@pytest.fixture(scope="module")
def house(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The surroundings of a kepi with a database of its own, in which there is a person."""
    own = {"DJANGO_SETTINGS_MODULE": "house", "PYTHONPATH": str(PROGRAM), "PYTHONWARNINGS": "ignore"}
    database = tmp_path_factory.mktemp("house") / "kepi.sqlite3"
    surroundings = {**os.environ, **own, "KEPI_DATABASE": str(database)}
    for words in (["-m", "django", "migrate"], [str(PROGRAM / "person.py"), NAME, PASSWORD, TOKEN]):
        argv = [str(programs / "python"), *words]
        done = subprocess.run(argv, env=surroundings, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return surroundings


@contextmanager
def started(programs: Path, house: dict[str, str], folder: Path, *, scopes: str) -> Iterator[str]:
    """kepi with these scopes beside its own, for as long as the block lasts; its URL."""
    place = f"127.0.0.1:{free_port()}"
    argv = [str(programs / "python"), "-m", "django", "runserver", "--noreload", place]
    with serving(argv, folder, {**house, "KEPI_SCOPES": scopes}, f"http://{place}/api/v1/instance"):
        yield f"http://{place}"


@pytest.fixture(scope="module")
def kepi(programs: Path, house: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kepi]:
    with started(programs, house, tmp_path_factory.mktemp("kepi"), scopes=" ".join(SCOPES)) as url:
        yield Kepi(url)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of everything that `fingerpost up` starts."""
    with up(tmp_path_factory.mktemp("up") / "state", "--json") as running:
        yield Client(said(running.line()))


def ask(client: Client, method: str, path: str, **request: Any) -> Any:
    answer = client.http.request(method, f"/api/v1/{path}", **request)
    assert answer.is_success, answer.text
    return answer.json()


async def led(client: Client, url: str) -> tuple[Browser, Page]:
    """A browser that has followed a link to connect an account at this server, and where it has come to."""
    body = {"type": "MASTODON", "teamId": client.said["teamId"], "redirectUrl": "https://app.example/"}
    browser = Browser(client.said["apiUrl"], url)
    link = ask(client, "POST", "social-account/connect", json={**body, "serverUrl": url})["url"]
    page = await browser.go(link)
    assert page.url.startswith(f"{url}/accounts/login/"), page
    return browser, page


async def consent(client: Client, url: str) -> Page:
    """What becomes of a browser that signs in there, and consents where it is asked."""
    browser, page = await led(client, url)
    page = await browser.go(page.url, page.fields() | {"username": NAME, "password": PASSWORD})
    return await browser.go(page.url, page.fields()) if page.url.startswith(f"{url}/oauth/") else page


@pytest.fixture
async def account(kepi: Kepi, client: Client) -> str:
    """The id of the account at kepi, connected by consent there, again if it was before."""
    kepi.clear()
    page = await consent(client, kepi.url)
    assert page.answer.get("success") == "true" or page.heading == "Already connected", page
    params = {"teamId": client.said["teamId"], "type": "MASTODON"}
    (found,) = [
        each for each in ask(client, "GET", "social-account/", params=params)["items"] if each["displayName"] == NAME
    ]
    assert found["state"] == "live"
    return str(found["id"])


def post(client: Client, account: str, **block: Any) -> dict[str, Any]:
    """A post that was due at once, when it has come to an end."""
    body = {
        "teamId": client.said["teamId"],
        "title": "At kepi",
        "postDate": datetime.now(UTC).isoformat(),
        "status": "SCHEDULED",
        "socialAccountTypes": ["MASTODON"],
        "data": {"MASTODON": {**block, "socialAccountIds": [account]}},
    }
    made = ask(client, "POST", "post/", json=body)["id"]
    until(lambda: client.status(made) in ("POSTED", "ERROR"), f"{made} has come to an end")
    found: dict[str, Any] = ask(client, "GET", f"post/{made}")
    return found


async def test_a_status_is_live_once_as_it_was_sent(kepi: Kepi, client: Client, account: str) -> None:
    block = {"text": "Grüße & mehr", "link": "https://example.com/?a=1&region=eu", "spoiler": "Careful"}
    told = post(client, account, **block, sensitive=True, privacy="UNLISTED", language="de")
    ((made),) = kepi.statuses()
    (delivery,) = told["deliveries"]
    status = kepi.http.get(f"/statuses/{delivery['externalId']}").json()
    assert (status, told["status"]) == (made["status"], "POSTED")
    assert made["text"] == f"{block['text']} {block['link'].replace('&region', '®ion')}", "as it is compared"
    assert told["externalData"]["MASTODON"]["permalink"] == status["url"]
    assert (status["spoiler_text"], status["visibility"], status["sensitive"]) == ("Careful", "unlisted", True)
    assert status["language"] == "de"


async def test_media_are_refused_and_nothing_is_half_out(kepi: Kepi, client: Client, account: str) -> None:
    told = post(client, account, text="A picture", mediaUrls=[f"{client.sandbox['url']}/_sandbox/picture.png"])
    (delivery,) = told["deliveries"]
    assert (told["status"], delivery["state"], delivery["error"]["code"]) == ("ERROR", "failed", "not_there")
    assert "media" in delivery["error"]["hint"]
    assert kepi.statuses() == []


async def test_a_server_without_the_scopes_is_not_connected(
    programs: Path, house: dict[str, str], client: Client, tmp_path: Path
) -> None:
    with started(programs, house, tmp_path, scopes="") as url:
        page = await consent(client, url)
    assert page.heading == "The platform said no", page
    assert "Mastodon did not carry out the sign-in." in page.text


async def test_the_app_is_registered_once(kepi: Kepi, client: Client) -> None:
    apps = set()
    for _ in range(2):
        _, page = await led(client, kepi.url)
        asked = parse_qs(urlsplit(page.url).query)["next"][0]
        apps |= set(parse_qs(urlsplit(asked).query)["client_id"])
    assert len(apps) == 1


def before(kepi: Kepi, **options: Any) -> Forwarder:
    kepi.clear()
    people, shelf = kepi.person, kepi.statuses
    return Forwarder(MastodonSandbox(), kepi.url, people=people, shelf_of=shelf, rng=Random(1), **options)


@pytest.mark.parametrize("fault", ["reset_after", "error_after", "garbage"])
async def test_an_answer_that_is_lost_leaves_one_status(kepi: Kepi, pool: Pool, tmp_path: Path, fault: str) -> None:
    async with world(pool, tmp_path, before(kepi, clock=Clock())) as here:
        for number, text in enumerate(("Grüße: https://example.com/?a=1&region=eu", "# **Some** _marks_"), start=1):
            await here.fault("POST /api/v1/statuses", fault, times=1, status=500)
            sent = await here.post(data={"MASTODON": {"text": text}})
            await here.to_the_end()
            delivery = await here.delivery(sent)
            assert delivery["state"] == "published", delivery["error"]
            statuses = kepi.statuses()
            assert len(statuses) == number
            assert delivery["external_id"] == statuses[-1]["id"]


async def test_a_storm_leaves_each_status_once(kepi: Kepi, pool: Pool, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"readback": "1,2,4,8", "request_seconds": 1.0, "lease": 5.0}
    async with world(pool, tmp_path, before(kepi, clock=Clock()), policy=PATIENT, **settings) as here:
        await storm(here, KINDS["read-back of its server"], probability=0.1, times=2)
        for number in range(8):
            await here.post(title=f"Post {number}", data={"MASTODON": {"text": f"Post {number}"}})
        await here.to_the_end()
        assert await tally(here) == all_out(8)
