"""Pictures as Pinterest takes them in: fetched or decoded, looked at, and refused where they are no good."""

import asyncio
import base64
import binascii
import hashlib
import io
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image, UnidentifiedImageError

from adapters.pinterest.sandbox.gallery import Gallery
from adapters.pinterest.sandbox.refusals import (
    broken,
    too_small,
    unfetchable,
    unsupported_format,
)
from adapters.pinterest.sandbox.schema import Text, check
from adapters.pinterest.sandbox.things import Picture

LARGEST = 20 * 2**20
"""Bytes that are fetched at the most: what the Help Center names for the desktop."""

SMALLEST = 100
"""Pixels of the shorter side below which a picture is too small; Pinterest names no number, this one is ours."""

PATIENCE = 5.0
"""Seconds that a fetch may take."""

MIMES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}

URL_FIELDS = {"url": Text()}
BASE64_FIELDS = {
    "content_type": Text(choice=("image/jpeg", "image/png")),
    "data": Text(pattern=r"^[a-zA-Z0-9+/=]+$"),
}


class Intake:
    """Where pictures come in; `session` fetches them, `gallery` keeps their bytes."""

    def __init__(self, session: aiohttp.ClientSession, gallery: Gallery) -> None:
        self._session = session
        self._gallery = gallery

    async def url(self, source: Any) -> Picture:
        """The picture behind the `url` of a media source."""
        url = check(source, URL_FIELDS, ("url",))["url"]
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as answer:
                if answer.status != 200:
                    raise unfetchable()
                data = await _bounded(answer)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as gone:
            raise unfetchable() from gone
        return await self._take(data)

    async def base64(self, source: Any) -> Picture:
        """The picture that is the `data` of a media source."""
        data = check(source, BASE64_FIELDS, ("content_type", "data"))["data"]
        try:
            return await self._take(base64.b64decode(data, validate=True))
        except binascii.Error as wrong:
            raise broken() from wrong

    async def still(self) -> Picture:
        """A picture out of a video: nobody looks into videos here, so it is a plain one."""
        file = io.BytesIO()
        Image.new("RGB", (600, 900), "#444444").save(file, "PNG")
        return await self._take(file.getvalue())

    async def _take(self, data: bytes) -> Picture:
        digest = hashlib.sha256(data).hexdigest()
        known = self._gallery.find(digest)
        if known:
            return known[0]
        # Decoding takes long enough to hold up every other call.
        picture = await asyncio.to_thread(_looked_at, data, digest)
        self._gallery.keep(picture, data)
        return picture


INTAKE = web.AppKey("intake", Intake)
"""Where the application keeps its intake."""


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        data += piece
        if len(data) > LARGEST:
            raise unfetchable()
    return bytes(data)


def _looked_at(data: bytes, digest: str) -> Picture:
    try:
        image = Image.open(io.BytesIO(data))
        if image.format in MIMES:
            image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as bad:
        raise broken() from bad
    mime = MIMES.get(image.format or "")
    if mime is None:
        raise unsupported_format()
    if min(image.size) < SMALLEST:
        raise too_small()
    return Picture(
        sha256=digest,
        mime=mime,
        size=len(data),
        width=image.width,
        height=image.height,
        color=_mean(image),
    )


def _mean(image: Image.Image) -> str:
    pixel = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return "#{:02x}{:02x}{:02x}".format(*pixel) if isinstance(pixel, tuple) else "#000000"
