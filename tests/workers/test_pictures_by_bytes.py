"""What Pinterest cannot fetch is fetched by us, made to fit, and sent by its bytes; carousels go out either way."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from PIL import Image

from adapters.pinterest.sandbox import PinterestSandbox
from tests.core.media.files import noise, saved
from tests.world import Pool, World, world

WEBP = saved(noise(size=(600, 900)), "WEBP")
PNG = saved(noise(size=(600, 900)), "PNG")


@pytest.fixture
async def signed() -> AsyncIterator[str]:
    """A server that shows its pictures to us and not to Pinterest, as one does whose link has run out."""

    async def show(request: web.Request) -> web.Response:
        if "Pinterestbot" in request.headers.get("User-Agent", ""):
            raise web.HTTPForbidden
        if request.path == "/gone.png":
            raise web.HTTPNotFound
        return web.Response(body=WEBP if request.path.endswith("webp") else PNG)

    app = web.Application()
    app.add_routes([web.get("/{name}", show)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def pinned(here: World, **block: Any) -> Any:
    return await here.post(data={"PINTEREST": {"boardId": here.account.channel, "text": "A title", **block}})


def sources(here: World) -> list[str]:
    return [call.body["media_source"]["source_type"] for call in here.sandbox.log.calls() if call.method == "POST"]


def pictures(here: World) -> list[dict[str, Any]]:
    live: Any = here.sandbox.live()
    (pin,) = live["pins"]
    found: list[dict[str, Any]] = pin["pictures"]
    return found


async def test_a_picture_that_pinterest_cannot_fetch_is_sent_by_its_bytes(
    pool: Pool, tmp_path: Path, signed: str
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await pinned(here, mediaUrls=[f"{signed}/a.webp"])
        await here.work()
        assert (await here.delivery(post))["state"] == "published"
        assert sources(here) == ["image_url", "image_base64"]
        (picture,) = pictures(here)
        assert (picture["content_type"], picture["width"], picture["height"]) == ("image/jpeg", 600, 900)


async def test_where_we_cannot_fetch_it_either_it_is_tried_again_and_then_told(
    pool: Pool, tmp_path: Path, signed: str
) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await pinned(here, mediaUrls=[f"{signed}/gone.png"])
        await here.work()
        assert (await here.delivery(post))["state"] == "retrying"
        await here.to_the_end()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("failed", "download_failed")


async def test_an_upload_of_any_size_is_read_piece_by_piece(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        upload = await here.upload(PNG)
        await pinned(here, uploadIds=[upload])
        await here.work()
        assert sources(here) == ["image_base64"]
        assert pictures(here)[0]["sha256"] == hashlib.sha256(PNG).hexdigest()


@pytest.mark.parametrize("way", ["urls", "uploads", "both", "signed"])
async def test_several_pictures_are_a_carousel(pool: Pool, tmp_path: Path, signed: str, way: str) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        public = f"{here.sandbox_url}/_sandbox/picture.png"
        uploads = [await here.upload(PNG), await here.upload(saved(Image.new("RGB", (600, 900)), "PNG"))]
        block: dict[str, Any] = {
            "urls": {"mediaUrls": [public, public]},
            "uploads": {"uploadIds": uploads},
            "both": {"uploadIds": uploads[:1], "mediaUrls": [public]},
            "signed": {"mediaUrls": [public, f"{signed}/a.png"]},
        }[way]
        post = await pinned(here, **block)
        await here.work()
        assert (await here.delivery(post))["state"] == "published"
        by_bytes = ["multiple_image_base64"]
        wanted = {"urls": ["multiple_image_urls"], "signed": ["multiple_image_urls", *by_bytes]}.get(way, by_bytes)
        assert sources(here) == wanted
        assert len(pictures(here)) == 2


async def test_a_pin_says_all_that_its_block_says(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        sandbox: Any = here.sandbox
        board = sandbox._world.boards[here.account.channel]
        section = sandbox._world.add_section(board, "Soups")
        upload = await here.upload(PNG)
        post = await here.post(
            data={
                "PINTEREST": {
                    "boardName": board.name.upper(), "boardSectionId": section.id, "text": "Pin title",
                    "description": "Pin description", "uploadIds": [upload], "link": "https://example.com/landing",
                    "altText": "A bowl of soup", "note": "private note", "dominantColor": "#aabbcc",
                    "isAiGenerated": True,
                }
            }
        )  # fmt: skip
        assert [warning.code for warning in post.warnings] == ["field_unused"]
        await here.work()
        live: Any = here.sandbox.live()
        (pin,) = live["pins"]
        told = {name: pin[name] for name in ("board_id", "board_section_id", "title", "alt_text", "dominant_color")}
        assert told == {
            "board_id": board.id, "board_section_id": section.id, "title": "Pin title", "alt_text": "A bowl of soup",
            "dominant_color": "#aabbcc",
        }  # fmt: skip
        assert list(pin["ai_disclosures"]) == ["AI_MODIFIED"]
        assert pin["note"] == ""


def test_the_pictures_here_are_pictures() -> None:
    assert Image.open(io.BytesIO(WEBP)).format == "WEBP"
