"""The public face of Fingerpost: all that the author of an adapter imports."""

import importlib
from typing import TYPE_CHECKING

from core.abilities import Aftercare, ChannelFields, Figures, Insights, Live, Places, Section, Watched
from core.adapter import Adapter, Certainty, Fill, Pending, Profile, Published
from core.answers import by_status, quota_left, reset_in, retry_after
from core.connect import Field, Form, OAuth, Registration, ServerOAuth, Tokens, jwt_seconds
from core.counting import Counter
from core.errors import (
    BrokenAdapter,
    FingerpostError,
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Rejected,
    Unavailable,
)
from core.hook import hookimpl
from core.limits import FileLimits, Limits, MediaLimits, Quota, Remaining, TextLimit
from core.patterns import Digits, free_of
from core.post import Account, Block, Channel, Draft, Media, Privacy, Url
from core.refusals import Refusal, refused, told_by
from core.rules import gives_one_of, names_channel, only_by, rule
from core.session import Session
from core.streams import Body, MediaFile, form_body, json_body

if TYPE_CHECKING:
    from core.conformance import AdapterConformance
    from core.sandbox import (
        Exchange,
        Fault,
        Lifespan,
        RunningSandbox,
        Sandbox,
        Seed,
        Switch,
        json_answer,
        route_of,
        running,
    )

__all__ = [
    "Account",
    "Adapter",
    "AdapterConformance",
    "Aftercare",
    "Block",
    "Body",
    "BrokenAdapter",
    "Certainty",
    "Channel",
    "ChannelFields",
    "Counter",
    "Digits",
    "Draft",
    "Exchange",
    "Fault",
    "Field",
    "Figures",
    "FileLimits",
    "Fill",
    "FingerpostError",
    "Form",
    "Insights",
    "Lifespan",
    "Limits",
    "Live",
    "Media",
    "MediaFile",
    "MediaLimits",
    "NotAuthorized",
    "OAuth",
    "OutcomeUnknown",
    "Pending",
    "Places",
    "Privacy",
    "Profile",
    "PublishError",
    "Published",
    "Quota",
    "RateLimited",
    "Refusal",
    "Registration",
    "Rejected",
    "Remaining",
    "RunningSandbox",
    "Sandbox",
    "Section",
    "Seed",
    "ServerOAuth",
    "Session",
    "Switch",
    "TextLimit",
    "Tokens",
    "Unavailable",
    "Url",
    "Watched",
    "by_status",
    "form_body",
    "free_of",
    "gives_one_of",
    "hookimpl",
    "json_answer",
    "json_body",
    "jwt_seconds",
    "names_channel",
    "only_by",
    "quota_left",
    "refused",
    "reset_in",
    "retry_after",
    "route_of",
    "rule",
    "running",
    "told_by",
]

_SANDBOX = frozenset(
    {
        "Exchange",
        "Fault",
        "Lifespan",
        "RunningSandbox",
        "Sandbox",
        "Seed",
        "Switch",
        "json_answer",
        "route_of",
        "running",
    }
)
_LATE = {"AdapterConformance": "core.conformance"} | dict.fromkeys(_SANDBOX, "core.sandbox")


def __getattr__(name: str) -> object:
    """Names for tests are imported when asked for: they bring an HTTP server, which no adapter needs."""
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module 'fingerpost' has no attribute {name!r}")
