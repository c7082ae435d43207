"""A platform's answers: what a refusal means by its HTTP status, and what of it may be kept."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from core.errors import NotAuthorized, PublishError, RateLimited, Rejected, Unavailable

_FIRST_UNIX_TIME = 500_000_000
"""Greater numbers are moments: nobody waits for sixteen years."""

UNREADABLE = (httpx.TransportError, msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError)
"""What an adapter meets where an answer breaks off or is not what the platform's documents say."""

KEPT_CHARACTERS = 4_000
"""How much of a platform's answer an attempt keeps."""

_SECRET_FIELD = re.compile(
    r'("(?:access_token|refresh_token|client_secret|password|secret|authorization|code)"\s*:\s*)"[^"]*"',
    re.IGNORECASE,
)


def by_status(response: httpx.Response, words: str = "", code: str | None = None) -> PublishError:
    """What an error answer means where an adapter has no better word: by its status alone (RFC 9110 §15).

    `words` and `code` are the platform's own, where it gave any.
    """
    status, said = response.status_code, words or f"The platform answered {response.status_code}."
    if status == 429:
        return RateLimited(said, after=retry_after(response), platform_code=code, http_status=status)
    if status == 401:
        return NotAuthorized(said, hint="Connect the account again.", platform_code=code, http_status=status)
    if status >= 500 or status == 408:
        return Unavailable(said, hint="It is tried again by itself.", platform_code=code, http_status=status)
    hint = "Change the post as the platform's answer says."
    return Rejected(said, hint=hint, platform_code=code, http_status=status)


def retry_after(response: httpx.Response, otherwise: timedelta = timedelta(seconds=60)) -> timedelta:
    """`Retry-After` (RFC 9110 §10.2.3), or when the platform's quota opens, from a second to a day.

    `otherwise` is for an answer that says neither.
    """
    found = (reset_in(response, name) for name in ("retry-after", "ratelimit-reset", "x-ratelimit-reset"))
    seconds = next((each for each in found if each is not None), None)
    return otherwise if seconds is None else timedelta(seconds=min(max(seconds, 1.0), 86_400.0))


def reset_in(response: httpx.Response, header: str) -> float | None:
    """In how many seconds the moment comes that a header names; None where it is missing or unreadable.

    It may be a number of seconds, a unix time, an ISO 8601 date or an HTTP date (RFC 9110 §5.6.7): platforms differ.
    Moments are measured by the platform's own clock, its `Date` header, where it has one.
    """
    text = response.headers.get(header, "").strip()
    if (structured := re.match(r"([0-9]{1,10})\s*[,;]", text)) is not None:
        text = structured[1]
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        number = float(text)
        return number if number < _FIRST_UNIX_TIME else seconds_until(datetime.fromtimestamp(number, UTC), response)
    if re.fullmatch(r"[0-9]{10}(\.[0-9]{1,6})?", text):
        return seconds_until(datetime.fromtimestamp(float(text), UTC), response)
    moment = _iso_date(text) or _http_date(text)
    return None if moment is None else seconds_until(moment, response)


def quota_left(response: httpx.Response, prefix: str) -> tuple[int, float] | None:
    """The calls left by `<prefix>-remaining`, and the seconds to more by `<prefix>-reset-after` or `<prefix>-reset`."""
    left, reset = response.headers.get(f"{prefix}-remaining", ""), reset_in(response, f"{prefix}-reset-after")
    reset = reset_in(response, f"{prefix}-reset") if reset is None else reset
    return (int(left), reset) if re.fullmatch(r"[0-9]{1,9}", left) and reset is not None else None


def seconds_until(moment: datetime, response: httpx.Response) -> float:
    """In how many seconds a moment comes, by the platform's own clock where its answer tells it; 0 for what is past."""
    now = _http_date(response.headers.get("date", "")) or datetime.now(UTC)
    return max((moment - now).total_seconds(), 0.0)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _iso_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` fit to be stored and shown: without the given secrets, without fields that hold some, cut to size."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    return _SECRET_FIELD.sub(r'\1"[redacted]"', text).replace("\0", "\N{REPLACEMENT CHARACTER}")[:KEPT_CHARACTERS]
