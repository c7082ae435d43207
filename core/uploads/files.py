"""Files: what an adapter is handed to send, streamed out of the storage."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager

from core.errors import InvalidUpload, Rejected, Unavailable, Unready
from core.limits import MediaLimits
from core.media.fitting import plan
from core.media.rules import file_findings
from core.post import Media
from core.session import OpenFile
from core.streams import MediaFile
from core.uploads.renditions import Renditions
from core.uploads.storage import Storage
from core.uploads.upload import Upload

Fetch = Callable[[str], Awaitable[Upload]]
"""Makes an upload of what a public URL holds."""


class Files:
    """Opens the files of drafts."""

    def __init__(self, storage: Storage, renditions: Renditions) -> None:
        self._storage = storage
        self._renditions = renditions

    def of(self, uploads: Mapping[str, Upload], limits: MediaLimits, fetch: Fetch) -> OpenFile:
        """What opens the files of one draft: `uploads` are those that it names, `limits` its platform's."""

        @asynccontextmanager
        async def opened(media: Media) -> AsyncIterator[MediaFile]:
            if media.url is None:
                upload = uploads[media.upload_id or ""]
            else:
                # Only now it is known what it is.
                upload = await fetch(media.url)
                media = _fitting(upload.media, limits)
            with _told():
                file = await self._stored(upload, media)
            yield file

        return opened

    async def _stored(self, upload: Upload, media: Media) -> MediaFile:
        kept = await self._renditions.of(upload, media.recipe) if media.recipe else upload
        name = f"file.{kept.extension}"
        return MediaFile(lambda: self._pieces(kept.storage_key), mime=kept.mime, bytes=kept.bytes, name=name)

    async def _pieces(self, key: str) -> AsyncGenerator[bytes, None]:
        with _told():
            async with aclosing(self._storage.open(key)) as pieces:
                async for piece in pieces:
                    yield piece


def _fitting(media: Media, limits: MediaLimits) -> Media:
    """The file as it is to be sent. Raises Rejected where the platform takes nothing that could be made of it."""
    bounds = limits.of(media.kind) if media.kind else None
    planned = plan(media, bounds) if bounds else None
    sent = planned.media if planned else media
    wrong = [finding for finding in file_findings(limits, sent, ()) if finding.severity == "error"]
    if wrong:
        raise Rejected(" ".join(each.message for each in wrong), code=wrong[0].code, hint="Send another file.")
    return sent


@contextmanager
def _told() -> Iterator[None]:
    """The errors of uploads as those of publishing."""
    try:
        yield
    except Unready as error:
        raise Unavailable(error.message, code=error.code, hint="It is tried again by itself.") from error
    except InvalidUpload as error:
        raise Rejected(error.message, code=error.code, hint="Send another file.") from error
