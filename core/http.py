"""Outbound HTTP in one place: an httpx transport on aiohttp that never sends a request twice by itself."""

import select
import ssl
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from functools import cache, lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import metadata

import aiohttp
import httpx
import yarl
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from httpx_aiohttp import AiohttpTransport

from core.bodies import Body, Stall, outgoing
from core.errors import Misconfigured
from core.guard import Guard

# Common servers drop idle connections after five seconds at the earliest; letting go sooner means that a
# create hardly ever meets a connection which is being closed under it, and its outcome stays clear.
_IDLE_SECONDS = 4.0
_PIECE = 64 * 1024
_UNTIMED = aiohttp.ClientTimeout(total=None)

# What an exception of aiohttp means, most telling first. The first four say that nothing was sent.
_MEANINGS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (Exception, httpx.ReadError),
)


class BodyTooLarge(httpx.ReadError):
    """An answer's body is larger than the caller will take; `start` holds the bytes read so far."""

    def __init__(self, limit_bytes: int, start: bytes = b"") -> None:
        super().__init__(f"The answer's body is larger than {limit_bytes} bytes.")
        self.start = start


def user_agent() -> str:
    """How we name ourselves to other servers: `fingerpost/<version>`."""
    try:
        return f"fingerpost/{metadata.version('fingerpost')}"
    except metadata.PackageNotFoundError:
        return "fingerpost/0"


def open_transport(
    *,
    guard: Guard | None,
    limit: int = 1024,
    total: float | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> "Transport":
    """A transport with up to `limit` connections; with a `guard` it calls only what the guard lets through.

    `total` bounds a whole exchange in seconds, the reading of the body included: a peer that drips bytes
    cannot outlast it. Environment proxies, netrc, cookies, redirects and retries are off. It belongs to the
    event loop of its first request.

    Errors are httpx's. ConnectError, ConnectTimeout and UnsupportedProtocol mean that not one byte of the
    request left; after any other the peer may have acted on it. RefusedUrl is the guard's no. An error raised
    by a streamed body comes out as it is: raised before the first piece, nothing was sent.
    """
    return Transport(guard=guard, limit=limit, total=total, ssl_context=ssl_context)


def open_client(transport: httpx.AsyncBaseTransport, *, timeout: float | httpx.Timeout = 30.0) -> httpx.AsyncClient:
    """A client on a transport of ours: no redirects, no environment, and no cookie kept from one call to the next."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        # One client serves many accounts: a cookie set for one must not travel with another.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": user_agent(), "Accept-Encoding": "gzip"},
    )


async def read_bounded(response: httpx.Response, limit_bytes: int) -> bytes:
    """The whole body, decompressed; raises BodyTooLarge beyond `limit_bytes`, without having held more."""
    body = bytearray()
    async for piece in iterate_bounded(response, limit_bytes):
        body += piece
    return bytes(body)


async def iterate_bounded(response: httpx.Response, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces, decompressed in bounded steps so that a small answer cannot unfold into a huge one.

    Raises BodyTooLarge beyond `limit_bytes`, httpx.DecodingError for a body that cannot be unpacked.
    """
    kept = bytearray()
    count = 0
    async for piece in _plain(response):
        count += len(piece)
        if len(kept) < _PIECE:
            kept += piece[: _PIECE - len(kept)]
        if count > limit_bytes:
            raise BodyTooLarge(limit_bytes, bytes(kept[:limit_bytes]))
        yield piece


async def _plain(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:
        yield response.content
        return
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        async for piece in response.aiter_raw():
            yield piece
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError(f"The answer is packed as {encoding[:40]!r}, which was not asked for.")
    async for piece in _unpacked(response.aiter_raw()):
        yield piece


async def _unpacked(packed: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    begun = False
    try:
        async for piece in packed:
            begun = True
            while piece and not inflate.eof:
                yield inflate.decompress(piece, _PIECE)
                piece = inflate.unconsumed_tail
            if inflate.eof:
                return
        while begun and (rest := inflate.decompress(b"", _PIECE)):
            yield rest
    except zlib.error as error:
        raise httpx.DecodingError("The answer cannot be unpacked.") from error
    if begun and not inflate.eof:
        raise httpx.DecodingError("The answer ends before its packed body does.")


class _Connector(aiohttp.TCPConnector):
    """Looks at an idle connection before it is used again: one that the peer has closed is not written to."""

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            if not _has_news(connection):
                return connection
            connection.close()
        return None


def _has_news(connection: Connection) -> bool:
    """Whether there is something to read where nothing is due: in practice, the peer's goodbye."""
    socket = connection.transport.get_extra_info("socket") if connection.transport else None
    if socket is None or socket.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Transport(AiohttpTransport):
    """httpx-aiohttp's transport with our own exchange, made by `open_transport`.

    Theirs lets aiohttp spell the URL anew, which breaks signed ones; reports a connection dropped after the
    request as a connect timeout, though the peer may have acted; and has no write timeout.
    """

    def __init__(
        self, *, guard: Guard | None, limit: int, total: float | None, ssl_context: ssl.SSLContext | None
    ) -> None:
        # Empty, as it trusts nobody: the first call over TLS brings the real one.
        super().__init__(verify=ssl_context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
        self._given = ssl_context
        self._guard = guard
        self._limit = limit
        self._total = total
        self._user_agent = user_agent()

    def get_client(self) -> aiohttp.ClientSession:
        """The session, made with the first request."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = _open_session(self._guard, self._limit, self.ssl_context)
        return self.client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request once and answer when the headers have come."""
        url = str(request.url)
        if self._guard is not None:
            self._guard.check(url)
        stall = Stall(request)
        body = outgoing(request, stall)
        try:
            async with stall:
                answer = await self.get_client().request(
                    request.method,
                    _exact_url(url, request),
                    headers=self._headers(request),
                    data=body,
                    allow_redirects=False,
                    timeout=_timeout(request, self._total),
                    server_hostname=request.extensions.get("sni_hostname"),
                    ssl=self._trusted(request.url.scheme == "https"),
                )
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(body, Body) and body.failure is not None:
                raise body.failure from None
            if stall.expired:
                raise httpx.WriteTimeout("The peer stopped taking the request.", request=request) from error
            raise _meaning(error, request) from error
        return _response(answer, request)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """Post bytes that are at hand, once, and answer when the headers have come; the caller bounds the time.

        To make httpx's request and take it apart again costs more than to send it, and a client's cookies, sign-ins and
        redirects cost as much once more. So the response knows no request; all else, errors too, is as by a client.
        """
        spelled = _spelled(url)
        if self._guard is not None:
            self._guard.check(spelled)
        try:
            answer = await self.get_client().request(
                "POST",
                _exact_url(spelled),
                headers={"User-Agent": self._user_agent, **headers},
                data=body,
                allow_redirects=False,
                timeout=_UNTIMED,
                ssl=self._trusted(spelled.startswith("https:")),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise _meaning(error) from error
        return _response(answer)

    def _trusted(self, over_tls: bool) -> ssl.SSLContext | bool:
        """Whom a call may meet; without TLS it is not asked."""
        return (self._given or _certificates()) if over_tls else True

    def _headers(self, request: httpx.Request) -> list[tuple[str, str]]:
        encoding = request.headers.encoding
        headers = [(name.decode(encoding), value.decode(encoding)) for name, value in request.headers.raw]
        return [
            (name, self._user_agent if _is_httpx_default(name, value) else value)
            for name, value in headers
            if name.lower() != "transfer-encoding"  # aiohttp decides on it by the body
        ]


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we trust, as certifi has it: read once, as it takes some 20 ms, and by those who call over TLS alone."""
    return httpx.create_ssl_context(trust_env=False)


def _open_session(guard: Guard | None, limit: int, ssl_context: ssl.SSLContext) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=_Connector(
            limit=limit,
            ssl=ssl_context,
            resolver=guard.resolver() if guard is not None else None,
            keepalive_timeout=_IDLE_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
    # aiohttp sends GET, PUT and DELETE again when a kept connection drops. There is no public switch, so a
    # release without this one must stop us and not pass unseen.
    if not hasattr(session, "_retry_connection"):
        raise Misconfigured("This release of aiohttp cannot be told to send a request only once; use 3.14.")
    session._retry_connection = False
    return session


def _is_httpx_default(name: str, value: str) -> bool:
    return name.lower() == "user-agent" and value.startswith("python-httpx/")


@lru_cache(1024)
def _spelled(url: str) -> str:
    """A URL as httpx would call it: its host in ASCII, and encoded what has to be."""
    return str(httpx.URL(url))


def _exact_url(url: str, request: httpx.Request | None = None) -> yarl.URL:
    try:
        return yarl.URL(url, encoded=True)
    except ValueError as error:
        raise httpx.UnsupportedProtocol(f"The URL cannot be called: {error}", request=request) from error


def _timeout(request: httpx.Request, total: float | None) -> aiohttp.ClientTimeout:
    given = request.extensions.get("timeout", {})
    connect, pool = given.get("connect"), given.get("pool")
    return aiohttp.ClientTimeout(
        total=total,
        # aiohttp's `connect` spans the wait for a free connection, the name's look-up and the connecting.
        connect=None if connect is None or pool is None else connect + pool,
        sock_connect=connect,
        sock_read=given.get("read"),
    )


def _response(answer: aiohttp.ClientResponse, request: httpx.Request | None = None) -> httpx.Response:
    return httpx.Response(
        status_code=answer.status,
        headers=answer.raw_headers,
        stream=_Answer(answer, request),
        request=request,
        extensions={"http_version": b"HTTP/1.1", "reason_phrase": (answer.reason or "").encode()},
    )


def _meaning(error: BaseException, request: httpx.Request | None = None) -> httpx.TransportError:
    found = next(meaning for kind, meaning in _MEANINGS if isinstance(error, kind))
    return found(str(error) or type(error).__name__, request=request)


class _Answer(httpx.AsyncByteStream):
    """The body of an answer as it comes in."""

    def __init__(self, answer: aiohttp.ClientResponse, request: httpx.Request | None) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_chunked(_PIECE):
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise _meaning(error, self._request) from error

    async def aclose(self) -> None:
        """Give a connection back whose answer was read to the end, and drop any other."""
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()
