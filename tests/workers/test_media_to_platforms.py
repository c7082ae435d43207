"""Pictures go out as the platform takes them: made to fit once, told before, and found again after."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from adapters.pinterest.sandbox import PinterestSandbox
from core.uploads.expiry import Expiry
from core.uploads.readying import Readying
from tests.core.media.files import exif, noise, saved
from tests.world import Pool, World, world
from workers.media import MediaWork


async def uploaded(here: World, content: bytes, alt_text: str | None = None) -> str:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    made = await here.uploads.create(here.organization_id, here.team_id, chunks(), "p", alt_text)
    return str(made.id)


async def pinned(here: World, upload: str, **changes: Any) -> Any:
    block = {"boardId": here.account.channel, "text": "A title", "uploadIds": [upload]}
    return await here.post(data={"PINTEREST": block}, **changes)


async def test_a_picture_of_another_type_goes_out_as_one_that_is_taken_and_is_made_once(
    pool: Pool, tmp_path: Path
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        upload = await uploaded(here, saved(noise(size=(600, 900)), "WEBP"), "Grey noise")
        for _ in range(2):
            post = await pinned(here, upload)
            assert [warning.code for warning in post.warnings if warning.code.startswith("media")] == ["media_fitted"]
            await here.work()
        (row,) = await here.rows("select * from renditions")
        content = (tmp_path / "uploads" / row["storage_key"]).read_bytes()
        assert (row["mime"], row["bytes"]) == ("image/jpeg", len(content))
        assert Image.open(io.BytesIO(content)).size == (600, 900)
        states = await here.rows("select state, block from deliveries")
        assert [state["state"] for state in states] == ["published", "published"]
        pins: Any = here.sandbox.live()
        digests = {picture["sha256"] for pin in pins["pins"] for picture in pin["pictures"]}
        assert digests == {hashlib.sha256(content).hexdigest()}
        assert {pin["alt_text"] for pin in pins["pins"]} == {"Grey noise"}


async def test_no_platform_learns_where_a_picture_was_taken(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        content = saved(noise(size=(900, 600)), "JPEG", exif=exif(6, place=True))
        await pinned(here, await uploaded(here, content))
        await here.work()
        (row,) = await here.rows("select * from renditions")
        sent = Image.open(tmp_path / "uploads" / row["storage_key"])
        assert (sent.size, bool(sent.getexif())) == ((600, 900), False)


async def test_with_fitting_off_a_picture_goes_out_as_it_is(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        content = saved(noise(size=(600, 900)), "JPEG", exif=exif(place=True))
        await pinned(here, await uploaded(here, content), mediaFit="off")
        await here.work()
        state: Any = here.sandbox.live()
        assert state["pins"][0]["pictures"][0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert await here.rows("select * from renditions") == []


async def test_what_is_due_soon_is_made_ready_and_goes_with_its_upload(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        upload = await uploaded(here, saved(noise(size=(600, 900)), "WEBP"))
        soon = await pinned(here, upload)
        await pinned(here, await uploaded(here, saved(noise(size=(600, 900)), "AVIF")), postDate="2030-01-01T00:00:00Z")
        readying = Readying(pool, here.registry, here.renditions)
        await MediaWork(Expiry(pool, here.uploads, days=1), readying).run()
        (row,) = await here.rows("select * from renditions")
        assert str(row["upload_id"]) == upload
        path = tmp_path / "uploads" / row["storage_key"]
        assert path.exists()
        await here.work()
        assert (await here.delivery(soon))["state"] == "published"
        await here.uploads.delete(here.organization_id, [row["upload_id"]])
        await Expiry(pool, here.uploads, days=1).sweep()
        assert not path.exists()
        assert await here.rows("select * from renditions") == []


async def test_a_picture_that_cannot_be_made_to_fit_fails_with_what_to_do(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        upload = await uploaded(here, saved(noise(size=(600, 900)), "WEBP"))
        post = await pinned(here, upload)
        # By then the file is another one: a disk that rots.
        (row,) = await here.rows("select storage_key from uploads")
        (tmp_path / "uploads" / row["storage_key"]).write_bytes(b"RIFF\x00\x00\x00\x00WEBPVP8 rotten")
        await here.work()
        delivery = await here.delivery(post)
        assert delivery["state"] == "failed"
        assert delivery["error"]["code"] == "broken_image"
