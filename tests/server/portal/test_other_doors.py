"""Platforms that were not in mind: OAuth with a proof key, and an app password that opens a session."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from uuid import UUID

import httpx
import msgspec
import psycopg
import pytest

from core.accounts.accounts import Accounts
from core.accounts.apps import Apps
from core.database.notices import Notices
from core.database.pool import open_pool
from core.http import open_transport
from core.registry import Registry
from core.sandbox import running
from core.vault import Vault
from server.app import create_app
from server.serve import bound
from tests.platforms import doors
from tests.platforms.doors import Doorkeeper
from tests.server.conftest import COOK, settings_for, settle
from tests.server.conftest import running as serving
from tests.server.portal.conftest import Browser, Door
from workers.tokens import Refresher


@pytest.fixture
def registry() -> Registry:
    return Registry({"doors": doors})


@pytest.fixture
async def keeper(
    database_url: str, redis_url: str, tmp_path: Path, registry: Registry
) -> AsyncIterator[tuple[Door, Doorkeeper]]:
    listener = bound("127.0.0.1", 0)
    public = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running(Doorkeeper()) as at:
        settings = msgspec.structs.replace(
            settings_for(database_url, redis_url, tmp_path),
            public_url=public,
            apps={"FINGERPOST_PROOF_CLIENT_ID": "me", "FINGERPOST_PROOF_CLIENT_SECRET": "hush"},
            hosts={"FINGERPOST_PROOF_API_URL": at.url, "FINGERPOST_PASSWORD_API_URL": at.url},
        )
        owner, stranger, _ = await settle(settings, COOK)
        with serving(create_app(settings, registry), listener) as url:
            made = Door(url, owner, stranger, at.sandbox, at.url)  # type: ignore[arg-type]  # another sandbox will do
            made.database_url, made.settings = database_url, settings
            async with made.api:
                yield made, at.sandbox


def test_they_load_like_a_strangers(registry: Registry) -> None:
    assert registry.broken == {}


async def test_the_proof_key_binds_the_code_to_whoever_began(keeper: tuple[Door, Doorkeeper]) -> None:
    door, platform = keeper
    browser = door.browser()
    page = await browser.go(await door.connect(type="PROOF"))
    assert page.answer["success"] == "true", page
    (asked,) = platform.asked
    assert len(asked["code_challenge"]) == 43
    assert asked["prompt"] == "consent"
    assert asked["kind"] == "page"
    assert asked["scope"] == "write read"
    # A code that was made for another challenge is of no use, even with our state.
    platform.codes["stolen"] = "somebody-elses-challenge"
    link = await door.connect(type="PROOF")
    answer = await browser.http.get(link)
    target = (await browser.http.get(answer.headers["location"])).headers["location"]
    code = dict(httpx.URL(target).params)["code"]
    refused = await browser.go(target.replace(code, "stolen"))
    assert (refused.status, refused.heading) == (502, "The platform said no")
    with psycopg.connect(door.database_url) as connection:
        for (verifier,) in connection.execute("select verifier from sign_ins").fetchall():
            assert verifier.startswith(b"fp\x01")


async def connected(door: Door, browser: Browser) -> str:
    page = await browser.go(await door.portal(socialAccountTypes=["PASSWORD"]))
    page = await browser.go(page.link("Password"))
    assert page.fields().keys() == {"state", "handle", "secret", "server"}
    assert "Make an app password" in page.text
    assert 'type="password"' in page.text
    assert "(optional)" in page.text
    wrong = await browser.go(page.url, page.fields() | {"handle": "ann", "secret": "guess"})
    assert wrong.status == 400
    assert "guess" not in wrong.text
    assert wrong.fields()["handle"] == "ann"
    assert wrong.fields()["secret"] == ""
    done = await browser.go(wrong.url, wrong.fields() | {"handle": "ann", "secret": "open sesame"})
    assert "ann is connected." in done.text
    (account,) = await door.accounts("PASSWORD")
    id: str = account["id"]
    return id


async def test_an_app_password_becomes_a_session_that_is_renewed(
    keeper: tuple[Door, Doorkeeper], registry: Registry
) -> None:
    door, platform = keeper
    id = await connected(door, door.browser())
    with psycopg.connect(door.database_url, autocommit=True) as connection:
        connection.execute("update grants set refresh_due_at = now() where platform = 'PASSWORD'")
    vault = Vault.parse(door.settings.master_keys)
    async with open_pool(door.database_url, size=2, name="tests") as pool:
        accounts, notices, transport = Accounts(pool, vault, Random(1)), Notices(pool), open_transport(guard=None)
        refresher = Refresher(
            grants=accounts.grants, apps=Apps(pool, vault, door.settings), registry=registry, settings=door.settings,
            transport=transport, notices=notices,
        )  # fmt: skip
        await refresher.drain()
        token = (await accounts.credentials(door.owner.organization_id, UUID(id))).token
        assert platform.access[token] == "ann"
        assert len(platform.refresh) == 1, "the old one was used up"
        platform.refresh.clear()
        with psycopg.connect(door.database_url, autocommit=True) as connection:
            connection.execute("update grants set refresh_due_at = now() where platform = 'PASSWORD'")
        await refresher.drain()
        await notices.aclose()
        await transport.aclose()
    (account,) = await door.accounts("PASSWORD")
    assert account["state"] == "needs_reauth"


async def test_a_channel_is_chosen_where_an_account_has_one(keeper: tuple[Door, Doorkeeper]) -> None:
    door, _ = keeper
    id = await connected(door, door.browser())
    where = {"teamId": str(door.owner.team_id), "type": "PASSWORD", "socialAccountId": id}
    chosen = await door.call("POST", "/social-account/set-channel", **where, channelId="2")
    assert chosen.json()["channelId"] == "2"
    assert (await door.call("POST", "/social-account/set-channel", **where, channelId="3")).status_code == 404
    assert (await door.call("POST", "/social-account/unset-channel", **where)).json()["channelId"] is None


async def test_an_account_may_be_on_a_server_of_its_own(keeper: tuple[Door, Doorkeeper]) -> None:
    door, platform = keeper
    browser = door.browser()
    page = await browser.go(await door.connect(type="PASSWORD", serverUrl=door.sandbox_url))
    assert page.fields()["server"] == door.sandbox_url
    filled = {"handle": "ann", "secret": "open sesame", "server": door.sandbox_url}
    for wrong in ("https://a.example/path", "ftp://a.example", "https://ann:pw@a.example", "https://a.example:0"):
        page = await browser.go(page.url, page.fields() | filled | {"server": wrong})
        assert page.status == 400
        assert "has to be the address of a server" in page.text
    # Nobody gets us to call an address that the operator has not opened.
    page = await browser.go(page.url, page.fields() | filled | {"server": "http://169.254.169.254"})
    assert (page.status, "is not public" in page.text) == (400, True)
    done = await browser.go(page.url, page.fields() | filled)
    assert done.answer["success"] == "true"
    assert list(platform.access.values()) == ["ann"]
    with psycopg.connect(door.database_url) as connection:
        (row,) = connection.execute("select hosts from grants where platform = 'PASSWORD'").fetchall()
    assert row == ({"api": door.sandbox_url},)
