"""Connecting at a server of one's own choice: an app is registered there once, and no server can answer for another."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec
import psycopg
import pytest

from adapters.mastodon.sandbox import MastodonSandbox
from core.registry import Registry
from core.sandbox import RunningSandbox, running
from server.app import create_app
from server.serve import bound
from tests.server.conftest import COOK, settings_for, settle
from tests.server.conftest import running as serving
from tests.server.portal.conftest import Browser, Door, Page

At = RunningSandbox[MastodonSandbox]


class Fediverse:
    """A server of ours, and two servers of one platform."""

    def __init__(self, door: Door, near: At, far: At) -> None:
        self.door = door
        self.near = near
        self.far = far

    def browser(self) -> Browser:
        return Browser(self.door.url, self.near.url, self.far.url)

    async def link(self, **more: Any) -> str:
        return await self.door.connect(type="MASTODON", **more)

    async def consent(self, browser: Browser, server: str) -> Page:
        """The page of the server that was typed into the form."""
        asked = await browser.go(await self.link())
        assert asked.heading == "Connect Mastodon"
        page = await browser.go(asked.url, asked.fields() | {"server": server})
        assert page.url.startswith(f"{server}/oauth/authorize?"), page
        return page

    async def allowed(self, browser: Browser, page: Page) -> str:
        """The address back to us, that the browser has not visited yet."""
        answer = await browser.http.post(page.url, data=page.fields() | {"decision": "allow"})
        target: str = answer.headers["location"]
        assert target.startswith(f"{self.door.url}/connect/callback/mastodon/"), target
        return target

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.door.database_url, autocommit=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
async def fediverse(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Fediverse]:
    listener = bound("127.0.0.1", 0)
    public = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running(MastodonSandbox(rng=Random(1))) as near, running(MastodonSandbox(rng=Random(2))) as far:
        settings = msgspec.structs.replace(settings_for(database_url, redis_url, tmp_path), public_url=public)
        owner, stranger, _ = await settle(settings, COOK)
        with serving(create_app(settings, Registry.installed()), listener) as url:
            door = Door(url, owner, stranger, near.sandbox, near.url)  # type: ignore[arg-type]  # another will do
            door.database_url, door.settings = database_url, settings
            async with door.api:
                yield Fediverse(door, near, far)


async def test_an_account_is_connected_at_the_server_that_was_typed(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    page = await fediverse.consent(browser, fediverse.near.url)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["scope"] == ["read:accounts read:statuses write:media write:statuses"]
    assert asked["code_challenge_method"] == ["S256"]
    assert "Authorization required by Fingerpost" in page.text
    back = await browser.decide(page)
    (account,) = await fediverse.door.accounts("MASTODON")
    assert back.answer | {"tab": "2"} == {
        "tab": "2", "success": "true", "type": "MASTODON", "socialAccountId": account["id"],
    }  # fmt: skip
    assert account["state"] == "live"
    assert fediverse.rows("select app, server, refresh_token from grants where platform = 'MASTODON'") == [
        ("default", fediverse.near.url, None)
    ]


async def test_a_server_that_the_client_names_is_led_to_at_once(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    page = await browser.go(await fediverse.link(serverUrl=fediverse.far.url))
    assert page.url.startswith(f"{fediverse.far.url}/oauth/authorize?")
    assert (await browser.decide(page)).answer["success"] == "true"
    asked = await browser.go(await fediverse.link(serverUrl="no server at all"))
    assert (asked.status, asked.fields()["server"]) == (400, "no server at all")
    assert "has to be the address of a server" in asked.text


async def test_an_app_is_registered_once_at_each_server_and_its_secret_is_sealed(fediverse: Fediverse) -> None:
    for _ in range(2):
        for at in (fediverse.near, fediverse.far):
            browser = fediverse.browser()
            await browser.decide(await fediverse.consent(browser, at.url))
    assert [at.sandbox.consent.registered for at in (fediverse.near, fediverse.far)] == [1, 1]
    rows = fediverse.rows("select server, client_secret from server_apps")
    assert {server for server, _ in rows} == {fediverse.near.url, fediverse.far.url}
    known = [app for at in (fediverse.near, fediverse.far) for app in at.sandbox.consent.applications.values()]
    assert len({app.redirect_uri for app in known}) == 2
    assert not [secret for _, secret in rows for app in known if app.client_secret.encode() in secret]


async def test_an_app_that_its_server_has_forgotten_is_registered_anew(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    await browser.decide(await fediverse.consent(browser, fediverse.near.url))
    fediverse.near.sandbox.consent.applications.clear()
    again = await browser.decide(await fediverse.consent(browser, fediverse.near.url))
    assert again.answer["success"] == "true"
    assert fediverse.near.sandbox.consent.registered == 2
    assert fediverse.rows("select count(*) from server_apps") == [(1,)]


async def test_one_server_cannot_answer_for_another(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    honest = await fediverse.allowed(browser, await fediverse.consent(browser, fediverse.near.url))
    other = await fediverse.consent(browser, fediverse.far.url)
    # The far server leads the browser to the near one, which answers with the far one's state.
    (state,) = parse_qs(urlsplit(other.url).query)["state"]
    query = dict(parse_qsl(urlsplit(honest).query)) | {"state": state}
    page = await browser.go(f"{honest.partition('?')[0]}?{urlencode(query)}")
    assert page.status == 400
    assert "another server than the one that was asked" in page.text
    assert await fediverse.door.accounts("MASTODON") == []
    assert not [call for call in fediverse.far.sandbox.log.calls() if call.path == "/oauth/token"]


async def test_an_answer_is_good_once_and_in_its_own_browser(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    target = await fediverse.allowed(browser, await fediverse.consent(browser, fediverse.near.url))
    assert (await fediverse.browser().go(target)).status == 403
    assert (await browser.go(target)).answer["success"] == "true"
    assert (await browser.go(target)).status == 410
    assert len(await fediverse.door.accounts("MASTODON")) == 1


async def test_what_was_not_given_or_not_whole_connects_nothing(fediverse: Fediverse) -> None:
    browser = fediverse.browser()
    page = await fediverse.consent(browser, fediverse.near.url)
    denied = await browser.decide(page, "deny")
    assert "You did not give access at Mastodon" in denied.text
    fediverse.near.sandbox.consent.granted = ("read:accounts",)
    partly = await browser.decide(await fediverse.consent(browser, fediverse.near.url))
    assert "write:statuses" in partly.text
    assert await fediverse.door.accounts("MASTODON") == []


@pytest.mark.parametrize("typed", ["", "http://", "https://user:pass@near.example", "https://near.example/path"])
async def test_what_is_no_server_is_asked_for_again(fediverse: Fediverse, typed: str) -> None:
    browser = fediverse.browser()
    asked = await browser.go(await fediverse.link())
    assert "form-action 'self' https: http:" in asked.headers["content-security-policy"]
    again = await browser.go(asked.url, asked.fields() | {"server": typed})
    assert again.status == 400
    assert again.fields()["state"] != asked.fields()["state"]
    assert await fediverse.door.accounts("MASTODON") == []


async def test_a_server_that_speaks_something_else_is_told(fediverse: Fediverse) -> None:
    async with running(MastodonSandbox(rng=Random(3))) as gone:
        url = gone.url
    browser = fediverse.browser()
    asked = await browser.go(await fediverse.link())
    page = await browser.go(asked.url, asked.fields() | {"server": url})
    assert (page.status, page.heading) == (503, "The platform does not answer")
    # Our own server has no such address.
    asked = await browser.go(await fediverse.link())
    page = await browser.go(asked.url, asked.fields() | {"server": fediverse.door.url})
    assert page.status == 400
    assert "did not accept the sign-in" in page.text
