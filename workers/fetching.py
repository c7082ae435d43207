"""Fetching: public URLs of a post become uploads of the team, for platforms that take a file only by its bytes."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from core.drafting import AnyAdapter
from core.errors import InvalidUpload, NotFound, RefusedUrl, Rejected, Unavailable, Unready
from core.ids import parse_id
from core.ledger.ledger import Ledger, Taken
from core.ledger.states import State
from core.placing import media_source
from core.post import Account, Block, Shared
from core.uploads.upload import Upload, name_in
from core.uploads.uploads import Uploads

PASSING = ("download_failed", "download_timed_out")
"""What may be otherwise the next time."""

Hold = Callable[[], Awaitable[None]]
"""Told with every piece that comes in, so that the delivery is kept meanwhile."""


class Fetching:
    """Fetches what a delivery names by URL, once: which upload a URL became is remembered with the delivery."""

    def __init__(self, ledger: Ledger, uploads: Uploads) -> None:
        self._ledger = ledger
        self._uploads = uploads

    async def fetched(self, taken: Taken, adapter: AnyAdapter, account: Account, hold: Hold) -> dict[str, Upload]:
        """The uploads of a delivery's URLs, by URL; what a look does not have any more is not fetched for it.

        Raises `Rejected` or `Unavailable` for what cannot be fetched, and `LeaseLost`.
        """
        if adapter.limits_of(account).media.by != "bytes":
            return {}
        shared = Shared.of(taken.content)
        block = Block(upload_ids=taken.block.get("uploadIds"), media_urls=taken.block.get("mediaUrls"))
        source = media_source(block, shared)
        found: dict[str, Upload] = {}
        for url in dict.fromkeys(source.media_urls or ()):
            upload = await self._known(taken, url)
            if upload is None and taken.from_state == State.QUEUED:
                upload = await self._fetch(taken, url, hold)
            if upload is not None:
                found[url] = upload
        return found

    async def fetch(self, taken: Taken, url: str, hold: Hold) -> Upload:
        """The upload of one URL of a delivery, fetched where it was not; raises as `fetched` does."""
        return await self._known(taken, url) or await self._fetch(taken, url, hold)

    async def _known(self, taken: Taken, url: str) -> Upload | None:
        id = parse_id(taken.steps.get(_step(url), ""))
        held = await self._uploads.many(taken.organization_id, taken.team_id, [id]) if id else {}
        return next(iter(held.values()), None)

    async def _fetch(self, taken: Taken, url: str, hold: Hold) -> Upload:
        try:
            async with aclosing(_held(self._uploads.fetch(url), hold)) as pieces:
                upload = await self._uploads.create(taken.organization_id, taken.team_id, pieces, name_in(url))
        except Unready as error:
            raise Unavailable(error.message, code=error.code) from error
        except (InvalidUpload, RefusedUrl, NotFound) as error:
            if error.code in PASSING:
                raise Unavailable(error.message, code=error.code) from error
            raise Rejected(error.message, code=error.code, hint="Mend the URL, or upload the file first.") from error
        await self._ledger.remember(taken, {_step(url): str(upload.id)})
        return upload


def _step(url: str) -> str:
    return f"fetched {url}"


async def _held(pieces: AsyncGenerator[bytes, None], hold: Hold) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            await hold()
            yield piece
