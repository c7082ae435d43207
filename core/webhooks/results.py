"""Results, pure: from what a receiver answered, to what becomes of the message."""

import random as _random
from typing import Literal

import httpx
import msgspec

from core.answers import reset_in
from core.retry import Policy

_DAY_SECONDS = 86_400.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one try brought: `delivered`, `failed` for good, or `waiting` for the next in `due_in` seconds.

    `disable`: the receiver wants nothing more, so that its endpoint is switched off; `pause`: it asked to be sent
    nothing at all for so many seconds. `answer` is the first of what it said, `seconds` how long the try took.
    """

    state: Literal["delivered", "waiting", "failed"]
    due_in: float | None = None
    http_status: int | None = None
    error: str | None = None
    disable: bool = False
    pause: float = 0.0
    answer: str | None = None
    seconds: float = 0.0


def after_answer(status: int, text: str, *, tries: int, asked: float, policy: Policy, random: _random.Random) -> Result:
    """The receiver has answered with `status` and, at its start, `text`; `asked` are the seconds it wants to wait.

    2xx takes the message and 410 says that nobody will ever take one (Standard Webhooks); everything else, a
    redirect too, is tried again.
    """
    if 200 <= status < 300:
        return Result(state="delivered", http_status=status, answer=text)
    words = f"The endpoint answered {status}{': ' if text else '.'}{text}"
    if status == 410:
        return Result(state="failed", http_status=status, error=words, disable=True, answer=text)
    failed = after_failure(words, http_status=status, tries=tries, asked=asked, policy=policy, random=random)
    return msgspec.structs.replace(failed, pause=asked, answer=text)


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


def asked_to_wait(response: httpx.Response) -> float:
    """Seconds of `Retry-After` (RFC 9110 §10.2.3) with 429 or 503, as a number or a date, at most a day; else 0."""
    if response.status_code not in (429, 503):
        return 0.0
    return min(reset_in(response, "retry-after") or 0.0, _DAY_SECONDS)
