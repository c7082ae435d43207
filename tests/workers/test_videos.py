"""A video goes out once, whatever breaks on its way: registered, uploaded, waited for, and made a Pin."""

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.core.media.files import film as film_of
from tests.world import Clock, Pool, World, world

REGISTER, UPLOAD, STATUS, CREATE = "POST /v5/media", "POST /media-upload/", "GET /v5/media/{media_id}", "POST /v5/pins"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A minute of film, in little space."""
    folder = tmp_path_factory.mktemp("clip")
    return film_of(folder, size=(96, 128), frames=60, rate=1, sound=None)


@asynccontextmanager
async def living(pool: Pool, folder: Path, clip: bytes, **options: Any) -> AsyncIterator[tuple[World, str]]:
    sandbox = PinterestSandbox(rng=Random(1), clock=Clock(), media_seconds=20.0)
    async with world(pool, folder, sandbox, **options) as here:
        yield here, await here.upload(clip)


async def send(here: World, upload: str, **fields: Any) -> Any:
    block = {
        "boardId": here.account.channel,
        "text": "A film",
        "uploadIds": [upload],
        "thumbnailOffset": 4000,
        **fields,
    }
    return await here.post(data={"PINTEREST": block})


def told(here: World) -> list[str]:
    """The calls that were made, in order, without the questions after the status."""
    calls = [call for call in here.sandbox.log.calls() if call.method == "POST"]
    return [call.path.partition("?")[0] for call in calls]


async def test_a_video_is_registered_uploaded_waited_for_and_made(pool: Pool, tmp_path: Path, clip: bytes) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        post = await send(here, upload)
        await here.work()
        assert (await here.delivery(post))["state"] == "processing"
        await here.to_the_end()
        delivery = await here.delivery(post)
        assert delivery["state"] == "published"
        assert told(here) == ["/v5/media", "/media-upload/", "/v5/pins"]
        live: Any = here.sandbox.live()
        ((pin,), (media,)) = live["pins"], live["media"]
        assert (pin["id"], pin["media_id"]) == (delivery["external_id"], media["id"])
        assert media["sha256"] == hashlib.sha256(clip).hexdigest()
        # What lets anyone upload is written down nowhere.
        rows = await here.rows("select steps::text, pending::text from deliveries")
        rows += await here.rows("select answer from attempts")
        assert "x-amz" not in str(rows)
        assert delivery["steps"] == {"register-1": media["id"], "upload-1": media["id"], "create-pin": pin["id"]}


@pytest.mark.parametrize("fault", ["reset_before", "error_after", "garbage"])
@pytest.mark.parametrize("on", [REGISTER, UPLOAD, STATUS, CREATE])
async def test_whatever_breaks_once_there_is_one_pin(
    pool: Pool, tmp_path: Path, clip: bytes, on: str, fault: str
) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        await here.fault(on, fault, times=1, status=500)
        post = await send(here, upload)
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        live: Any = here.sandbox.live()
        assert len(live["pins"]) == 1


class Killed(BaseException):
    """A worker that is gone, with nothing said to anybody."""


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("after", [False, True])
async def test_a_worker_killed_at_any_step_leaves_one_pin(
    pool: Pool, tmp_path: Path, clip: bytes, step: int, after: bool
) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        post = await send(here, upload)
        dying = Dying(here.transport, at=step, after=after)
        here.publisher._transport = dying
        for _ in range(12):
            if dying.dead:
                break
            await here.ledger.claim()
            for taken in await here.ledger.take("PINTEREST", 5):
                try:
                    await here.publisher.carry_out(taken)
                except Killed:
                    break
            await here.hasten()
            here.sandbox.clock.travelled += 30  # type: ignore[attr-defined]
        assert dying.dead
        here.publisher._transport = here.transport
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        live: Any = here.sandbox.live()
        assert len(live["pins"]) == 1
        assert told(here).count("/media-upload/") <= 2


class Dying(httpx.AsyncBaseTransport):
    """A transport that kills its worker at the n-th call, before it or after its answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, at: int, after: bool) -> None:
        self._inner, self._left, self._after = inner, at, after
        self.dead = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._left -= 1
        if self._left >= 0 or self.dead:
            return await self._inner.handle_async_request(request)
        self.dead = True
        if self._after:
            answer = await self._inner.handle_async_request(request)
            await answer.aread()
        raise Killed


async def test_a_video_that_pinterest_can_make_nothing_of_fails_and_may_be_sent_again(
    pool: Pool, tmp_path: Path, clip: bytes
) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        await here.fault(UPLOAD, "media_failed", times=1)
        post = await send(here, upload)
        await here.to_the_end()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("failed", "media_failed")


async def test_an_upload_that_is_refused_gets_a_new_slot(pool: Pool, tmp_path: Path, clip: bytes) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        refusal = "<Error><Code>SignatureDoesNotMatch</Code><Message>No &amp; no.</Message></Error>"
        await here.fault(UPLOAD, "error", times=1, status=403, body=refusal)
        post = await send(here, upload)
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("retrying", "upload_refused")
        assert "No & no." in delivery["error"]["message"]
        await here.to_the_end()
        assert told(here) == ["/v5/media", "/media-upload/"] * 2 + ["/v5/pins"]


@pytest.mark.parametrize("cover", ["upload", "url", "webp"])
async def test_a_cover_is_a_picture_beside_it_or_a_url(pool: Pool, tmp_path: Path, clip: bytes, cover: str) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        if cover == "upload":
            fields: dict[str, Any] = {"uploadIds": [upload, await here.upload()]}
        else:
            fields = {"thumbnail": f"{here.sandbox_url}/_sandbox/picture.png"}
        if cover == "webp":
            refusal = {"code": 1, "message": "The format of the image is not supported"}
            await here.fault(CREATE, "error", times=1, status=400, body=refusal)
        post = await send(here, upload, thumbnailOffset=None, **{"uploadIds": [upload], **fields})
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        created = [call.body["media_source"] for call in here.sandbox.log.calls() if call.path == "/v5/pins"]
        wanted = {"upload": [{"data"}], "url": [{"url"}], "webp": [{"url"}, {"data"}]}[cover]
        ways = [{name.rpartition("_")[2] for name in source} & {"url", "data"} for source in created]
        assert ways == wanted


def padded(here: World, key: str, size: int) -> str:
    """Make a stored film larger: at its end there is a box with nothing in it (ISO 14496-12, 8.1.2)."""
    path = Path(here.settings.uploads) / key
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.write((1).to_bytes(4, "big") + b"free" + (size - end).to_bytes(8, "big"))
        file.truncate(size)
    return str(path)


@pytest.mark.parametrize(
    "size", [100 * MEGABYTE, pytest.param(2_000_000_000, marks=pytest.mark.big)], ids=["100 MB", "2 GB"]
)
async def test_a_large_video_that_breaks_off_midway_goes_out_whole(
    pool: Pool, tmp_path: Path, clip: bytes, size: int
) -> None:
    async with living(pool, tmp_path, clip) as (here, upload):
        (row,) = await here.rows("select storage_key from uploads")
        padded(here, row["storage_key"], size)
        await here.rows("update uploads set bytes = %s returning id", size)
        await here.fault(UPLOAD, "reset_midway", times=1)
        post = await send(here, upload)
        tracemalloc.start()
        try:
            await here.to_the_end()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 40 * MEGABYTE, "Pinterest's side of it is in this process too"
        assert (await here.delivery(post))["state"] == "published"
        live: Any = here.sandbox.live()
        assert [media["bytes"] for media in live["media"]] == [0, size]
        assert len(live["pins"]) == 1
