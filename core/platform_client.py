"""The client of platforms: httpx's, without what their APIs have no use for, and without reading one address anew."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import httpx


@lru_cache(1024)
def url_of(text: str) -> httpx.URL:
    """The URL that is spelled so; of hosts there are few."""
    return httpx.URL(text)


class PlatformClient(httpx.AsyncClient):
    """A client for one session, which keeps no cookies: nothing of one delivery may colour the next.

    `on_request` and `on_response` are called before and after each call.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        base_url: str,
        seconds: float,
        on_request: Callable[[httpx.Request], Awaitable[None]],
        on_response: Callable[[httpx.Response], Awaitable[None]],
    ) -> None:
        super().__init__(
            transport=transport,
            base_url=url_of(base_url),
            timeout=seconds,
            trust_env=False,
            event_hooks={"request": [on_request], "response": [on_response]},
        )
        self._base = base_url

    @property
    def cookies(self) -> httpx.Cookies:
        """None, whatever is set."""
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        raise TypeError("A session keeps no cookies.")

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """As httpx's own, which takes a path below the base URL apart and puts it together at each call."""
        if self._base and isinstance(url, str) and url.startswith("/"):
            url = _below(self._base, url)
        return super().build_request(method, url, **options)


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing of an answer."""


_NO_COOKIES = _NoCookies()


@lru_cache(1024)
def _below(base: str, path: str) -> httpx.URL:
    host = url_of(base)
    return host.copy_with(raw_path=host.raw_path.removesuffix(b"/") + b"/" + httpx.URL(path).raw_path.lstrip(b"/"))
