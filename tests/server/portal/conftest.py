"""A server that browsers reach, a sandbox of a platform with a consent page, and a browser without a screen."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import msgspec
import pytest

from adapters.echo.sandbox import EchoSandbox
from adapters.pinterest.sandbox import PinterestSandbox
from core.registry import Registry
from core.sandbox import RunningSandbox, running
from server.app import create_app
from server.serve import bound
from tests.server.conftest import COOK, Tenant, settings_for, settle
from tests.server.conftest import running as serving

APP = {"FINGERPOST_PINTEREST_CLIENT_ID": "1500000", "FINGERPOST_PINTEREST_CLIENT_SECRET": "the-secret-of-the-sandbox"}
CLIENT = "https://app.example/done?tab=2"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser got to see: status, address, text; and `left` where it was led to another site."""

    status: int
    url: str
    text: str = ""
    headers: dict[str, str] = {}
    left: str = ""

    @property
    def answer(self) -> dict[str, str]:
        """The query with which it was led away."""
        return dict(parse_qsl(urlsplit(self.left).query))

    @property
    def heading(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text)
        return html.unescape(found[1]) if found else ""

    def link(self, words: str) -> str:
        """Where the link with these words leads."""
        for href, inner in re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', self.text, re.DOTALL):
            if words in html.unescape(re.sub(r"<[^>]*>", "", inner)):
                return html.unescape(href)
        raise AssertionError(f"no link {words!r} in {self.text}")

    def fields(self) -> dict[str, str]:
        """The fields of its form, and what stands in them."""
        found = {}
        for tag in re.findall(r"<input [^>]*>", self.text):
            attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            found[attributes.get("name", "")] = html.unescape(attributes.get("value", ""))
        return found


class Browser:
    """Keeps cookies, follows redirects between our server and the sandbox, and tells where it was led to else."""

    def __init__(self, *homes: str) -> None:
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._homes = homes

    async def go(self, url: str, form: dict[str, str] | None = None) -> Page:
        method = "GET" if form is None else "POST"
        answer = await self.http.request(method, url, data=form)
        for _ in range(10):
            if answer.status_code not in (302, 303):
                break
            target = urljoin(url, answer.headers["location"])
            if not target.startswith(self._homes):
                return Page(status=answer.status_code, url=url, left=target, headers=dict(answer.headers))
            url = target
            answer = await self.http.get(url)
        return Page(status=answer.status_code, url=url, text=answer.text, headers=dict(answer.headers))

    async def decide(self, page: Page, decision: str = "allow", user: str = "new") -> Page:
        """Press a button of the platform's consent page."""
        return await self.go(page.url, page.fields() | {"decision": decision, "user": user})


class Door:
    """The server, the sandboxes, and whose key it is."""

    def __init__(self, url: str, owner: Tenant, stranger: Tenant, sandbox: PinterestSandbox, sandbox_url: str) -> None:
        self.url = url
        self.owner = owner
        self.stranger = stranger
        self.sandbox = sandbox
        self.sandbox_url = sandbox_url
        self.database_url = ""
        self.settings: Any = None
        self.api = httpx.AsyncClient(
            base_url=f"{url}/api/v1", headers={"x-api-key": owner.secret}, trust_env=False, timeout=30
        )

    def browser(self) -> Browser:
        return Browser(self.url, self.sandbox_url)

    async def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        return await self.api.request(method, path, json=body)

    async def connect(self, **changes: Any) -> str:
        """A link to one platform."""
        body = {"type": "PINTEREST", "teamId": str(self.owner.team_id), "redirectUrl": CLIENT} | changes
        answer = await self.call("POST", "/social-account/connect", **body)
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["url"]
        return url

    async def portal(self, **changes: Any) -> str:
        """A link to the page with several."""
        body = {"teamId": str(self.owner.team_id), "socialAccountTypes": ["PINTEREST", "ECHO"], "redirectUrl": CLIENT}
        answer = await self.call("POST", "/social-account/create-portal-link", **(body | changes))
        assert answer.status_code == 200, answer.text
        url: str = answer.json()["url"]
        return url

    async def accounts(self, type: str | None = "PINTEREST") -> list[dict[str, Any]]:
        params = {"teamId": str(self.owner.team_id)} | ({"type": type} if type else {})
        answer = await self.api.get("/social-account/", params=params)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def connected(self) -> dict[str, Any]:
        """An account that was connected through the door."""
        browser = self.browser()
        page = await browser.decide(await browser.go(await self.connect()))
        assert page.answer["success"] == "true", page
        (account,) = [a for a in await self.accounts() if a["id"] == page.answer["socialAccountId"]]
        return account


@pytest.fixture
def options() -> dict[str, Any]:
    """What the sandbox is made with."""
    return {}


@pytest.fixture
def apps() -> dict[str, str]:
    """The app credentials of the server."""
    return APP


@pytest.fixture
async def echo() -> AsyncIterator[RunningSandbox[EchoSandbox]]:
    async with running(EchoSandbox()) as started:
        yield started


@pytest.fixture
async def door(
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    options: dict[str, Any],
    apps: dict[str, str],
    echo: RunningSandbox[EchoSandbox],
) -> AsyncIterator[Door]:
    """See `Door`; the owner's team has an account already, which belongs to nobody on the sandbox."""
    listener = bound("127.0.0.1", 0)
    public = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with running(
        PinterestSandbox(rng=Random(1), redirects=[f"{public}/connect/callback/pinterest"], **options)
    ) as at:
        settings = msgspec.structs.replace(
            settings_for(database_url, redis_url, tmp_path),
            public_url=public + "/",
            apps=apps,
            hosts={
                "FINGERPOST_PINTEREST_API_URL": at.url,
                "FINGERPOST_PINTEREST_WEB_URL": at.url,
                "FINGERPOST_ECHO_API_URL": echo.url,
            },
        )
        owner, stranger, _ = await settle(settings, COOK)
        with serving(create_app(settings, Registry.installed()), listener) as url:
            made = Door(url, owner, stranger, at.sandbox, at.url)
            made.database_url, made.settings = database_url, settings
            async with made.api:
                yield made
