"""Fetching a file from a URL that a client gave us: guarded, and bounded in size, time and redirects."""

import asyncio
from collections.abc import AsyncGenerator

import httpx

from core.errors import InvalidUpload, RefusedUrl
from core.http import BodyTooLarge, iterate_bounded
from core.uploads.arrival import too_large

MAX_REDIRECTS = 3


async def download(client: httpx.AsyncClient, url: str, *, limit: int, seconds: float) -> AsyncGenerator[bytes, None]:
    """The body at a URL in pieces, at most `limit` bytes and `seconds` seconds in all.

    The client's transport must be a guarded one: it checks the URL, and each redirect again. Raises
    RefusedUrl for where we do not go, and InvalidUpload with `download_failed`, `download_timed_out`,
    `too_many_redirects` or `file_too_large`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(deadline):
            response = await _open(client, url)
        try:
            if _announced(response) > limit:
                raise too_large(limit)
            pieces = iterate_bounded(response, limit)
            # The time is bounded piece by piece: a timeout around a yield would strike whoever takes the piece.
            while True:
                async with asyncio.timeout_at(deadline):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece
        finally:
            await response.aclose()
    except BodyTooLarge:
        raise too_large(limit) from None
    except (TimeoutError, httpx.TimeoutException):
        raise InvalidUpload(
            f"The file could not be fetched from its URL within {seconds:g} seconds.", code="download_timed_out"
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise RefusedUrl("The URL cannot be called; it must begin with http:// or https:// and name a host.") from None
    except httpx.HTTPError as error:
        # The error's own words name addresses, which of an allowed internal host are not the client's to know.
        reason = "its server cannot be reached" if isinstance(error, httpx.ConnectError) else "the answer broke off"
        raise InvalidUpload(f"The file could not be fetched from its URL: {reason}.", code="download_failed") from error


async def _open(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """The answer at the end of the redirects, its body unread."""
    request: httpx.Request | None = client.build_request("GET", url)
    for _ in range(MAX_REDIRECTS + 1):
        assert request is not None
        response = await client.send(request, stream=True)
        if response.status_code == httpx.codes.OK:
            return response
        await response.aclose()
        request = response.next_request
        if request is None:
            raise InvalidUpload(
                f"The file could not be fetched: its URL answered with status {response.status_code}.",
                code="download_failed",
            )
    raise InvalidUpload(f"The URL redirects more than {MAX_REDIRECTS} times.", code="too_many_redirects")


def _announced(response: httpx.Response) -> int:
    """The length that the answer's header gives, or 0."""
    length: str = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
