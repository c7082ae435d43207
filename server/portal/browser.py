"""What a browser brings along and is given: cookies of ours, and headers that let a page do nothing but be read."""

import re
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie

from server.html import Html

BROWSER = "fingerpost_browser"
"""The cookie that tells one browser from another: sign-ins are finished where they were begun."""

LINK = "fingerpost_link"
"""The cookie that keeps the link from which a sign-in was begun, so that there is a way back to its page."""

COOKIE_SECONDS = 7200

SELF = "'self'"

_SECRET = re.compile(r"[A-Za-z0-9_-]{40,64}")


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A browser: the secret that tells it from others, and the link that it came by, where it has one."""

    secret: str
    link: str

    @classmethod
    def of(cls, request: Request[Any, Any, Any]) -> "Visitor":
        """Who sent a request; a browser that has no secret yet gets a new one."""
        given, link = request.cookies.get(BROWSER, ""), request.cookies.get(LINK, "")
        known = _SECRET.fullmatch(given) is not None
        return cls(
            secret=given if known else secrets.token_urlsafe(32),
            link=link if _SECRET.fullmatch(link) else "",
        )

    def cookies(self, public: str, link: str) -> list[Cookie]:
        """The cookies that a sign-in begins with. `Lax` lets the platform's redirect bring them back."""
        parts = urlsplit(public)
        kept: dict[str, Any] = {
            "path": f"{parts.path}/connect",
            "httponly": True,
            "samesite": "lax",
            "secure": parts.scheme == "https",
            "max_age": COOKIE_SECONDS,
        }
        return [Cookie(key=BROWSER, value=self.secret, **kept), Cookie(key=LINK, value=link, **kept)]


def shown(page: Html, *, status: int = 200, targets: Iterable[str] = (), anywhere: bool = False) -> Response[bytes]:
    """A page. Its forms lead to us, and on to `targets`: browsers look at the redirects that follow, too.

    With `anywhere` they may lead on to any server: to one that is only named in the form.
    """
    origins = sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, targets) if parts.netloc})
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join((SELF, *(('https:', 'http:') if anywhere else origins)))}"
    )
    return Response(
        page.encode(),
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers={"content-security-policy": policy, **GUARDED},
    )


def led(url: str) -> Response[None]:
    """On to another address, by GET whatever came before (RFC 9110 §15.4.4)."""
    return Response(None, status_code=303, headers={"location": url, **GUARDED})


GUARDED = {
    # The address of a page is a secret: it goes to nobody, and stays in no cache.
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
}
"""Headers of every answer to a browser."""
