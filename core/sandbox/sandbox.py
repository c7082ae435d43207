"""What a platform's sandbox must offer, and what every one of them gets."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from http.client import responses
from typing import Any, ClassVar, TypeVar

import msgspec
from aiohttp import web

from core.sandbox.calls import CallLog
from core.sandbox.faults import FAULTS, Fault
from core.sandbox.listing import Listed, Page, page_of
from core.sandbox.switch import Switch
from core.sandbox.switchboard import Switchboard
from core.sandbox.target import templates_of
from core.sandbox.weather import Weather

T = TypeVar("T", bound=Listed)

Lifespan = Callable[[web.Application], AsyncIterator[None]]
"""Something that is open as long as the sandbox serves: an async generator function that yields once."""


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the platform, made ready to publish.

    `external_user` is the platform's id of the user, `channel_id` that of a place to publish to (a board, a page),
    `facts` what else the platform would tell about the account, `way` among them where it was connected in one of
    several.
    """

    access_token: str
    refresh_token: str | None
    external_user: str
    channel_id: str
    facts: dict[str, Any]


class Sandbox(ABC):
    """A stateful fake of one platform, with a log of its calls, faults to switch on and a weather to change.

    `clock` gives unix seconds, `rng` decides whether a fault of some probability falls, `remember` is how many calls
    the log keeps. One object is one world: it may be served, stopped and served again. The weather reaches a
    platform that dates things by `now`, stores texts as `kept` gives them, and cuts its lists by `page`.

    `live` tells what was published under the name `shelf`, as a list of objects with an `id` each. `way` is how the
    users that it seeds are connected, one of `ways`, where a platform has several. `switches` are the arguments of its
    constructor that `fingerpost sandbox` offers as options.
    """

    platform: ClassVar[str]
    app: ClassVar[tuple[str, str] | None] = None
    """The id and the secret of an app that the platform knows, where accounts are connected by OAuth."""
    shelf: ClassVar[str] = "posts"
    ways: ClassVar[tuple[str, ...]] = ()
    switches: ClassVar[Sequence[Switch]] = ()
    fault_kinds: ClassVar[Mapping[str, type[Fault]]] = FAULTS

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        remember: int = 100_000,
        way: str = "",
    ) -> None:
        self.clock = clock
        self.way = way
        self.rng = rng or random.SystemRandom()
        self.log = CallLog(remember)
        self.weather = Weather()
        self.faults = Switchboard(self.fault_kinds, lambda: templates_of(self.routes()), self.rng)

    @abstractmethod
    def routes(self) -> Sequence[web.RouteDef]:
        """The platform's operations."""

    @abstractmethod
    def live(self) -> object:
        """What is live on the platform now, as an object that JSON can carry."""

    @abstractmethod
    def seed(self) -> Seed:
        """Makes one more user who is ready to publish."""

    def now(self) -> float:
        """The platform's own time in unix seconds, as its answers tell it; the log goes by `clock`."""
        return self.clock() + self.weather.clock_offset

    def kept(self, text: str | None) -> str | None:
        """A text as the platform stores it in this weather."""
        return None if text is None else self.weather.kept(text)

    def page(self, newest_first: Iterable[T], *, size: int, bookmark: str | None = None) -> Page[T]:
        """The page of a list behind `bookmark`, or the first, as the platform shows it in this weather.

        While nothing is made or removed, every thing is on one page. Raises ValueError for a bookmark that no page
        gave.
        """
        weather = self.weather
        latest = self.clock() - weather.list_lag
        shown = (each for each in newest_first if each.created <= latest) if weather.list_lag else newest_first
        return page_of(shown, order=weather.order, size=size, bookmark=bookmark)

    def account_of(self, request: web.Request) -> str | None:
        """The platform's id of the user on whose behalf the call is made, for the log."""
        return None

    async def admit(self, request: web.Request) -> web.Response | None:
        """Called once when a call arrives, before any fault: counts it, and answers where it is one too many."""
        return None

    def headers(self, request: web.Request) -> Mapping[str, str]:
        """Headers that the platform sends with every answer to this request."""
        return {}

    def error_body(self, status: int) -> object:
        """The body of an error of which only the status is known, in the platform's own shape."""
        return {"message": responses.get(status, f"HTTP {status}")}

    def refusal_body(self, code: int | str | None, words: str) -> object:
        """The body of a refusal with the platform's own code and words, in its shape."""
        return {"code": code, "message": words}

    def lifespans(self) -> Sequence[Lifespan]:
        """What must be open while the sandbox serves, such as a client for fetching pictures."""
        return ()
