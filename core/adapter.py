"""The adapter: what knows one platform, declared once and read by everything else."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin
from urllib.parse import quote

import httpx
import msgspec

from core.abilities import Aftercare, Insights, Places
from core.answers import quota_left
from core.connect import Form, OAuth, Registration, ServerOAuth, Tokens
from core.credentials import TOKEN_IN_PATH
from core.errors import BrokenAdapter, PublishError
from core.limits import Limits, Quota, Remaining, category_of
from core.post import Account, Block, Channel, Draft
from core.refusals import Refusal, refused, told_by
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
    """Who a token belongs to, as the platform tells it.

    `quotas` are those of this very account where the platform tells them; each counts instead of the adapter's of
    its scope and category.
    """

    external_user: str
    username: str
    display_name: str
    avatar_url: str | None = None
    facts: dict[str, Any] = {}
    quotas: tuple[Quota, ...] = ()


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """How a block's `field` (its name on the wire) is filled from the shared part where the block leaves it out.

    `alt_text` is the post's, or that of the first upload: what the field has counts as the `alt_text` of the draft's
    first file, and its bounds hold for what is said of the others, which is cut to them.

    The fills of one field are tried in turn. `part` picks from the source; with `if_it_fits` a text that breaks the
    field's own bounds is passed over instead of reported. With `below` it is put below what the field has, even the
    block's own, unless it stands in it already. `warning` is told when it is used.
    """

    field: str
    source: Literal["title", "text", "link", "alt_text"]
    part: Callable[[str], str] = str
    if_it_fits: bool = False
    below: bool = False
    warning: str = ""


class Adapter(ABC, Generic[B]):
    """One platform.

    Subclass it with the block as its parameter, `class Echo(Adapter[EchoBlock])`, declare the class
    attributes, and write `publish` and `profile`. An adapter never throttles, retries, sleeps, logs, reads
    the environment, keeps state or touches a token: the session does.

    `platform` is the name in `socialAccountTypes`; `label` is how people write it. `limits` are the bounds that no
    field of the block says itself, `fills` what it takes from the shared part of a post. `hosts` names the
    platform's base URLs, the one called `api` being where `session.http` goes; each is a setting
    `FINGERPOST_<PLATFORM>_<NAME>_URL`. `certainty` is how an unclear outcome is settled: `key` (the platform
    drops a repeated idempotency key), `two-phase` (the evidence of a create survives), `read-back` (`find`
    looks it up) or `none` (a person has to look). `key_seconds` is how long the platform remembers a key, where it
    says so: afterwards nothing is sent under it again, but looked up where there is a `find`, else left to a person.
    `ways` are the ways of being connected, where there are several, each with its own certainty; `sign_in` tells which
    it was. `connect` is how an account is connected: the page for it is drawn from that. `one_channel` says that an
    account publishes to one channel, which is chosen once.

    `quotas` are what the platform allows; `tiers` are others by the name of an app's access tier, which a setting
    `FINGERPOST_<PLATFORM>_TIER` chooses. An adapter that has any names the category of each call to the API host in
    `operations`, by method and path: `{"POST /v5/pins": "org_write", "GET /v5/*": "org_read"}`, the first that
    fits counting; `*` is any text, `{token}` the token in a path. A call that none fits is not made.

    `rate_headers` is how the names of the headers begin in which answers tell the calls that are left, such as
    `x-ratelimit` for `X-RateLimit-Remaining` and `X-RateLimit-Reset`; they are about the narrowest quota of the call's
    category. `authorization` is the header that carries the token; where a path holds `{token}`, as in
    `/webhooks/{token}`, it stands there and in no header.

    For the documentation alone: `uses` are the platform's operations that are called, by method and path template, and
    what for, `leaves` those that are not and the fields that are never sent, and why; `stricter` are the bounds and
    rules that are tighter than the platform's own description of its API, and why. A bound is named `field.keyword` as
    in the block's JSON Schema, or `media.kind.bound`, a rule by its code.

    `rehearsal` plays the platform in a dry run: what it answers (JSON) to each call that `publish` and `resume` make,
    by method and path as in `operations`, or by method and address for other hosts than the API's.

    `refusals` is what the platform's refusals mean, for `classify` to look up and the documentation to list;
    `refusal_fields` are the fields of their JSON bodies that have the platform's code and its message.
    `sandbox` names the class of the platform's stand-in as `module:Class`; it is only imported where one is run.

    `places`, `aftercare` and `insights` are what it can do beside publishing: look after channels, change what is live,
    and tell figures.
    """

    platform: ClassVar[str]
    label: ClassVar[str]
    certainty: ClassVar[Certainty]
    hosts: ClassVar[dict[str, str]]
    key_seconds: ClassVar[float | None] = None
    ways: ClassVar[Mapping[str, Certainty]] = {}
    limits: ClassVar[Limits] = Limits()
    quotas: ClassVar[tuple[Quota, ...]] = ()
    tiers: ClassVar[Mapping[str, tuple[Quota, ...]]] = {}
    operations: ClassVar[Mapping[str, str]] = {}
    rate_headers: ClassVar[str] = ""
    authorization: ClassVar[str] = "Bearer {token}"
    uses: ClassVar[Mapping[str, str]] = {}
    leaves: ClassVar[Mapping[str, str]] = {}
    stricter: ClassVar[Mapping[str, str]] = {}
    rehearsal: ClassVar[Mapping[str, Any]] = {}
    fills: ClassVar[tuple[Fill, ...]] = ()
    connect: ClassVar[OAuth | ServerOAuth | Form | None] = None
    one_channel: ClassVar[bool] = False
    refusals: ClassVar[Sequence[Refusal]] = ()
    refusal_fields: ClassVar[tuple[str, str]] = ("code", "message")
    sandbox: ClassVar[str] = ""
    places: ClassVar[Places | None] = None
    aftercare: ClassVar[Aftercare | None] = None
    insights: ClassVar[Insights | None] = None

    block: ClassVar[type[Block]]
    rules: ClassVar[tuple[Rule, ...]]
    _attributes: ClassVar[Mapping[str, str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Adapter:
                cls.block = get_args(base)[0]
                names = cls.block.__struct_encode_fields__
                cls._attributes = dict(zip(names, cls.block.__struct_fields__, strict=True))
        members = [getattr(cls, name, None) for name in dir(cls)]
        rules = [found for member in members if isinstance(found := getattr(member, "__rule__", None), Rule)]
        cls.rules = tuple(sorted(rules, key=lambda rule: rule.id))

    def limits_of(self, account: Account | None) -> Limits:
        """What the platform allows this account, by the facts that its profile told; None is any account."""
        return self.limits

    def certainty_of(self, account: Account) -> Certainty:
        """How an unclear outcome at this account is settled: by its way, unless overridden, or by its facts."""
        return self.ways.get(account.way, self.certainty)

    def text_of(self, draft: Draft[B], field: str) -> str | None:
        """What is sent as the text of a field (its name on the wire), which its limits count.

        What stands in the field itself, unless overridden: where others are sent as a part of it. None where the
        field is no single text.
        """
        value = getattr(draft.block, self.attribute(field), None)
        return value if isinstance(value, str) else None

    @cached_property
    def alt_text_field(self) -> str | None:
        """The field (its name on the wire) that says what the first file shows; None where there is none."""
        return next((fill.field for fill in self.fills if fill.source == "alt_text"), None)

    @classmethod
    def attribute(cls, field: str) -> str:
        """The attribute of the block that has this name on the wire. Raises KeyError."""
        return cls._attributes[field]

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

    @property
    def finds(self) -> bool:
        """Whether it can look up what it has made."""
        return type(self).find is not Adapter.find

    @abstractmethod
    async def profile(self, session: Session) -> Profile:
        """Who the session's token belongs to."""

    async def sign_in(self, fields: Mapping[str, str], session: Session) -> Tokens:
        """What the fields of a `Form` are turned into; where there is but one, it is the token itself.

        The session has no token yet, and writes only in a `step`. Raises `Rejected` where the platform does not
        take them.
        """
        if len(fields) != 1:
            raise BrokenAdapter(f"{self.platform} declares a form of several fields and has no sign_in().")
        (token,) = fields.values()
        return Tokens(access_token=token)

    async def register(self, name: str, redirect_uri: str, session: Session) -> Registration:
        """Register an app called `name` at a server; only adapters that declare `ServerOAuth` have it.

        The session has no token, and writes only in a `step`.
        """
        raise BrokenAdapter(f"{self.platform} declares ServerOAuth and has no register().")

    async def renew(self, refresh_token: str, session: Session) -> Tokens:
        """New tokens for a refresh token, where that is not OAuth's own way; the session has no token.

        Raises `NotAuthorized` only where the platform says that the sign-in is no longer good.
        """
        raise BrokenAdapter(f"{self.platform} gave a refresh token and has no renew().")

    def classify_token(self, response: httpx.Response) -> PublishError | None:
        """What a refusal of the token endpoint means; None leaves it to OAuth's own codes (RFC 6749 §5.2)."""
        return None

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A block as on the wire, that publishes a picture to a channel: for documentation and first steps."""
        return {}

    async def channels(self, session: Session) -> Sequence[Channel]:
        """The places in the account, all pages of them; nothing where the platform has no such places."""
        return ()

    def calls(self, draft: Draft[B]) -> Mapping[str, int]:
        """How many calls of which category publishing the draft takes: they are reserved before it is begun.

        Others, such as the polling of a film, are let go one by one. Unless overridden it is one of each write to the
        API host that `rehearsal` plays.
        """
        return self._rehearsed_calls

    @cached_property
    def _rehearsed_calls(self) -> Mapping[str, int]:
        writes = [call for call in self.rehearsal if " " in call and not call.startswith("GET ")]
        return Counter(category for call in writes if (category := self.operations.get(call)))

    def remaining(self, response: httpx.Response) -> Sequence[Remaining]:
        """What an answer of the platform says of its quotas; unless overridden, in its `rate_headers`."""
        call = response.request
        category = category_of(tuple(self.operations.items()), call.method, call.url.path)
        seconds = min((quota.seconds for quota in self.quotas if quota.category == category), default=None)
        told = quota_left(response, self.rate_headers) if self.rate_headers else None
        if category is None or seconds is None or told is None:
            return ()
        return (Remaining(category=category, seconds=seconds, calls=told[0], reset=told[1]),)

    def authorize(self, request: httpx.Request, token: str) -> None:
        """Put the token on a request to the API host: as `authorization` says, or in the place of `{token}`."""
        raw = request.url.raw_path
        if TOKEN_IN_PATH in raw:
            request.url = request.url.copy_with(raw_path=raw.replace(TOKEN_IN_PATH, quote(token).encode()))
        else:
            request.headers["Authorization"] = self.authorization.format(token=token)

    def classify(self, response: httpx.Response) -> PublishError | None:
        """What a refused call (status 400 and up, body read) means; None leaves it to the status alone.

        Unless overridden it is looked up in `refusals`.
        """
        return refused(self.refusals, response, *told_by(response, *self.refusal_fields))
