"""The adapter: what knows one platform, declared once and read by everything else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

import httpx
import msgspec

from core.errors import PublishError
from core.limits import Limits, Quota
from core.post import Block, Channel, Draft
from core.rules import Rule
from core.session import Session

B = TypeVar("B", bound=Block)

Certainty = Literal["key", "two-phase", "read-back", "none"]
"""How a platform lets us be sure that a post went out; see `Adapter`."""


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The post is live: the platform's id for it, and where a person sees it.

    `find` answers with `exact` False what is only like the draft, such as a text that the platform cut. It
    counts when nothing else was found to the last.
    """

    external_id: str
    permalink: str | None = None
    exact: bool = True


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The platform is still working: `resume` is called with this `state` (JSON) when `after` has passed."""

    state: dict[str, Any]
    after: timedelta


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token belongs to, as the platform tells it."""

    external_user: str
    username: str
    display_name: str
    avatar_url: str | None = None
    facts: dict[str, Any] = {}


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """How a block's `field` (its name on the wire) is filled from the shared part where the block leaves it out.

    The fills of one field are tried in turn. `part` picks from the source; with `if_it_fits` a text that
    breaks the field's own bounds is passed over instead of reported. `warning` is told when it is used.
    """

    field: str
    source: Literal["title", "text", "link"]
    part: Callable[[str], str] = str
    if_it_fits: bool = False
    warning: str = ""


class Adapter(ABC, Generic[B]):
    """One platform.

    Subclass it with the block as its parameter, `class Echo(Adapter[EchoBlock])`, declare the class
    attributes, and write `publish` and `profile`. An adapter never throttles, retries, sleeps, logs, reads
    the environment, keeps state or touches a token: the session does.

    `platform` is the name in `socialAccountTypes`; `label` is how people write it. `hosts` names the
    platform's base URLs, the one called `api` being where `session.http` goes; each is a setting
    `FINGERPOST_<PLATFORM>_<NAME>_URL`. `certainty` is how an unclear outcome is settled: `key` (the platform
    drops a repeated idempotency key), `two-phase` (the evidence of a create survives), `read-back` (`find`
    looks it up) or `none` (a person has to look).
    """

    platform: ClassVar[str]
    label: ClassVar[str]
    certainty: ClassVar[Certainty]
    hosts: ClassVar[dict[str, str]]
    limits: ClassVar[Limits] = Limits()
    quotas: ClassVar[tuple[Quota, ...]] = ()
    fills: ClassVar[tuple[Fill, ...]] = ()

    block: ClassVar[type[Block]]
    rules: ClassVar[tuple[Rule, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Adapter:
                cls.block = get_args(base)[0]
        members = [getattr(cls, name, None) for name in dir(cls)]
        rules = [found for member in members if isinstance(found := getattr(member, "__rule__", None), Rule)]
        cls.rules = tuple(sorted(rules, key=lambda rule: rule.id))

    @abstractmethod
    async def publish(self, draft: Draft[B], session: Session) -> Published | Pending:
        """Publish a draft that `check` let through. Raises a `PublishError` where the platform says no."""

    async def resume(self, draft: Draft[B], session: Session, state: dict[str, Any]) -> Published | Pending:
        """Go on where `Pending` stopped. Only adapters that answer `Pending` have it."""
        raise NotImplementedError(f"{self.platform} answered Pending and has no resume()")

    async def find(self, draft: Draft[B], session: Session, since: datetime) -> Sequence[Published]:
        """Everything made on the platform since `since` (UTC) that is this draft, the likeliest first.

        Only reads. A listing that could not be read to its end has to raise `Unavailable`: not seen is not
        the same as not there.
        """
        raise NotImplementedError(f"{self.platform} declares {self.certainty} and has no find()")

    @abstractmethod
    async def profile(self, session: Session) -> Profile:
        """Who the session's token belongs to."""

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A block as on the wire, that publishes a picture to a channel: for documentation and first steps."""
        return {}

    async def channels(self, session: Session) -> Sequence[Channel]:
        """The places in the account, all pages of them; nothing where the platform has no such places."""
        return ()

    def authorize(self, request: httpx.Request, token: str) -> None:
        """Put the token on a request to the API host: as a bearer token (RFC 6750), unless overridden."""
        request.headers["Authorization"] = f"Bearer {token}"

    def classify(self, response: httpx.Response) -> PublishError | None:
        """What a refused call (status 400 and up, body read) means; None leaves it to the status alone."""
        return None
