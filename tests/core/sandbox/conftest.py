"""A platform of notes, small enough to show what every sandbox gets."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.sandbox import RunningSandbox, Sandbox, Seed, json_answer, running


class Notes(Sandbox):
    platform = "NOTES"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes: list[Any] = []
        self.refuse = False
        self.calling: web.Request | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/notes", self._create), web.route("GET", "/notes/{note_id}", self._show)]

    def live(self) -> object:
        return {"notes": self.notes}

    def seed(self) -> Seed:
        return Seed(access_token="ann", refresh_token=None, external_user="ann", channel_id="1", facts={})

    def account_of(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization")

    async def admit(self, request: web.Request) -> web.Response | None:
        return json_answer(429, {"message": "enough"}) if self.refuse else None

    def headers(self, request: web.Request) -> dict[str, str]:
        return {"x-platform": "notes"}

    async def _create(self, request: web.Request) -> web.Response:
        self.calling = request
        await self.gate.wait()
        self.notes.append(await _text(request))
        return json_answer(201, {"id": len(self.notes), "text": "x" * 200})

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(200, {"id": request.match_info["note_id"]})


async def _text(request: web.Request) -> str:
    if not request.content_type.startswith("multipart/"):
        return (await request.read()).decode(errors="replace")
    file = (await request.post())["file"]
    assert isinstance(file, web.FileField)
    return f"{file.filename}: {file.file.read()!r}"


@pytest.fixture
async def notes() -> AsyncIterator[RunningSandbox[Notes]]:
    sandbox = Notes(clock=lambda: 1_760_000_000.5, rng=random.Random(7), remember=50)
    async with running(sandbox) as started:
        yield started


@pytest.fixture
async def http(notes: RunningSandbox[Notes]) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(notes.url) as session:
        yield session


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    """Waits for a condition, at the most ten seconds."""

    async def wait(condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(10):
            while not (found := condition()):  # noqa: ASYNC110 - a condition raises no event
                await asyncio.sleep(0.005)
        return found

    return wait


@pytest.fixture
def fault(http: aiohttp.ClientSession) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Switches a fault on."""

    async def switch_on(name: str, on: str = "POST /notes", **options: Any) -> dict[str, Any]:
        async with http.post("/_sandbox/faults", json={"on": on, "fault": name, **options}) as answer:
            shown: dict[str, Any] = await answer.json()
            assert answer.status == 201, shown
            return shown

    return switch_on


@pytest.fixture
def raw(notes: RunningSandbox[Notes]) -> Callable[[], Awaitable[bytes]]:
    """Creates a note by hand and returns every byte that comes before the connection ends."""

    async def call() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(notes.url.rsplit(":", 1)[1]))
        writer.write(b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        got = b""
        try:
            while piece := await asyncio.wait_for(reader.read(1000), 10):
                got += piece
        except ConnectionResetError:
            got += b"(reset)"
        finally:
            writer.close()
        return got

    return call
