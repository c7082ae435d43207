"""Outbound HTTP over real sockets: nothing is sent twice, every failure says whether anything left."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import RefusedUrl
from core.guard import Guard
from core.http import BodyTooLarge, Transport, iterate_bounded, open_client, open_transport, read_bounded, user_agent

Handler = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PAUSE = httpx.Timeout(5.0)
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Peer:
    """A server of bare sockets: what it read, head by head, and how often it was connected to."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def read_request(self, reader: asyncio.StreamReader) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
        self.bodies.append(await reader.readexactly(int(length.partition(":")[2])))
        return head

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self.handler(self, reader, writer)
        writer.close()


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[Peer]:
    peer = Peer(handler)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield peer
        server.close()


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def well_behaved(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await peer.read_request(reader)
        writer.write(answer(b"ok"))
        await writer.drain()


@asynccontextmanager
async def calling(guard: Guard | None = None, **options: float) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(open_transport(guard=guard, total=options.get("total")), timeout=PAUSE) as client:
        yield client


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"])
async def test_a_request_on_a_kept_connection_that_drops_is_never_sent_again(method: str) -> None:
    async def drops_the_second(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(b"ok"))
        await peer.read_request(reader)

    async with listening(drops_the_second) as peer, calling() as client:
        await client.get(peer.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.request(method, f"{peer.url}/create", content=b"x" if method != "GET" else None)
        assert peer.connections == 1
        assert [head.partition(" HTTP")[0] for head in peer.heads] == ["GET /", f"{method} /create"]
        await client.get(peer.url)
        assert peer.connections == 2


@pytest.mark.parametrize("body", [b"x" * 1000, b"x" * 3_000_000])
async def test_a_create_whose_connection_resets_after_the_bytes_is_sent_once_and_unclear(body: bytes) -> None:
    async def resets(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with listening(resets) as peer, calling() as client:
        with pytest.raises(httpx.TransportError) as failure:
            await client.post(peer.url, content=body)
        assert not isinstance(failure.value, UNSENT)
        assert peer.bodies == [body]
        assert peer.connections == 1


async def test_an_idle_connection_that_the_peer_has_closed_is_not_written_to() -> None:
    """The peer closes while our loop is busy, so that only a look at the socket itself can tell."""
    closed = threading.Event()
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            received.append(connection.recv(65536))
            connection.sendall(answer(b"ok"))
            connection.close()
            closed.set()

    server = threading.Thread(target=serve)
    server.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with open_client(open_transport(guard=None)) as client:
        assert (await client.post(url, content=b"1")).text == "ok"
        assert closed.wait(5)
        assert (await client.post(url, content=b"2")).text == "ok"
    server.join(5)
    listener.close()
    assert len(received) == 2


def certificate_for(name: str, folder: Path) -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return path


async def test_an_encrypted_connection_is_verified_and_kept(tmp_path: Path) -> None:
    pem = certificate_for("localhost", tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(pem)
    trusting = ssl.create_default_context(cafile=str(pem))
    peer = Peer(well_behaved)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with open_client(open_transport(guard=Guard(["loopback"]), ssl_context=trusting)) as client:
            for _ in range(3):
                assert (await client.post(f"https://localhost:{port}/", content=b"x")).text == "ok"
            assert peer.connections == 1
            with pytest.raises(httpx.ConnectError):
                await client.post(f"https://127.0.0.1:{port}/", content=b"x")
        async with open_transport(guard=None, ssl_context=trusting) as transport:
            await (await transport.post(f"https://localhost:{port}/", headers={}, body=b"x")).aread()
            with pytest.raises(httpx.ConnectError):
                await transport.post(f"https://127.0.0.1:{port}/", headers={}, body=b"x")
        async with open_transport(guard=None) as transport:
            with pytest.raises(httpx.ConnectError):
                await transport.post(f"https://localhost:{port}/", headers={}, body=b"x")
        async with calling() as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"https://localhost:{port}/", content=b"x")
        server.close()
    assert len(peer.heads) == 4


async def test_redirects_are_handed_over_and_not_followed() -> None:
    async def redirects(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(b"", f"Location: {peer.url}/elsewhere", status="302 Found"))

    async with listening(redirects) as peer, calling() as client:
        response = await client.get(peer.url)
        assert response.status_code == 302
        assert response.next_request is not None
        assert len(peer.heads) == 1


async def test_a_request_goes_out_as_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with listening(well_behaved) as peer, calling() as client:
        path = "/a%3Ab%2Fc%40d?sig=%2fx%3D+%2C&y=a%20b"
        await client.post(peer.url + path, content=b"x", headers=[("X-A", "1"), ("X-A", "2")])
        request, *lines = peer.heads[0].strip().split("\r\n")
        headers = [line.lower() for line in lines]
        assert request == f"POST {path} HTTP/1.1"
        assert headers.count(f"user-agent: {user_agent()}") == 1
        assert [line for line in headers if line.startswith("x-a:")] == ["x-a: 1", "x-a: 2"]
        assert not any(line.startswith(("content-type", "cookie", "authorization")) for line in headers)
        assert user_agent().startswith("fingerpost/")


async def test_our_user_agent_stands_in_for_that_of_httpx_and_for_no_other() -> None:
    async with (
        listening(well_behaved) as peer,
        httpx.AsyncClient(transport=open_transport(guard=None)) as client,
    ):
        await client.get(peer.url)
        await client.get(peer.url, headers={"User-Agent": "mine/1"})
        agents = [line for head in peer.heads for line in head.split("\r\n") if line.lower().startswith("user-agent")]
        assert agents == [f"User-Agent: {user_agent()}", "User-Agent: mine/1"]


async def test_a_cookie_set_in_one_call_is_not_sent_with_the_next() -> None:
    async def sets_a_cookie(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read_request(reader)
            writer.write(answer(b"ok", "Set-Cookie: account=one; Path=/"))

    async with listening(sets_a_cookie) as peer, calling() as client:
        for _ in range(2):
            assert (await client.get(peer.url)).headers["set-cookie"].startswith("account=one")
        assert "cookie" not in peer.heads[1].lower()


async def test_a_refused_connection_says_that_nothing_was_sent() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with calling() as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"http://127.0.0.1:{bound.getsockname()[1]}", content=b"x")


async def test_a_name_that_does_not_resolve_says_that_nothing_was_sent() -> None:
    async with calling() as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("http://nowhere.invalid/", content=b"x")


async def test_a_peer_that_never_accepts_is_a_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with calling() as client:
            with pytest.raises(httpx.ConnectTimeout):
                await client.post(f"http://127.0.0.1:{address[1]}", content=b"x", timeout=0.3)
        for filler in fillers:
            filler.close()


async def silent(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await peer.read_request(reader)
    await reader.read()


async def test_a_silent_peer_is_a_read_timeout_and_not_a_connect_timeout() -> None:
    async with listening(silent) as peer, calling() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(peer.url, content=b"x", timeout=0.3)
        assert peer.bodies == [b"x"]


async def test_a_peer_that_takes_no_bytes_is_a_write_timeout() -> None:
    stopped = asyncio.Event()

    async def deaf(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stopped.wait()

    async with listening(deaf) as peer, calling() as client:
        with pytest.raises(httpx.WriteTimeout):
            await client.post(peer.url, content=bytes(64_000_000), timeout=httpx.Timeout(0.3))
        stopped.set()


async def test_a_large_body_that_is_taken_slowly_goes_through() -> None:
    async def slow(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < 12_000_000:
            taken += len(await reader.read(1_000_000))
            await asyncio.sleep(0.01)
        peer.bodies.append(taken.to_bytes(4, "big"))
        writer.write(answer(b"ok"))

    async with listening(slow) as peer, calling() as client:
        assert (await client.post(peer.url, content=bytes(12_000_000), timeout=httpx.Timeout(0.5))).text == "ok"
        assert peer.bodies == [(12_000_000).to_bytes(4, "big")]


async def test_a_body_that_will_not_be_handed_out_sends_nothing() -> None:
    class TooLate(Exception):
        pass

    class Fence(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            if peer.connections:
                raise TooLate
            yield b"never"

    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def notes(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.put_nowait(await reader.read())

    async with listening(notes) as peer, calling() as client:
        with pytest.raises(TooLate):
            await client.send(client.build_request("POST", peer.url, content=Fence(), headers={"Content-Length": "5"}))
        assert await asyncio.wait_for(arrived.get(), 5) == b""


@pytest.mark.parametrize(
    "wire",
    [b"garbage\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 100_000 + b"\r\n\r\n", b""],
)
async def test_an_answer_that_is_not_http_is_a_protocol_error(wire: bytes) -> None:
    async def mumbles(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(wire)

    async with listening(mumbles) as peer, calling() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(peer.url, content=b"x")
        assert len(peer.heads) == 1


async def test_a_body_cut_short_is_an_error_and_not_a_short_body() -> None:
    async def cuts(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(b"0123456789")[:-3])

    async with listening(cuts) as peer, calling() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(peer.url)


async def test_a_dripping_peer_cannot_outlast_the_total() -> None:
    async def drips(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(drips) as peer, calling(total=0.5) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(peer.url)


async def test_as_many_calls_are_in_flight_as_the_limit_allows_and_no_more() -> None:
    flying: set[asyncio.Task[None] | None] = set()
    most = 0
    together = asyncio.Event()

    async def waits_for_company(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        while True:
            await peer.read_request(reader)
            flying.add(asyncio.current_task())
            most = max(most, len(flying))
            if len(flying) == 90:
                together.set()
            await together.wait()
            flying.discard(asyncio.current_task())
            writer.write(answer(b"ok"))

    async with listening(waits_for_company) as peer, open_client(open_transport(guard=None, limit=90)) as client:
        responses = await asyncio.gather(*(client.post(peer.url, content=b"x") for _ in range(200)))
    assert [response.text for response in responses] == ["ok"] * 200
    assert most == 90


def packed(body: bytes, encoding: str) -> bytes:
    return gzip.compress(body, mtime=0) if encoding == "gzip" else zlib.compress(body)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_body_is_read_whole(encoding: str) -> None:
    body = bytes(range(256)) * 2000

    async def packs(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read_request(reader)
            writer.write(answer(packed(body, encoding), f"Content-Encoding: {encoding}"))

    async with listening(packs) as peer, calling() as client:
        async with client.stream("GET", peer.url) as response:
            assert await read_bounded(response, len(body)) == body
        async with client.stream("GET", peer.url) as response:
            with pytest.raises(BodyTooLarge) as failure:
                await read_bounded(response, len(body) - 1)
            assert failure.value.start == body[: 64 * 1024]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_bomb_is_refused_in_small_steps(encoding: str) -> None:
    bomb = packed(bytes(200_000_000), encoding)

    async def bombs(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(bomb, f"Content-Encoding: {encoding}"))

    sizes: list[int] = []

    async def unfold(response: httpx.Response) -> None:
        async for piece in iterate_bounded(response, 1_000_000):
            sizes.append(len(piece))

    async with listening(bombs) as peer, calling() as client, client.stream("GET", peer.url) as response:
        with pytest.raises(BodyTooLarge):
            await unfold(response)
    assert 0 < max(sizes) <= 64 * 1024
    assert sum(sizes) <= 1_000_000


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"not gzip", "gzip"), (gzip.compress(b"x" * 999, mtime=0)[:-9], "gzip"), (b"x", "br"), (b"x", "gzip, gzip")],
)
async def test_a_body_that_cannot_be_unpacked_is_an_error(body: bytes, encoding: str) -> None:
    async def mispacks(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(body, f"Content-Encoding: {encoding}"))

    async with listening(mispacks) as peer, calling() as client, client.stream("GET", peer.url) as response:
        with pytest.raises(httpx.DecodingError):
            await read_bounded(response, 1000)


async def test_an_empty_body_needs_no_unpacking_and_one_already_read_is_bounded_too() -> None:
    async def empty(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(b"", "Content-Encoding: gzip"))

    async with listening(empty) as peer, calling() as client, client.stream("GET", peer.url) as response:
        assert await read_bounded(response, 10) == b""
    read = httpx.Response(200, content=b"0123456789")
    assert await read_bounded(read, 10) == b"0123456789"
    with pytest.raises(BodyTooLarge) as failure:
        await read_bounded(read, 4)
    assert failure.value.start == b"0123"


async def test_a_guarded_transport_checks_every_url_itself() -> None:
    async with listening(well_behaved) as peer:
        async with calling(Guard()) as client:
            for url in (peer.url, "http://169.254.169.254/", "http://0x7f.1/", "http://localhost/", "/relative"):
                with pytest.raises((RefusedUrl, httpx.UnsupportedProtocol)):
                    await client.get(url)
        assert peer.connections == 0
        async with calling(Guard(["loopback"])) as client:
            assert (await client.get(peer.url)).text == "ok"
            assert (await client.get(peer.url.replace("127.0.0.1", "localhost"))).text == "ok"


class Rebinding(AbstractResolver):
    """A name server whose second answer is another address than its first."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked += 1
        return await ThreadedResolver().resolve(self.answers.pop(0), port, socket.AF_INET)

    async def close(self) -> None:
        pass


class Rebound(Guard):
    """The guard, asking the name server of the test."""

    def __init__(self, allow: list[str], lookup: Rebinding) -> None:
        super().__init__(allow)
        self.lookup = lookup

    def resolver(self, lookup: AbstractResolver | None = None) -> AbstractResolver:
        return super().resolver(self.lookup)


async def test_a_name_that_changes_its_answer_is_called_only_where_it_was_checked() -> None:
    async with listening(well_behaved) as peer:
        port = peer.url.rpartition(":")[2]
        allow = [f"rebound.example:{port}"]
        lookup = Rebinding("127.0.0.1", "127.0.0.2")
        async with calling(Rebound(allow, lookup)) as client:
            for _ in range(3):
                assert (await client.get(f"http://rebound.example:{port}/")).text == "ok"
        assert lookup.asked == 1


async def test_a_name_that_turns_to_a_closed_address_is_refused_before_any_connection() -> None:
    async with listening(well_behaved) as peer:
        lookup = Rebinding("127.0.0.1")
        async with calling(Rebound(["10.0.0.0/8"], lookup)) as client:
            with pytest.raises(RefusedUrl):
                await client.get("http://rebound.example:8080/")
        assert (peer.connections, lookup.asked) == (0, 1)


@asynccontextmanager
async def posting(guard: Guard | None = None) -> AsyncIterator[Transport]:
    transport = open_transport(guard=guard)
    yield transport
    await transport.aclose()


async def post(transport: Transport, url: str, **headers: str) -> bytes:
    response = await transport.post(url, headers=headers, body=b'{"a": 1}')
    try:
        return await read_bounded(response, 1000)
    finally:
        await response.aclose()


async def test_what_is_posted_past_a_client_goes_out_as_by_one() -> None:
    async with listening(well_behaved) as peer, posting() as transport, calling() as client:
        url = peer.url + "/a%3Ab%2Fc/ü d?sig=%2fx%3D+%2C"
        headers = {"Content-Type": "application/json", "X-A": "1", "Accept": "*/*", "Accept-Encoding": "identity"}
        await client.post(url, content=b'{"a": 1}', headers=headers)
        assert await post(transport, url, **headers) == b"ok"
        by_client, past_it = ({line.lower() for line in head.split("\r\n")} for head in peer.heads)
        assert past_it == by_client - {"connection: keep-alive"}
        assert peer.bodies == [b'{"a": 1}'] * 2


async def test_what_is_posted_past_a_client_keeps_connections_and_neither_cookies_nor_redirects() -> None:
    async def sends_on(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read_request(reader)
            writer.write(answer(b"", "Location: /elsewhere", "Set-Cookie: a=b; Path=/", status="307 There"))

    async with listening(sends_on) as peer, posting() as transport:
        for _ in range(2):
            response = await transport.post(peer.url, headers={}, body=b"x")
            assert (response.status_code, response.headers["location"]) == (307, "/elsewhere")
            await response.aclose()
        assert (len(peer.heads), peer.connections) == (2, 1)
        assert "cookie" not in peer.heads[1].lower()


async def test_what_is_posted_past_a_client_is_never_sent_again_and_says_whether_it_left() -> None:
    async def drops_the_second(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(b"ok"))
        await peer.read_request(reader)

    async with listening(drops_the_second) as peer, posting() as transport:
        await post(transport, peer.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await post(transport, peer.url)
        assert (len(peer.heads), peer.connections) == (2, 1)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with posting() as transport:
            with pytest.raises(httpx.ConnectError):
                await post(transport, f"http://127.0.0.1:{bound.getsockname()[1]}")


async def test_what_is_posted_past_a_client_passes_the_guard_each_time() -> None:
    async with listening(well_behaved) as peer:
        async with posting(Guard()) as transport:
            for url in (peer.url, "http://169.254.169.254/", "http://0x7f.1/", "http://localhost/", "/relative") * 2:
                with pytest.raises(RefusedUrl):
                    await post(transport, url)
        assert peer.connections == 0
        async with posting(Guard(["loopback"])) as transport:
            assert await post(transport, peer.url.replace("127.0.0.1", "localhost")) == b"ok"


async def test_a_caller_that_waits_no_longer_leaves_no_connection_that_is_half_used() -> None:
    async def is_silent_at_first(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await peer.read_request(reader)
            if peer.connections > 1:
                writer.write(answer(b"ok"))

    async with listening(is_silent_at_first) as peer, posting() as transport:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await post(transport, peer.url)
        assert await post(transport, peer.url) == b"ok"
        assert peer.connections == 2


async def test_a_packed_answer_to_what_was_posted_past_a_client_is_unpacked() -> None:
    async def packs(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.read_request(reader)
        writer.write(answer(gzip.compress(b"hello"), "Content-Encoding: gzip"))

    async with listening(packs) as peer, posting() as transport:
        assert await post(transport, peer.url) == b"hello"
