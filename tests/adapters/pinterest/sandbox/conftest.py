"""A Pinterest sandbox that serves, a user in it, and a server with pictures."""

import base64
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from adapters.pinterest.sandbox import PinterestSandbox
from core.sandbox import RunningSandbox, running


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now


class Account:
    """A user of the sandbox, calling with a token."""

    def __init__(self, http: aiohttp.ClientSession, token: str, board: str, id: str) -> None:
        self._http = http
        self.token = token
        self.board = board
        self.id = id

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, JSON and headers of the answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._http.request(method, path, headers=headers, **options) as answer:
            body = await answer.json() if await answer.read() else None
            return answer.status, body, answer.headers

    async def get(self, path: str, **query: Any) -> Any:
        """The body of an answer that must be a 200."""
        status, body, _ = await self.call("GET", path, params=query)
        assert status == 200, body
        return body

    async def pin(self, **fields: Any) -> tuple[int, Any, Any]:
        """Tries to create a Pin with a good picture, unless `fields` say otherwise; None leaves a field out."""
        data = base64.b64encode(picture()).decode()
        source = {"source_type": "image_base64", "content_type": "image/png", "data": data}
        body = {"board_id": self.board, "media_source": source, **fields}
        sent = {name: value for name, value in body.items() if value is not None}
        return await self.call("POST", "/v5/pins", json=sent)


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "#336699").save(file, kind)
    return file.getvalue()


@pytest.fixture(name="picture")
def picture_maker() -> Callable[..., bytes]:
    return picture


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options() -> dict[str, Any]:
    """What the sandbox is made with; tests put their own in its place."""
    return {}


@pytest.fixture
async def sandbox(clock: Clock, options: dict[str, Any]) -> AsyncIterator[RunningSandbox[PinterestSandbox]]:
    async with running(PinterestSandbox(clock=clock, **options)) as started:
        yield started


@pytest.fixture
async def http(sandbox: RunningSandbox[PinterestSandbox]) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sandbox.url) as session:
        yield session


@pytest.fixture
def account(http: aiohttp.ClientSession, sandbox: RunningSandbox[PinterestSandbox]) -> Callable[[], Account]:
    """Makes a user who is ready to publish."""

    def make() -> Account:
        seed = sandbox.sandbox.seed()
        return Account(http, seed.access_token, seed.channel_id, seed.external_user)

    return make


@pytest.fixture
def ann(account: Callable[[], Account]) -> Account:
    return account()


@pytest.fixture
def with_scopes(
    http: aiohttp.ClientSession, sandbox: RunningSandbox[PinterestSandbox], ann: Account
) -> Callable[..., Account]:
    """Ann with a token of these scopes."""

    def make(*scopes: str, **options: Any) -> Account:
        user = sandbox.sandbox.user(ann.id)
        token = sandbox.sandbox.issue(user, scopes=scopes, **options)
        return Account(http, token.value, ann.board, ann.id)

    return make


@pytest.fixture
async def pictures() -> AsyncIterator[str]:
    """The URL of a server with `/{kind}/{width}/{height}`, `/garbage`, `/missing`, `/huge`, `/moved` and `/shut`."""

    async def draw(request: web.Request) -> web.Response:
        facts = request.match_info
        return web.Response(body=picture(facts["kind"], (int(facts["width"]), int(facts["height"]))))

    async def garbage(_: web.Request) -> web.Response:
        return web.Response(text="<html>Please sign in</html>", content_type="text/html")

    async def cut(_: web.Request) -> web.Response:
        return web.Response(body=picture("JPEG")[:400])

    async def huge(_: web.Request) -> web.Response:
        return web.Response(body=bytes(20 * 2**20 + 1))

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/PNG/300/200")

    app = web.Application()
    app.add_routes(
        [
            web.get("/{kind}/{width}/{height}", draw),
            web.get("/garbage", garbage),
            web.get("/cut", cut),
            web.get("/huge", huge),
            web.get("/moved", moved),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()
