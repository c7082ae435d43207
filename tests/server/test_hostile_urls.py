"""Every URL that a client gives us, over the wire: none of a hundred hostile ones is taken, none is called."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from aiohttp.abc import AbstractResolver

from core.errors import InvalidUpload, RefusedUrl
from core.guard import Guard
from core.http import open_client, open_transport
from core.registry import Registry
from core.uploads.download import download
from server.app import create_app
from tests.conftest import Servers, new_database
from tests.core.test_guard import HOSTILE, Zone
from tests.server.conftest import COOK, House, running, settings_for, settle

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def closed(servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server as `fingerpost serve` runs: nothing private is allowed."""
    with new_database(servers.database_url, template=template) as url:
        settings = settings_for(url, servers.redis_url, tmp_path_factory.mktemp("closed"))
        settings = msgspec.structs.replace(settings, allow_urls="")
        owner, stranger, account = asyncio.run(settle(settings, COOK))
        with running(create_app(settings, Registry.installed())) as address:
            yield House(
                url=address, database_url=url, owner=owner, stranger=stranger, account_id=account, settings=settings
            )


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 60


def test_no_hostile_url_is_taken_for_a_webhook_or_fetched_as_media(closed: House) -> None:
    with closed.client() as client:
        for url in HOSTILE:
            for path, body in (
                ("/api/v1/webhook-endpoint", {"url": url}),
                ("/api/v1/upload/from-url", {"teamId": str(closed.owner.team_id), "url": url}),
            ):
                answer = client.post(path, json=body)
                assert answer.status_code == 400, (path, url, answer.text)
        assert client.get("/api/v1/webhook-endpoint").json()["total"] == 0
    assert closed.count("uploads") == 0


class Rebinding(Guard):
    """A guard whose names are looked up in a zone of the test."""

    def __init__(self, zone: Zone, allow: tuple[str, ...] = ()) -> None:
        super().__init__(allow)
        self._zone = zone

    def resolver(self, lookup: AbstractResolver | None = None) -> AbstractResolver:
        return super().resolver(self._zone)


async def fetched(guard: Guard, url: str, *, limit: int = 100_000, seconds: float = 5.0) -> bytes:
    transport = open_transport(guard=guard)
    try:
        pieces = download(open_client(transport), url, limit=limit, seconds=seconds)
        return b"".join([piece async for piece in pieces])
    finally:
        await transport.aclose()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"])
async def test_a_name_that_turns_out_to_be_private_is_not_called(address: str) -> None:
    zone = Zone([address])
    guard = Rebinding(zone)
    guard.check("http://rebind.example:8080/")
    with pytest.raises(RefusedUrl) as refusal:
        await fetched(guard, "http://rebind.example:8080/")
    assert zone.asked == ["rebind.example"]
    assert address not in str(refusal.value)


async def test_a_name_is_called_at_the_address_that_was_checked_and_not_looked_up_again() -> None:
    async with serving(_said(b"fine")) as port:
        zone = Zone(["127.0.0.1"], ["127.0.0.9"])
        guard = Rebinding(zone, (f"rebind.example:{port}",))
        assert await fetched(guard, f"http://rebind.example:{port}/") == b"fine"
        assert zone.asked == ["rebind.example"]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server that answers as a test says; its port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _said(body: bytes, *headers: str) -> Answer:
    lines = ["HTTP/1.1 200 OK", "connection: close", *headers, "", ""]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return answer


METADATA = [
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
    "http://100.100.100.200/", "http://168.63.129.16/", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/",
    "http://2852039166/", "http://169.254.169.254.nip.localhost/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x",
    "http://user@127.0.0.1/", "//169.254.169.254/", "http://localhost:22/", "http://127.0.0.1:1/",
]  # fmt: skip


@pytest.mark.parametrize("target", METADATA)
async def test_a_redirect_leads_nowhere_that_the_url_itself_would_not(target: str) -> None:
    async def astray(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()

    async with serving(astray) as port:
        guard = Rebinding(Zone(["169.254.169.254"]), (f"127.0.0.1:{port}",))
        with pytest.raises((RefusedUrl, InvalidUpload)) as refusal:
            await fetched(guard, f"http://127.0.0.1:{port}/")
        assert refusal.value.code in ("url_refused", "download_failed")
        assert isinstance(refusal.value, RefusedUrl) or target.startswith(("file", "gopher"))


async def test_a_redirect_without_end_is_given_up() -> None:
    async def around(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with serving(around) as port:
        with pytest.raises(InvalidUpload) as refusal:
            await fetched(Guard(["loopback"]), f"http://127.0.0.1:{port}/")
        assert refusal.value.code == "too_many_redirects"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"])
async def test_a_server_that_drips_is_left(head: bytes) -> None:
    """A slow loris, in the headers and in the body."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as port:
        with pytest.raises(InvalidUpload) as refusal:
            await fetched(Guard(["loopback"]), f"http://127.0.0.1:{port}/", seconds=0.4)
        assert refusal.value.code in ("download_timed_out", "download_failed")


BOMB = bytes(200_000_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_small_answer_that_unfolds_into_a_huge_one_is_refused(encoding: str) -> None:
    packed = gzip.compress(BOMB, 9) if encoding == "gzip" else zlib.compress(BOMB, 9)
    assert len(packed) < 250_000
    async with serving(_said(packed, f"content-encoding: {encoding}", f"content-length: {len(packed)}")) as port:
        with pytest.raises(InvalidUpload) as refusal:
            await fetched(Guard(["loopback"]), f"http://127.0.0.1:{port}/")
        assert refusal.value.code == "file_too_large"


@pytest.mark.parametrize("headers", [["content-length: 99999999999"], ["transfer-encoding: chunked"], []])
async def test_an_answer_that_says_or_is_too_much_is_refused(headers: list[str]) -> None:
    body = (
        b"".join(b"2710\r\n" + bytes(10_000) + b"\r\n" for _ in range(40))
        if "chunked" in str(headers)
        else bytes(400_000)
    )
    async with serving(_said(body, *headers)) as port:
        with pytest.raises(InvalidUpload) as refusal:
            await fetched(Guard(["loopback"]), f"http://127.0.0.1:{port}/")
        assert refusal.value.code == "file_too_large"


async def test_what_is_not_allowed_is_not_even_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"):
            with pytest.raises(RefusedUrl):
                await fetched(Guard([f"127.0.0.1:{port + 1}"]), f"http://{host}:{port}/")
        with pytest.raises(BlockingIOError):
            listener.accept()
    with pytest.raises(RefusedUrl):
        async with httpx.AsyncClient(transport=open_transport(guard=Guard())) as client:
            await client.get("http://127.0.0.1/")
