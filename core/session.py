"""The session: what an adapter is handed to reach its platform with, authorised and fenced."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Protocol, TypeVar

import httpx

from core.answers import by_status, redacted
from core.clock import Deadline
from core.errors import BrokenAdapter, FingerpostError, OutcomeUnknown, PublishError, Unavailable
from core.post import Account, Media

T = TypeVar("T")

REQUEST_SECONDS = 20.0
"""How long one request to a platform may take, unless it is set otherwise."""

PIECE = 64 * 1024
"""Bytes of a request that are handed out at a time, where that is bounded by a lease."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Platform(Protocol):
    """The part of an adapter that a session needs."""

    platform: ClassVar[str]

    def authorize(self, request: httpx.Request, token: str) -> None:
        """Put the token on a request to the platform's API host."""
        ...

    def classify(self, response: httpx.Response) -> PublishError | None:
        """What a refused call means."""
        ...


class Journal(Protocol):
    """Where a session writes down what it is about to do, so that a crash can be told from a success."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Commit that point of no return `name` is about to be passed, and say until when it may be."""
        ...

    async def remember(self, answers: dict[str, Any]) -> None:
        """Commit the answers of steps."""
        ...


class Unarmed:
    """The journal of a session that only reads: it lets nothing be armed."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Refuse: there is no delivery behind this session."""
        raise BrokenAdapter(f"'{name}' wants to write in a session that only reads.")

    async def remember(self, answers: dict[str, Any]) -> None:
        """Keep nothing: there is no later attempt."""


class Session:
    """One adapter's way to its platform, for one account and one attempt.

    `account` has its public facts, `hosts` the platform's base URLs by name, and `key` is the same for every
    attempt at this delivery and for no other: an idempotency key. `http` is an httpx client whose base URL is
    the platform's API host; calls there carry the account's token, calls elsewhere do not. A refused call
    (status 400 and up) raises what the adapter's `classify` makes of it. Anything but a read is only possible
    inside `step` or `once`.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        account: Account,
        token: str,
        hosts: Mapping[str, str],
        key: str,
        transport: httpx.AsyncBaseTransport,
        journal: Journal,
        steps: dict[str, Any],
        read_upload: Callable[[str], Awaitable[bytes]],
        request_seconds: float = REQUEST_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account = account
        self.hosts = hosts
        self.key = key
        self.answer_status: int | None = None
        self.answer_text: str | None = None
        self.clock_ahead = timedelta(0)
        self.armed = False
        self._platform = platform
        self._token = token
        self._api = httpx.URL(hosts["api"])
        self._journal = journal
        self._steps = dict(steps)
        self._now = now
        self._unsaved: dict[str, Any] = {}
        self._read_upload = read_upload
        self._writing = False
        self._deadline: Deadline | None = None
        self.http = httpx.AsyncClient(
            transport=_Fence(self, transport),
            base_url=hosts["api"],
            timeout=request_seconds,
            trust_env=False,
            event_hooks={"request": [self._on_request], "response": [self._on_response]},
        )

    async def step(self, name: str, call: Callable[[], Awaitable[T]], *, safe_to_repeat: bool) -> T:
        """Do a part of the work that makes nothing visible, and remember its answer (JSON) for later attempts.

        `safe_to_repeat` says that doing it twice harms nobody: it is what a crash between the call and its
        record would do. Work that is not safe belongs in `once`.
        """
        if not safe_to_repeat:
            raise BrokenAdapter(f"The step '{name}' is not safe to repeat; what is not belongs in once().")
        if name in self._steps:
            answer: T = self._steps[name]
            return answer
        self._writing = True
        try:
            answer = await call()
        finally:
            self._writing = False
        self._steps[name] = self._unsaved[name] = answer
        await self.save()
        return answer

    async def once(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Pass a point of no return: armed on disk before, never repeated by itself after.

        A later attempt that finds its answer (JSON) remembered gets that instead. Raises `OutcomeUnknown`
        where the platform's answer did not come, or cannot be read.
        """
        if name in self._steps:
            answer: T = self._steps[name]
            return answer
        self._deadline = await self._journal.arm(name, self._unsaved)
        self._unsaved = {}
        self._writing = self.armed = True
        try:
            answer = await call()
        except FingerpostError:
            raise
        except Exception as error:
            raise OutcomeUnknown(
                f"The platform's answer could not be read ({type(error).__name__}).",
                hint="It is looked up on the platform before anything is sent again.",
                http_status=self.answer_status,
            ) from error
        finally:
            self._writing, self._deadline = False, None
        self._steps[name] = self._unsaved[name] = answer
        return answer

    def remembered(self, name: str) -> Any:
        """The answer (JSON) of the step or once called `name`, of this attempt or an earlier one; None without one.

        It is how `find` learns what an attempt whose end nobody saw had begun.
        """
        return self._steps.get(name)

    async def read(self, media: Media) -> bytes:
        """The bytes of an uploaded file of this draft."""
        if media.upload_id is None:
            raise BrokenAdapter("This media is a public URL; the platform fetches it by itself.")
        return await self._read_upload(media.upload_id)

    async def save(self) -> None:
        """Commit the answers that are not yet written down, so that a later attempt goes on behind them."""
        answers, self._unsaved = self._unsaved, {}
        if answers:
            await self._journal.remember(answers)

    async def _on_request(self, request: httpx.Request) -> None:
        if (request.url.scheme, request.url.host, request.url.port) == (
            self._api.scheme,
            self._api.host,
            self._api.port,
        ):
            self._platform.authorize(request, self._token)

    async def _read_whole(self, response: httpx.Response) -> None:
        try:
            await response.aread()
        except httpx.TransportError as error:
            unanswered = Unavailable if self._deadline is None else OutcomeUnknown
            raise unanswered(f"{response.url.host} broke its answer off ({type(error).__name__}).") from error

    async def _on_response(self, response: httpx.Response) -> None:
        await self._read_whole(response)
        self.answer_status = response.status_code
        self.answer_text = redacted(response.text, [self._token])
        self.clock_ahead = _clock_ahead(response, self._now()) or self.clock_ahead
        if response.status_code < 400:
            return
        error = self._platform.classify(response)
        if error is None:
            error = by_status(response)
            if self._deadline is not None and isinstance(error, Unavailable):
                error = OutcomeUnknown(error.message, hint=error.hint, http_status=error.http_status)
        raise error


def _clock_ahead(response: httpx.Response, now: datetime) -> timedelta | None:
    """By how much the platform's clock is ahead of ours, by its `Date` header (RFC 9110 §6.6.1)."""
    try:
        return parsedate_to_datetime(response.headers["date"]) - now
    except (KeyError, ValueError, TypeError):
        return None


class _Fence(httpx.AsyncBaseTransport):
    """Lets writes out only inside a step or a once, and inside a once only while the lease lives."""

    def __init__(self, session: Session, transport: httpx.AsyncBaseTransport) -> None:
        self._session = session
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._session
        if request.method not in _READS and not session._writing:
            raise BrokenAdapter(f"{request.method} {request.url.path} was sent outside step() and once().")
        if session._deadline is None:
            return await self._send(request, Unavailable)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        body = _FencedBody(request.stream, session._deadline)
        fenced = httpx.Request(
            request.method, request.url, headers=request.headers, stream=body, extensions=request.extensions
        )
        return await self._send(fenced, OutcomeUnknown)

    async def _send(
        self, request: httpx.Request, unanswered: type[Unavailable] | type[OutcomeUnknown]
    ) -> httpx.Response:
        try:
            return await self._transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise Unavailable(f"No connection to {request.url.host}.", hint="It is tried again by itself.") from error
        except httpx.TransportError as error:
            raise unanswered(f"{request.url.host} gave no answer ({type(error).__name__}).") from error


class _FencedBody(httpx.AsyncByteStream):
    """A request's body that is only handed out before the deadline: by then the connection stands.

    It goes in pieces that fit into a connection's buffers: of a large one, what a frozen process had not yet handed
    over would go out when it thaws. A request that is not whole makes nothing (RFC 9112 §8).
    """

    def __init__(self, body: httpx.AsyncByteStream, deadline: Deadline) -> None:
        self._body = body
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            # An empty body is one piece as well.
            for start in range(0, max(len(chunk), 1), PIECE):
                if self._deadline.remaining <= 0:
                    raise Unavailable("The lease ended before the request was written; nothing was made.")
                yield chunk[start : start + PIECE]
