"""Media for platforms that fetch by themselves: read under signed links, whole or in ranges (RFC 9110 §14)."""

import re
from typing import Any

from litestar import Request, Response, route
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from core.uploads.links import Links, MediaLink
from core.uploads.renditions import Renditions
from core.uploads.uploads import Uploads
from server.auth import OPEN

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SAFE = {
    # A file of a stranger's is never more than a file to a browser.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "cache-control": "private, max-age=3600",
    "accept-ranges": "bytes",
}


def _route(method: HttpMethod, **schema: Any) -> HTTPRouteHandler:
    """The same for GET and for HEAD, of which one stands in the schema."""

    @route("/media/{name:str}", http_method=[method], opt={OPEN: True}, status_code=200, **schema)
    async def media(
        request: Request[None, None, State],
        uploads: NamedDependency[Uploads],
        renditions: NamedDependency[Renditions],
        links: NamedDependency[Links],
        name: FromPath[str],
    ) -> Response[Any]:
        """The file, or the range that is asked for; nothing where the link is not ours or its time is over."""
        return await _answer(request, uploads, renditions, links, name)

    return media


def media_routes() -> list[HTTPRouteHandler]:
    """`/media/<link>`, for platforms that fetch by themselves."""
    told = {"tags": ["Uploads"], "operation_id": "mediaRead", "summary": "Read a file under a signed link"}
    return [_route(HttpMethod.GET, **told), _route(HttpMethod.HEAD, **told | {"operation_id": "mediaReadHead"})]


async def _answer(
    request: Request[Any, Any, Any], uploads: Uploads, renditions: Renditions, links: Links, name: str
) -> Response[Any]:
    link = links.read(name.partition(".")[0], MediaLink)
    upload = await uploads.get(link.organization_id, link.upload_id)
    mime, size, key, etag = upload.mime, upload.bytes, upload.storage_key, upload.sha256.hex()
    if link.recipe is not None:
        made = await renditions.of(upload, link.recipe)
        mime, size, key, etag = made.mime, made.bytes, made.storage_key, f"{etag}-{link.recipe.key}"
    headers = {**_SAFE, "etag": f'"{etag}"'}
    status, start, stop = _part(request, size, headers["etag"])
    if status == 416:
        return Response(b"", status_code=416, headers={**headers, "content-range": f"bytes */{size}"}, media_type=mime)
    headers["content-length"] = str(stop - start)
    if status == 206:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    if request.method == HttpMethod.HEAD:
        return Response(b"", status_code=status, headers=headers, media_type=mime)
    return Stream(uploads.storage.open(key, start, stop), status_code=status, headers=headers, media_type=mime)


def _part(request: Request[Any, Any, Any], size: int, etag: str) -> tuple[int, int, int]:
    """Status, first byte and the one behind the last. What is no single range of bytes is no range (§14.2)."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or asked[0] == "bytes=-" or request.headers.get("if-range", etag).strip() != etag:
        return 200, 0, size
    first, last = asked[1], asked[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return 200, 0, size
    return (206, start, stop) if start < stop else (416, 0, 0)
