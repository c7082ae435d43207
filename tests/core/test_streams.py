"""Bodies that are streamed say what the whole ones would, as often as they are asked, and hold no file whole."""

import asyncio
import base64
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.echo import Echo
from core.clock import Deadline
from core.errors import BrokenAdapter, Rejected, Unavailable
from core.guard import Guard
from core.http import open_transport
from core.ledger.ledger import LeaseLost
from core.outbound import open_platforms
from core.post import Account, Media
from core.session import Session, Unarmed
from core.streams import Body, MediaFile, form_body, json_body
from core.uploads.keys import storage_key
from core.uploads.storage import FolderStorage, Storage
from tests.s3 import S3, s3

__all__ = ["s3"]

MEGABYTE = 1024 * 1024
KEY = storage_key(UUID(int=1), bytes(32), UUID(int=2), "mp4")


def file_of(content: bytes, piece: int = 7, **facts: Any) -> MediaFile:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), piece):
            yield content[start : start + piece]

    return MediaFile(pieces, **{"mime": "video/mp4", "bytes": len(content), "name": 'a"b.mp4', **facts})


async def whole(body: Any) -> bytes:
    return b"".join([piece async for piece in body])


@settings(max_examples=30)
@given(st.binary(max_size=60), st.integers(min_value=1, max_value=9))
async def test_a_document_holds_its_files_in_base64(content: bytes, piece: int) -> None:
    file = file_of(content, piece)
    body = json_body({"title": "ü", "items": [{"data": file}, {"data": file, "n": 1}]})
    for _ in range(2):
        sent = await whole(body)
        assert len(sent) == int(body.headers["Content-Length"])
        data = base64.b64encode(content).decode()
        assert json.loads(sent) == {"title": "ü", "items": [{"data": data}, {"data": data, "n": 1}]}


def test_a_document_without_files_is_a_document() -> None:
    assert json_body({"a": 1}).headers["Content-Length"] == "7"
    with pytest.raises((TypeError, NotImplementedError)):
        json_body({"a": object()})


async def test_a_file_that_has_changed_is_not_sent_as_if_it_had_not() -> None:
    for announced in (9, 11):
        with pytest.raises(Unavailable, match="as long as"):
            await whole(file_of(b"0123456789", bytes=announced))


class Sink:
    """A server that takes forms and bodies of any size, and keeps only what can be said of them."""

    def __init__(self) -> None:
        self.forms: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.heads: list[Any] = []

    async def form(self, request: web.Request) -> web.Response:
        self.heads.append(request.headers)
        fields: dict[str, str] = {}
        file: dict[str, Any] = {}
        part: Any
        async for part in await request.multipart():
            if part.name != "file":
                fields[part.name] = await part.text()
                continue
            size = 0
            while piece := await part.read_chunk(MEGABYTE):
                size += len(piece)
            file |= {"bytes": size, "name": part.filename, "mime": part.headers["Content-Type"], "after": len(fields)}
        self.forms.append((fields, file))
        return web.Response(status=204)

    async def put(self, request: web.Request) -> web.Response:
        size = 0
        async for piece in request.content.iter_chunked(MEGABYTE):
            size += len(piece)
        return web.json_response({"bytes": size, "length": request.content_length, "mime": request.content_type})

    async def refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=401)


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Sink, str]]:
    made = Sink()
    app = web.Application()
    app.add_routes([web.post("/form", made.form), web.put("/put", made.put), web.post("/no", made.refuse)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


class Pad(Unarmed):
    """A journal that counts how often it is told to hold."""

    def __init__(self, *, lost_after: int = 10**9, seconds: float = 60.0) -> None:
        self.holds = 0
        self._lost_after = lost_after
        self._seconds = seconds

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        return Deadline.after(self._seconds)

    async def hold(self) -> None:
        self.holds += 1
        if self.holds > self._lost_after:
            raise LeaseLost("Lost.")


def no_file(media: Media) -> Any:
    raise AssertionError(media)


Opened = Callable[..., Session]


def session(url: str, journal: Pad, transport: httpx.AsyncBaseTransport, **more: Any) -> Session:
    return Session(
        Echo(),
        account=Account(id="a", platform="ECHO", username="u", external_user="u"),
        token="s3cret-token",
        hosts={"api": url},
        key="k",
        transport=transport,
        journal=journal,
        steps={},
        open_file=no_file,
        **more,
    )


@pytest.fixture
async def opened(sink: tuple["Sink", str]) -> AsyncIterator[Opened]:
    """Makes sessions that may call the sink and, as clients may, what is public."""
    transport = open_platforms(Guard(), [sink[1]])

    def make(url: str, journal: Pad, **more: Any) -> Session:
        return session(url, journal, transport, **more)

    yield make
    await transport.aclose()


async def sent(using: Session, url: str, body: Body | MediaFile, method: str = "POST") -> httpx.Response:
    async def send() -> Any:
        response = await using.bare.request(method, url, content=body, headers=body.headers)
        return {"status": response.status_code, "text": response.text}

    answer = await using.step("send", send, safe_to_repeat=True)
    return httpx.Response(answer["status"], text=answer["text"])


async def test_a_form_has_its_fields_in_order_and_the_file_last_and_no_token(
    opened: Opened, sink: tuple[Sink, str]
) -> None:
    at, url = sink
    fields = {"key": "a/b:c", "policy": "e30=", 'odd"name': "two\nlines"}
    body = form_body(fields, file_of(b"x" * 100_000, piece=70_000))
    pad = Pad()
    assert (await sent(opened(url, pad), f"{url}/form", body)).status_code == 204
    ((seen, file),) = at.forms
    assert list(seen.values()) == list(fields.values())
    assert list(seen)[:2] == ["key", "policy"]
    assert (file["bytes"], file["mime"], file["after"]) == (100_000, "video/mp4", 3)
    (head,) = at.heads
    assert "Authorization" not in head
    assert "Transfer-Encoding" not in head
    assert pad.holds >= 2


async def test_a_file_can_be_the_whole_body(opened: Opened, sink: tuple[Sink, str]) -> None:
    _, url = sink
    answer = await sent(opened(url, Pad()), f"{url}/put", file_of(b"y" * 70_000), "PUT")
    assert answer.json() == {"bytes": 70_000, "length": 70_000, "mime": "video/mp4"}


async def test_what_flows_for_longer_than_a_request_may_take_is_not_broken_off(
    opened: Opened, sink: tuple[Sink, str]
) -> None:
    at, url = sink

    async def slow() -> AsyncGenerator[bytes, None]:
        for _ in range(12):
            await asyncio.sleep(0.2)
            yield b"z" * 1000

    body = form_body({}, MediaFile(slow, mime="video/mp4", bytes=12_000, name="a.mp4"))
    assert (await sent(opened(url, Pad(), request_seconds=2.0), f"{url}/form", body)).status_code == 204
    assert at.forms[0][1]["bytes"] == 12_000


async def test_who_has_lost_the_delivery_sends_no_further(opened: Opened, sink: tuple[Sink, str]) -> None:
    at, url = sink
    with pytest.raises(LeaseLost):
        await sent(opened(url, Pad(lost_after=3)), f"{url}/form", form_body({}, file_of(b"z" * 10**6, piece=65_536)))
    assert at.forms == []


async def test_a_streamed_create_is_fenced_by_the_lease(opened: Opened, sink: tuple[Sink, str]) -> None:
    at, url = sink
    using, body = opened(url, Pad(seconds=-1.0)), form_body({}, file_of(b"z"))
    with pytest.raises(Unavailable, match="lease"):
        await using.once("send", lambda: using.http.post("/form", content=body, headers=body.headers))
    with pytest.raises(BrokenAdapter, match="outside"):
        await using.bare.post(f"{url}/form", content=body, headers=body.headers)
    assert at.forms == []


async def test_what_the_platform_hands_out_goes_through_the_guard(opened: Opened, sink: tuple[Sink, str]) -> None:
    _, url = sink
    with pytest.raises(Rejected, match="not public"):
        await sent(opened(url, Pad()), "http://127.0.0.1:8080/form", form_body({}, file_of(b"z")))


async def test_a_slot_that_refuses_says_nothing_of_the_account(opened: Opened, sink: tuple[Sink, str]) -> None:
    _, url = sink
    with pytest.raises(Rejected):
        await sent(opened(url, Pad()), f"{url}/no", form_body({}, file_of(b"z")))


async def test_what_was_concealed_is_never_shown(opened: Opened, sink: tuple[Sink, str]) -> None:
    _, url = sink
    using = opened(url, Pad())
    await sent(using, f"{url}/put", file_of(b"y" * 70_000), "PUT")
    using.conceal("70000")
    assert using.answer_text == '{"bytes": [redacted], "length": [redacted], "mime": "video/mp4"}'


def stored(storage: Storage, size: int) -> MediaFile:
    return MediaFile(lambda: storage.open(KEY), mime="video/mp4", bytes=size, name="a.mp4")


def sparse(root: Path, size: int) -> Storage:
    path = root / KEY
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(size)
    return FolderStorage(root)


@pytest.mark.parametrize("way", ["folder", "s3"])
async def test_a_large_file_is_never_held_whole(
    opened: Opened, sink: tuple[Sink, str], tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    at, url = sink
    size = (40 if way == "folder" else 28) * MEGABYTE
    storage = sparse(tmp_path, size)
    if way == "s3":
        there: S3 = request.getfixturevalue("s3")
        storage = there.storage(tmp_path)
        await storage.keep(tmp_path / KEY, KEY)
    using, file = opened(url, Pad()), stored(storage, size)
    tracemalloc.start()
    try:
        await sent(using, f"{url}/form", form_body({"key": "k"}, file))
        await using.step("again", lambda: _bytes_of(using, url, json_body({"data": file})), safe_to_repeat=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert at.forms[0][1]["bytes"] == size
    assert peak < 20 * MEGABYTE, "both ends of the connection are in this process"


async def _bytes_of(using: Session, url: str, body: Body) -> int:
    answer = (await using.bare.put(f"{url}/put", content=body, headers=body.headers)).json()
    assert answer["bytes"] == answer["length"]
    return int(answer["bytes"])


@pytest.mark.big
@pytest.mark.parametrize("size", [400 * MEGABYTE, 2_000_000_000])
def test_a_film_of_any_size_goes_out_in_little_memory(tmp_path: Path, size: int) -> None:
    """In a process of its own, whose largest memory ever is read at the end."""
    sparse(tmp_path, size)
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.test_streams", str(tmp_path), str(size)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stderr
    facts = msgspec.json.decode(done.stdout)
    assert facts["bytes"] == size
    assert facts["grown"] < 80 * MEGABYTE, facts


async def _measure(root: Path, size: int) -> dict[str, int]:
    made = Sink()
    app = web.Application()
    app.add_routes([web.post("/form", made.form)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    transport = open_transport(guard=None)
    using = session(url, Pad(), transport)
    await sent(using, f"{url}/form", form_body({}, file_of(b"warm")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    using = session(url, Pad(), transport)
    await sent(using, f"{url}/form", form_body({}, stored(FolderStorage(root), size)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await transport.aclose()
    await runner.cleanup()
    unit = 1 if sys.platform == "darwin" else 1024
    return {"bytes": made.forms[1][1]["bytes"], "grown": grown * unit}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measure(Path(sys.argv[1]), int(sys.argv[2])))))
