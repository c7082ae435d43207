"""The bucket that videos are uploaded to: it speaks S3's form POST, as strictly, and keeps of a file only its digest.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import hashlib
from typing import ClassVar
from xml.sax.saxutils import escape

from aiohttp import BodyPartReader, web

from adapters.pinterest.sandbox.films import LARGEST, SLOT_SECONDS, Film
from adapters.pinterest.sandbox.media import UPLOADS
from adapters.pinterest.sandbox.world import World
from fingerpost import Exchange, Fault

PIECE = 64 * 1024
LONGEST_FIELD = 20_000
MOST_FIELDS = 100

FILM = web.RequestKey("film", Film)
"""The video that a request has brought."""


class Denied(Exception):
    """An upload that is refused, in S3's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Bucket:
    """`POST /media-upload/`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The one that there is."""
        return [web.post(UPLOADS, self.take)]

    async def take(self, request: web.Request) -> web.Response:
        """Takes one video in: 204, or an error in XML."""
        try:
            film = await self._taken(request)
        except Denied as denied:
            words = f"<Code>{denied.code}</Code><Message>{escape(denied.message)}</Message>"
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{words}</Error>'
            return web.Response(status=denied.status, text=text, content_type="application/xml")
        request[FILM] = film
        return web.Response(status=204, headers={"ETag": f'"{film.sha256[:32]}"'})

    async def _taken(self, request: web.Request) -> Film:
        if "Authorization" in request.headers:
            raise Denied(400, "InvalidArgument", "Only one auth mechanism allowed.")
        if request.content_type != "multipart/form-data":
            words = "At least one of the pre-conditions you specified did not hold: the body is no form."
            raise Denied(412, "PreconditionFailed", words)
        fields: dict[str, str] = {}
        try:
            reader = await request.multipart()
            while (part := await reader.next()) is not None:
                if not isinstance(part, BodyPartReader) or part.name is None or len(fields) >= MOST_FIELDS:
                    raise ValueError("not a form")
                if part.name == "file":
                    film = self._film(fields)
                    await _receive(film, part)
                    film.arrived = self._world.platform.clock()
                    return film
                fields[part.name] = bytes(await part.read_chunk(LONGEST_FIELD)).decode()
        except (ValueError, AssertionError, LookupError) as wrong:
            raise Denied(400, "MalformedPOSTRequest", "The body of your POST request is not well-formed.") from wrong
        raise Denied(400, "InvalidArgument", "POST requires exactly one file upload per request.")

    def _film(self, fields: dict[str, str]) -> Film:
        """The video that the fields before the file allow to be put there."""
        film = next((each for each in self._world.films.values() if each.key == fields.get("key")), None)
        if film is None:
            raise Denied(403, "AccessDenied", "Invalid according to Policy: no such key.")
        wanted = film.parameters()
        for name in ("policy", "x-amz-signature"):
            if fields.get(name) != wanted[name]:
                words = "The request signature we calculated does not match the signature you provided."
                raise Denied(403, "SignatureDoesNotMatch", words)
        for name, value in wanted.items():
            if fields.get(name) != value:
                raise Denied(403, "AccessDenied", f'Invalid according to Policy: ["eq", "${name}", "{value}"]')
        if extra := sorted(fields.keys() - wanted.keys()):
            raise Denied(403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")
        if self._world.platform.now() > film.dated + SLOT_SECONDS:
            raise Denied(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        return film


async def _receive(film: Film, part: BodyPartReader) -> None:
    """Reads the file to its end and looks at its beginning: what is no film of Pinterest's kinds will fail."""
    digest, size, head = hashlib.sha256(), 0, b""
    while piece := await part.read_chunk(PIECE):
        head = head if len(head) >= 8 else head + bytes(piece)
        digest.update(piece)
        size += len(piece)
        if size > LARGEST:
            raise Denied(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    if not size:
        raise Denied(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    film.bytes, film.sha256 = size, digest.hexdigest()
    film.fails = film.fails or head[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


class MediaFailed(Fault, frozen=True, kw_only=True):
    """Takes an upload in, which then turns out to be no good."""

    name: ClassVar[str] = "media_failed"

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, and spoils what came."""
        answer = await exchange.work()
        if (film := exchange.request.get(FILM)) is not None:
            film.fails = True
        return answer


class MediaSlow(Fault, frozen=True, kw_only=True):
    """Takes an upload in, and works at it for `seconds`."""

    name: ClassVar[str] = "media_slow"

    async def apply(self, exchange: Exchange) -> web.StreamResponse:
        """Works, and takes its time."""
        answer = await exchange.work()
        if (film := exchange.request.get(FILM)) is not None:
            film.seconds = self.seconds
        return answer


FAULTS_OF_MEDIA: dict[str, type[Fault]] = {kind.name: kind for kind in (MediaFailed, MediaSlow)}
