"""The session: what an adapter is handed to reach its platform with, authorised and fenced."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeVar

import httpx

from core.answers import by_status, redacted
from core.clock import Deadline
from core.credentials import authorized
from core.errors import (
    BrokenAdapter,
    FingerpostError,
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    RefusedUrl,
    Rejected,
    Unavailable,
)
from core.fence import FencedBody, HeldBody, with_body
from core.limits import Remaining
from core.platform_client import PlatformClient, url_of
from core.post import Account, Media
from core.streams import MediaFile

T = TypeVar("T")

REQUEST_SECONDS = 20.0
"""How long one request to a platform may take, unless it is set otherwise."""

OpenFile = Callable[[Media], AbstractAsyncContextManager[MediaFile]]
"""Opens a file of a draft, as it is to be sent."""

_PASSED = "fingerpost.passed"
_BARE = "fingerpost.bare"

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

    def remaining(self, response: httpx.Response) -> Sequence[Remaining]:
        """What an answer says of the platform's quotas."""
        ...


class Passed(Protocol):
    """A call that was let go, and has to be told of its end."""

    def ended(self) -> None:
        """Its answer came, or is not waited for any more."""
        ...

    def learn(self, told: Iterable[Remaining]) -> None:
        """Take the platform's word for what remains."""
        ...

    async def refused(self, seconds: float) -> None:
        """The platform wants no such call before so many seconds have passed."""
        ...


class Passage(Protocol):
    """The way through the platform's quotas, for one attempt."""

    async def enter(self, method: str, path: str) -> Passed:
        """Let a call go. Raises `RateLimited` where it has to wait."""
        ...


class Journal(Protocol):
    """Where a session writes down what it is about to do, so that a crash can be told from a success."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Commit that point of no return `name` is about to be passed, and say until when it may be."""
        ...

    async def remember(self, answers: dict[str, Any]) -> None:
        """Commit the answers of steps."""
        ...

    async def hold(self) -> None:
        """Keep the delivery while the bytes of a step flow; told with every piece. Raises where it is lost."""
        ...


class Unarmed:
    """The journal of a session that only reads: it lets nothing be armed."""

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Refuse: there is no delivery behind this session."""
        raise BrokenAdapter(f"'{name}' wants to write in a session that only reads.")

    async def remember(self, answers: dict[str, Any]) -> None:
        """Keep nothing: there is no later attempt."""

    async def hold(self) -> None:
        """There is nothing to keep."""


class Session:
    """One adapter's way to its platform, for one account and one attempt.

    `account` has its public facts, `hosts` the platform's base URLs by name, and `key` is the same for every
    attempt at this delivery and for no other: an idempotency key. `http` is an httpx client whose base URL is
    the platform's API host; calls there carry the account's token, calls elsewhere do not. A refused call
    (status 400 and up) raises what the adapter's `classify` makes of it. Anything but a read is only possible
    inside `step` or `once`.

    `bare` is such a client without a base URL, for addresses that the platform hands out, such as the slot of an
    upload: the token does not go there, and no quota counts it. There the words of `classify` count as well.
    """

    answer_status: int | None = None
    clock_ahead = timedelta(0)
    armed = False

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
        open_file: OpenFile,
        request_seconds: float = REQUEST_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        passage: Passage | None = None,
    ) -> None:
        self.account = account
        self.hosts = hosts
        self.key = key
        self._platform = platform
        self._token = token
        self._api = url_of(hosts["api"])
        self._journal = journal
        self._steps = dict(steps)
        self._now = now
        self._passage = passage
        self._unsaved: dict[str, Any] = {}
        self._open_file = open_file
        self._request_seconds = request_seconds
        self._answer = ""
        self._secrets = dict.fromkeys([token])
        self._writing = False
        self._deadline: Deadline | None = None
        self.http = self._client(transport, self._on_request, hosts["api"])
        self._transport = transport

    @cached_property
    def bare(self) -> httpx.AsyncClient:
        """A client for addresses that the platform hands out; it carries no token."""
        return self._client(self._transport, _on_bare_request)

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

    def short_key(self, characters: int) -> str:
        """The key as hexadecimal digits, so many (up to 64): for platforms that take no longer one."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:characters]

    def now(self) -> datetime:
        """The engine's time, in UTC."""
        return self._now().astimezone(UTC)

    def fixed(self, name: str, value: T) -> T:
        """A value (JSON) that is the same for every attempt: what it was at the first that passed a point of no return.

        It is written down with the arming, and costs nothing.
        """
        if name not in self._steps:
            self._steps[name] = self._unsaved[name] = value
        kept: T = self._steps[name]
        return kept

    def file(self, media: Media) -> AbstractAsyncContextManager[MediaFile]:
        """A file of this draft, however large, to be sent piece by piece: `async with session.file(media) as file`.

        It is as the platform takes it. One that is a public URL is fetched by us, which is for platforms that cannot
        fetch it; it must not be inside `once`. Raises `Rejected` where that cannot be done or does not fit, and
        `Unavailable` where it may be later.
        """
        return self._open_file(media)

    @asynccontextmanager
    async def files(self, media: Iterable[Media]) -> AsyncIterator[list[MediaFile]]:
        """Several files of this draft, open together, for one request that carries them all; see `file`."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.file(each)) for each in media]

    async def read(self, media: Media) -> bytes:
        """The bytes of a file of this draft, all of them at once: for small ones."""
        async with self.file(media) as file:
            return b"".join([piece async for piece in file])

    def conceal(self, *secrets: str) -> None:
        """Never store or show these words, which the platform gave for this attempt alone."""
        self._secrets |= dict.fromkeys(secrets)

    async def save(self) -> None:
        """Commit the answers that are not yet written down, so that a later attempt goes on behind them."""
        if answers := self.unsaved():
            await self._journal.remember(answers)

    def unsaved(self) -> dict[str, Any]:
        """The answers that are not yet written down, for whoever writes them with the outcome."""
        answers, self._unsaved = self._unsaved, {}
        return answers

    def redacted(self, text: str) -> str:
        """`text` as it may be stored and shown: platforms repeat in their answers what they were sent."""
        return redacted(text, self._secrets)

    @property
    def answer_text(self) -> str | None:
        """The platform's last answer, as it may be stored and shown."""
        return None if self.answer_status is None else self.redacted(self._answer)

    def _client(
        self, transport: httpx.AsyncBaseTransport, on_request: Callable[[httpx.Request], Awaitable[None]], url: str = ""
    ) -> httpx.AsyncClient:
        fence = _Fence(self, transport)
        return PlatformClient(
            fence, base_url=url, seconds=self._request_seconds, on_request=on_request, on_response=self._on_response
        )

    async def _on_request(self, request: httpx.Request) -> None:
        if self._token and self._is_api(request.url):  # Without a token an account is only being connected.
            self.conceal(*authorized(self._platform.authorize, request, self._token))

    def _is_api(self, url: httpx.URL) -> bool:
        return _origin(url) == _origin(self._api)

    async def _enter(self, request: httpx.Request) -> Passed | None:
        """Let a call go that the platform counts."""
        if self._passage is None or _BARE in request.extensions or not self._is_api(request.url):
            return None
        return await self._passage.enter(request.method, request.url.path)

    async def _read_whole(self, response: httpx.Response) -> None:
        try:
            await response.aread()
        except httpx.TransportError as error:
            unanswered = Unavailable if self._deadline is None else OutcomeUnknown
            raise unanswered(f"{response.url.host} broke its answer off ({type(error).__name__}).") from error

    async def _on_response(self, response: httpx.Response) -> None:
        await self._read_whole(response)
        self.answer_status = response.status_code
        self._answer = response.text
        if _BARE not in response.request.extensions:
            self.clock_ahead = _clock_ahead(response, self._now()) or self.clock_ahead
        passed: Passed | None = response.request.extensions.get(_PASSED)
        if passed is not None:
            passed.learn(self._platform.remaining(response))
        if response.status_code < 400:
            return
        error = self._platform.classify(response)
        if error is None:
            error = by_status(response)
            if self._deadline is not None and isinstance(error, Unavailable):
                error = OutcomeUnknown(error.message, hint=error.hint, http_status=error.http_status)
        if _BARE in response.request.extensions and isinstance(error, NotAuthorized):
            # No token went there: it says nothing of the account.
            error = Rejected(error.message, http_status=error.http_status)
        if passed is not None and isinstance(error, RateLimited):
            await passed.refused(error.after.total_seconds())
        raise error


async def _on_bare_request(request: httpx.Request) -> None:
    request.extensions[_BARE] = True


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


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
        passed = await session._enter(request)
        request.extensions[_PASSED] = passed
        try:
            return await self._sent(request)
        finally:
            if passed is not None:
                passed.ended()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        session = self._session
        assert isinstance(request.stream, httpx.AsyncByteStream)
        if session._deadline is not None:
            return await self._send(with_body(request, FencedBody(request.stream, session._deadline)), OutcomeUnknown)
        if not isinstance(request.stream, httpx.ByteStream):
            request = with_body(request, HeldBody(request.stream, session._journal.hold))
        return await self._send(request, Unavailable)

    async def _send(
        self, request: httpx.Request, unanswered: type[Unavailable] | type[OutcomeUnknown]
    ) -> httpx.Response:
        try:
            return await self._transport.handle_async_request(request)
        except RefusedUrl as error:
            raise Rejected(error.message, code=error.code, hint="Connect the account by another address.") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise Unavailable(f"No connection to {request.url.host}.", hint="It is tried again by itself.") from error
        except httpx.TransportError as error:
            raise unanswered(f"{request.url.host} gave no answer ({type(error).__name__}).") from error
