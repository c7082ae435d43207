"""Bluesky's own server takes what the adapter sends, counts as the check does, and has everything once in a storm."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from adapters.bluesky.sandbox import BlueskySandbox
from core.accounts.introduction import stranger_session
from core.errors import NotAuthorized, Rejected
from core.sandbox import Seed
from core.texts import text_findings
from tests.chaos.kinds import KINDS
from tests.chaos.tally import all_out, tally
from tests.chaos.test_kinds import PATIENT, storm
from tests.e2e.forwarder import Forwarder
from tests.e2e.node import installed, needed
from tests.e2e.servers import free_port, pds_surroundings, serving
from tests.world import Clock, Pool, World, world

pytestmark = pytest.mark.e2e
PROGRAM = Path(__file__).parent / "atproto"
FAMILY = "👨‍👩‍👧‍👦"
POST = "app.bsky.feed.post"
AGAIN = "FINGERPOST_TEST_ATPROTO"
"""A folder where the packages are installed already: building one of them takes minutes."""


class Pds:
    """The server at `url`, and everybody who has an account there."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/xrpc", trust_env=False, timeout=60)
        self.url = url
        self.dids: list[str] = []
        self._numbers = count(1)

    def person(self) -> Seed:
        """One more account."""
        name = f"person{next(self._numbers)}"
        body = {"handle": f"{name}.test", "email": f"{name}@example.com", "password": "not a secret"}
        made = self.call("com.atproto.server.createAccount", body)
        self.dids.append(made["did"])
        return Seed(
            access_token=made["accessJwt"],
            refresh_token=made["refreshJwt"],
            external_user=made["did"],
            channel_id="",
            facts={"handle": made["handle"]},
        )

    def call(self, method: str, body: dict[str, Any], token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.post(f"/{method}", json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def posts(self) -> list[dict[str, Any]]:
        """What is live of all of them, as a sandbox tells it."""
        found: list[dict[str, Any]] = []
        for did in self.dids:
            params = {"repo": did, "collection": POST, "limit": "100"}
            records = self.http.get("/com.atproto.repo.listRecords", params=params).json()["records"]
            found += [{"id": each["uri"], "text": each["value"]["text"], "record": each["value"]} for each in records]
        return found


@pytest.fixture(scope="module")
def pds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pds]:
    node, folder = needed("node"), tmp_path_factory.mktemp("atproto")
    if ready := os.environ.get(AGAIN):
        program = Path(ready)
        shutil.copy(PROGRAM / "server.cjs", program)
    else:
        program = installed(PROGRAM, folder / "program", scripts=True)
    port = free_port()
    surroundings = {**os.environ, **pds_surroundings(folder, port, free_port())}
    url = f"http://127.0.0.1:{port}"
    with serving([node, str(program / "server.cjs")], folder, surroundings, f"{url}/xrpc/_health"):
        yield Pds(url)


def before(pds: Pds, **options: Any) -> Forwarder:
    pds.dids.clear()
    return Forwarder(BlueskySandbox(), pds.url, people=pds.person, shelf_of=pds.posts, rng=Random(1), **options)


async def sent(here: World, **block: Any) -> dict[str, Any]:
    post = await here.post(data={"BLUESKY": block})
    await here.to_the_end()
    delivery = await here.delivery(post)
    assert delivery["state"] == "published", delivery["error"]
    live: Any = here.sandbox.live()
    (made,) = (each["record"] for each in live["posts"] if each["id"] == delivery["external_id"])
    return {**made, "uri": delivery["external_id"]}


async def test_the_server_takes_everything_that_a_post_may_have(pds: Pds, pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, before(pds)) as here:
        friend = pds.person()
        handle, picture = friend.facts["handle"], await here.upload()
        first = await sent(
            here,
            text=f"{FAMILY} hält @{handle} für #schön: https://example.com/ä",
            uploadIds=[picture],
            altText="Blue",
            labels=["nudity"],
            tags=["more"],
            languages=["de"],
            thread=["and", "so on"],
        )
        text = first["text"].encode()
        places = [(facet["index"]["byteStart"], facet["index"]["byteEnd"]) for facet in first["facets"]]
        assert [text[start:end].decode() for start, end in places] == [f"@{handle}", "#schön", "https://example.com/ä"]
        assert first["facets"][0]["features"][0]["did"] == friend.external_user
        assert first["embed"]["images"][0]["alt"] == "Blue"
        answer = await sent(here, text="answer", replyTo=first["uri"], externalUrl="https://example.com/")
        assert answer["reply"]["root"]["uri"] == first["uri"]
        quote = await sent(here, text="quote", quoteUri=answer["uri"], uploadIds=[picture])
        assert quote["embed"]["record"]["record"]["uri"] == answer["uri"]
        assert [each["text"] for each in pds.posts()[:2]] == ["quote", "answer"], "the newest have the last keys"


@pytest.mark.parametrize(
    "text", ["a" * 300, "a" * 301, FAMILY * 120, FAMILY * 121, FAMILY * 301, "é" * 300, "e\u0301" * 300, "🇩🇪" * 301]
)
async def test_the_server_counts_as_the_check_does(pds: Pds, pool: Pool, tmp_path: Path, text: str) -> None:
    async with world(pool, tmp_path, before(pds)) as here:
        limits = here.adapter.limits.of_text("text")
        record = {"$type": POST, "text": text, "createdAt": "2026-01-01T00:00:00Z"}
        body = {"repo": pds.dids[0], "collection": POST, "record": record}
        headers = {"Authorization": f"Bearer {here.account.token}"}
        answer = pds.http.post("/com.atproto.repo.createRecord", json=body, headers=headers)
        assert answer.is_success == (not list(text_findings(limits, text, ()))), answer.text


async def test_a_storm_leaves_each_post_once(pds: Pds, pool: Pool, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"readback": "1,2,4,8", "request_seconds": 2.0, "lease": 10.0}
    async with world(pool, tmp_path, before(pds, clock=Clock()), policy=PATIENT, **settings) as here:
        await storm(here, KINDS["key of its own"], probability=0.1, times=6)
        await here.fill(16)
        await here.to_the_end()
        assert await tally(here) == all_out(16)


async def test_a_session_is_opened_renewed_and_refused(pds: Pds, pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, before(pds)) as here:
        hosts, handle = here.settings.hosts_of(here.adapter), pds.person().facts["handle"]

        def stranger(token: str = "") -> Any:
            return stranger_session(here.adapter, token, hosts=hosts, transport=here.transport)

        tokens = await here.adapter.sign_in({"handle": f"@{handle}", "password": "not a secret"}, stranger())
        assert (tokens.expires_in, tokens.refresh_expires_in) == (7200.0, 7_776_000.0)
        assert tokens.refresh_token is not None
        newer = await here.adapter.renew(tokens.refresh_token, stranger())
        assert (await here.adapter.profile(stranger(newer.access_token))).username == handle
        for wrong in (f"{newer.access_token}x", "nonsense"):
            with pytest.raises(NotAuthorized):
                await here.adapter.profile(stranger(wrong))
        with pytest.raises(NotAuthorized):
            await here.adapter.renew(newer.access_token, stranger())
        with pytest.raises((NotAuthorized, Rejected)):
            await here.adapter.sign_in({"handle": handle, "password": "wrong"}, stranger())


async def test_what_remains_is_told_by_the_server(pds: Pds, pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, before(pds)) as here:
        headers = {"Authorization": f"Bearer {here.account.token}"}
        answer = pds.http.get("/com.atproto.server.getSession", headers=headers)
        body = {"identifier": pds.dids[0], "password": "not a secret"}
        session = pds.http.post("/com.atproto.server.createSession", json=body)
        (told,) = here.adapter.remaining(session)
        assert (told.category, told.seconds) == ("session", 300)
        assert 0 <= told.calls < 30
        assert told.reset <= 300
        assert answer.is_success
        assert msgspec.json.encode(told)
