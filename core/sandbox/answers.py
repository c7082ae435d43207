"""JSON answers as a sandbox sends them."""

from collections.abc import Mapping

import msgspec
from aiohttp import web


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """An HTTP answer of `status` whose body is `body` as JSON."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
