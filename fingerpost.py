"""The public face of Fingerpost: all that the author of an adapter imports."""

import importlib
from typing import TYPE_CHECKING

from core.adapter import Adapter, Certainty, Fill, Pending, Profile, Published
from core.answers import by_status, retry_after
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
from core.limits import Limits, MediaLimits, Quota
from core.post import Account, Block, Channel, Draft, Media, Url
from core.rules import rule
from core.session import Session

if TYPE_CHECKING:
    from core.sandbox import Lifespan, RunningSandbox, Sandbox, Seed, json_answer, route_of, running

__all__ = [
    "Account",
    "Adapter",
    "Block",
    "BrokenAdapter",
    "Certainty",
    "Channel",
    "Draft",
    "Fill",
    "FingerpostError",
    "Lifespan",
    "Limits",
    "Media",
    "MediaLimits",
    "NotAuthorized",
    "OutcomeUnknown",
    "Pending",
    "Profile",
    "PublishError",
    "Published",
    "Quota",
    "RateLimited",
    "Rejected",
    "RunningSandbox",
    "Sandbox",
    "Seed",
    "Session",
    "Unavailable",
    "Url",
    "by_status",
    "hookimpl",
    "json_answer",
    "retry_after",
    "route_of",
    "rule",
    "running",
]

_SANDBOX = frozenset({"Lifespan", "RunningSandbox", "Sandbox", "Seed", "json_answer", "route_of", "running"})


def __getattr__(name: str) -> object:
    """Names of the sandbox are imported when asked for: they bring an HTTP server, which no adapter needs."""
    if name in _SANDBOX:
        return getattr(importlib.import_module("core.sandbox"), name)
    raise AttributeError(f"module 'fingerpost' has no attribute {name!r}")
