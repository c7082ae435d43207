"""Results, pure: from what a receiver answered, to what becomes of the message."""

import random as _random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx
import msgspec

from core.answers import retry_after
from core.retry import Policy

_DAY = timedelta(days=1)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one try brought: `delivered`, `failed` for good, or `waiting` for the next in `due_in` seconds.

    `disable`: the receiver wants nothing more, so that its endpoint is switched off.
    """

    state: Literal["delivered", "waiting", "failed"]
    due_in: float | None = None
    http_status: int | None = None
    error: str | None = None
    disable: bool = False


def after_answer(status: int, text: str, *, tries: int, asked: float, policy: Policy, random: _random.Random) -> Result:
    """The receiver has answered with `status` and, at its start, `text`; `asked` are the seconds it wants to wait.

    2xx takes the message and 410 says that nobody will ever take one (Standard Webhooks); everything else, a
    redirect too, is tried again.
    """
    if 200 <= status < 300:
        return Result(state="delivered", http_status=status)
    words = f"The endpoint answered {status}{': ' if text else '.'}{text}"
    if status == 410:
        return Result(state="failed", http_status=status, error=words, disable=True)
    return after_failure(words, http_status=status, tries=tries, asked=asked, policy=policy, random=random)


def after_failure(
    words: str,
    *,
    tries: int,
    policy: Policy,
    random: _random.Random,
    http_status: int | None = None,
    asked: float = 0.0,
) -> Result:
    """The try, the `tries`-th, has failed: another one when the policy says, or none."""
    wait = policy.after(tries, random, at_least=asked)
    state: Literal["waiting", "failed"] = "failed" if wait is None else "waiting"
    return Result(state=state, due_in=wait, http_status=http_status, error=words)


def asked_to_wait(response: httpx.Response, at: datetime) -> float:
    """Seconds of `Retry-After` (RFC 9110 §10.2.3) with 429 or 503, as a number or a date, at most a day; else 0."""
    if response.status_code not in (429, 503):
        return 0.0
    return retry_after(response, otherwise=_until(response.headers.get("retry-after", ""), at)).total_seconds()


def _until(text: str, at: datetime) -> timedelta:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta()
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(date - at, timedelta()), _DAY)
