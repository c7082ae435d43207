"""A platform's answers: what a refusal means by its HTTP status, and what of it may be kept."""

import re
from collections.abc import Iterable
from datetime import timedelta

import httpx

from core.errors import NotAuthorized, PublishError, RateLimited, Rejected, Unavailable

KEPT_CHARACTERS = 4_000
"""How much of a platform's answer an attempt keeps."""

_SECRET_FIELD = re.compile(
    r'("(?:access_token|refresh_token|client_secret|password|secret|authorization|code)"\s*:\s*)"[^"]*"',
    re.IGNORECASE,
)


def by_status(response: httpx.Response) -> PublishError:
    """What an error answer means where an adapter has no better word: by its status alone (RFC 9110 §15)."""
    status, words = response.status_code, f"The platform answered {response.status_code}."
    if status == 429:
        return RateLimited(words, after=retry_after(response), http_status=status)
    if status == 401:
        return NotAuthorized(words, hint="Connect the account again.", http_status=status)
    if status >= 500 or status == 408:
        return Unavailable(words, hint="It is tried again by itself.", http_status=status)
    return Rejected(words, hint="Change the post as the platform's answer says.", http_status=status)


def retry_after(response: httpx.Response, otherwise: timedelta = timedelta(seconds=60)) -> timedelta:
    """`Retry-After` in seconds (RFC 9110 §10.2.3), at most a day; `otherwise` where it is missing or unreadable."""
    text = response.headers.get("retry-after", "")
    return timedelta(seconds=min(int(text), 86_400)) if re.fullmatch(r"[0-9]{1,9}", text) else otherwise


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` fit to be stored and shown: without the given secrets, without fields that hold some, cut to size."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[redacted]")
    return _SECRET_FIELD.sub(r'\1"[redacted]"', text).replace("\0", "\N{REPLACEMENT CHARACTER}")[:KEPT_CHARACTERS]
