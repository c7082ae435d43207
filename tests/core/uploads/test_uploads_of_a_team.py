"""Uploads against a real database, a real folder and real HTTP: kept once, found by their own, fetched with care."""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import httpx
import pytest
from aiohttp import web
from PIL import Image
from psycopg_pool import AsyncConnectionPool

from core.errors import InvalidUpload, NotFound, RefusedUrl
from core.guard import Guard
from core.http import open_client, open_transport
from core.ids import new_id
from core.uploads.storage import FolderStorage
from core.uploads.uploads import Uploads

Responder = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tenant(NamedTuple):
    organization_id: UUID
    team_id: UUID


def png(size: tuple[int, int] = (40, 30), colour: str = "teal") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def new_tenant(pool: AsyncConnectionPool, organization_id: UUID | None = None) -> Tenant:
    tenant = Tenant(organization_id or new_id(), new_id())
    async with pool.connection() as connection:
        if organization_id is None:
            await connection.execute("insert into organizations (id, name) values (%s, 'o')", [tenant.organization_id])
        await connection.execute(
            "insert into teams (id, organization_id, name) values (%s, %s, 't')",
            [tenant.team_id, tenant.organization_id],
        )
    return tenant


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(open_transport(guard=Guard(["loopback"]))) as opened:
        yield opened


@pytest.fixture
def uploads(pool: AsyncConnectionPool, tmp_path: Path, client: httpx.AsyncClient) -> Uploads:
    return Uploads(pool, FolderStorage(tmp_path / "uploads"), client)


@pytest.fixture
async def tenant(pool: AsyncConnectionPool) -> Tenant:
    return await new_tenant(pool)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]


async def test_an_upload_is_kept_with_what_the_probe_found(uploads: Uploads, tenant: Tenant) -> None:
    content = png((40, 30))
    upload = await uploads.create(*tenant, pieces(content), "C:\\pictures\\..\\holi\u202eday\x00.txt")
    assert (upload.organization_id, upload.team_id) == tenant
    assert (upload.kind, upload.mime, upload.extension) == ("image", "image/png", "png")
    assert (upload.width, upload.height, upload.seconds) == (40, 30, None)
    assert (upload.bytes, upload.sha256) == (len(content), hashlib.sha256(content).digest())
    assert upload.file_name == "holiday.txt"
    assert upload.created_at.tzinfo is not None
    assert await uploads.get(tenant.organization_id, upload.id) == upload
    assert await uploads.many(*tenant, [upload.id, new_id()]) == {upload.id: upload}
    assert await uploads.many(*tenant, []) == {}
    assert await uploads.read(upload) == content


async def test_the_same_content_again_is_the_upload_that_is_there(
    uploads: Uploads, tenant: Tenant, tmp_path: Path
) -> None:
    first = await uploads.create(*tenant, pieces(png()), "one.png")
    again = await uploads.create(*tenant, pieces(png()), "two.png")
    assert (again.id, again.file_name) == (first.id, "one.png")
    other = await uploads.create(*tenant, pieces(png(colour="red")), None)
    assert other.id != first.id
    assert other.file_name is None
    assert len(files(tmp_path)) == 2


async def test_the_same_content_many_times_at_once_is_one_upload(
    uploads: Uploads, tenant: Tenant, tmp_path: Path
) -> None:
    made = await asyncio.gather(*(uploads.create(*tenant, pieces(png()), None) for _ in range(16)))
    assert len({upload.id for upload in made}) == 1
    assert len(files(tmp_path)) == 1


async def test_two_teams_keep_the_same_content_apart(
    uploads: Uploads, tenant: Tenant, pool: AsyncConnectionPool
) -> None:
    sister = await new_tenant(pool, tenant.organization_id)
    ours = await uploads.create(*tenant, pieces(png()), None)
    theirs = await uploads.create(*sister, pieces(png()), None)
    assert ours.id != theirs.id
    assert ours.storage_key != theirs.storage_key
    assert await uploads.many(*tenant, [ours.id, theirs.id]) == {ours.id: ours}


async def test_a_stranger_finds_nothing(
    uploads: Uploads, tenant: Tenant, pool: AsyncConnectionPool, tmp_path: Path
) -> None:
    upload = await uploads.create(*tenant, pieces(png()), None)
    stranger = await new_tenant(pool)
    with pytest.raises(NotFound):
        await uploads.get(stranger.organization_id, upload.id)
    with pytest.raises(NotFound):
        await uploads.get(tenant.organization_id, new_id())
    assert await uploads.many(stranger.organization_id, tenant.team_id, [upload.id]) == {}
    assert await uploads.many(*stranger, [upload.id]) == {}
    for content in (png(), png(colour="red")):
        with pytest.raises(NotFound):
            await uploads.create(stranger.organization_id, tenant.team_id, pieces(content), None)


async def test_a_lost_file_is_told_and_comes_back_with_the_same_content(
    uploads: Uploads, tenant: Tenant, tmp_path: Path
) -> None:
    upload = await uploads.create(*tenant, pieces(png()), None)
    (tmp_path / "uploads" / upload.storage_key).unlink()
    with pytest.raises(NotFound):
        await uploads.read(upload)
    await uploads.create(*tenant, pieces(png()), None)
    assert await uploads.read(upload) == png()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"some text", "file_type_not_supported"),
        (png()[:60], "broken_image"),
        (bytes(2_000_001), "file_too_large"),
    ],
)
async def test_a_file_that_is_refused_leaves_nothing(
    pool: AsyncConnectionPool, tenant: Tenant, tmp_path: Path, client: httpx.AsyncClient, content: bytes, code: str
) -> None:
    uploads = Uploads(pool, FolderStorage(tmp_path / "uploads"), client, max_bytes=2_000_000)
    with pytest.raises(InvalidUpload) as refusal:
        await uploads.create(*tenant, pieces(content, 100_000), "a.png")
    assert refusal.value.code == code
    assert files(tmp_path) == []
    async with pool.connection() as connection:
        cursor = await connection.execute("select count(*) from uploads")
        assert await cursor.fetchone() == (0,)


@asynccontextmanager
async def serving(**routes: Responder) -> AsyncIterator[tuple[str, list[str]]]:
    """A server of ours; gives its address and the paths that were asked for."""
    asked: list[str] = []

    async def respond(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await routes[request.path.strip("/").partition("/")[0]](request)

    app = web.Application()
    app.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def image(request: web.Request) -> web.Response:
    return web.Response(body=png(), content_type="text/plain")


async def redirect(request: web.Request) -> web.Response:
    """`/redirect/3` leads over two more to the image; `/redirect?to=…` anywhere."""
    left = int(request.path.rpartition("/")[2]) if "to" not in request.query else 0
    target = request.query.get("to") or (f"/redirect/{left - 1}" if left > 1 else "/image/x.png")
    return web.Response(status=302, headers={"Location": target})


async def test_an_image_is_fetched_from_its_url(uploads: Uploads, tenant: Tenant) -> None:
    async with serving(image=image) as (url, _):
        upload = await uploads.create_from_url(*tenant, f"{url}/image/my%20holiday.jpg?size=large")
    assert (upload.mime, upload.file_name) == ("image/png", "my holiday.jpg")
    assert await uploads.read(upload) == png()


async def test_up_to_three_redirects_are_followed(uploads: Uploads, tenant: Tenant) -> None:
    async with serving(image=image, redirect=redirect) as (url, asked):
        upload = await uploads.create_from_url(*tenant, f"{url}/redirect/3")
        assert upload.mime == "image/png"
        assert len(asked) == 4
        with pytest.raises(InvalidUpload) as refusal:
            await uploads.create_from_url(*tenant, f"{url}/redirect/4")
        assert refusal.value.code == "too_many_redirects"


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "file:///etc/passwd", "http://0x7f.1/",
     "//169.254.169.254/", "http://user@127.0.0.1/", "ftp://127.0.0.1/"],
)  # fmt: skip
async def test_a_redirect_to_where_we_do_not_go_is_refused(uploads: Uploads, tenant: Tenant, target: str) -> None:
    async with serving(redirect=redirect) as (url, asked):
        with pytest.raises(RefusedUrl):
            await uploads.create_from_url(*tenant, str(httpx.URL(f"{url}/redirect", params={"to": target})))
        assert asked == ["/redirect"]


async def test_a_private_address_is_refused_where_the_operator_has_not_allowed_it(
    pool: AsyncConnectionPool, tenant: Tenant, tmp_path: Path
) -> None:
    async with serving(image=image) as (url, asked), open_client(open_transport(guard=Guard())) as client:
        uploads = Uploads(pool, FolderStorage(tmp_path / "uploads"), client)
        for address in (url, url.replace("127.0.0.1", "localhost"), "no url", "http://[", "http://a\x00b/"):
            with pytest.raises(RefusedUrl):
                await uploads.create_from_url(*tenant, f"{address}/image")
        assert asked == []


async def not_found(request: web.Request) -> web.Response:
    return web.Response(status=404)


async def large(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    if request.path.endswith("announced"):
        response.content_length = 10_000_000
    await response.prepare(request)
    for _ in range(100):
        await response.write(bytes(100_000))
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100_000
    await response.prepare(request)
    await response.write(png())
    assert request.transport is not None
    request.transport.close()
    return response


async def dripping(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.02)


async def mute(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("not_found", "download_failed", "status 404"),
        ("large/announced", "file_too_large", "too large"),
        ("large/streamed", "file_too_large", "too large"),
        ("cut", "download_failed", "broke off"),
        ("dripping", "download_timed_out", "0.5 seconds"),
        ("mute", "download_timed_out", "0.5 seconds"),
    ],
)
async def test_a_fetch_that_fails_says_why_and_leaves_nothing(
    pool: AsyncConnectionPool,
    tenant: Tenant,
    tmp_path: Path,
    client: httpx.AsyncClient,
    path: str,
    code: str,
    words: str,
) -> None:
    storage = FolderStorage(tmp_path / "uploads")
    uploads = Uploads(pool, storage, client, max_bytes=1_000_000, fetch_seconds=0.5)
    routes = {"not_found": not_found, "large": large, "cut": cut, "dripping": dripping, "mute": mute}
    async with serving(**routes, redirect=redirect) as (url, _):
        with pytest.raises(InvalidUpload) as refusal:
            await uploads.create_from_url(*tenant, f"{url}/{path}")
    assert refusal.value.code == code
    assert words in refusal.value.message
    assert files(tmp_path) == []


async def test_a_url_that_nobody_serves_says_so_without_naming_an_address(uploads: Uploads, tenant: Tenant) -> None:
    async with serving() as (url, _):
        pass
    with pytest.raises(InvalidUpload, match="cannot be reached") as refusal:
        await uploads.create_from_url(*tenant, url.replace("127.0.0.1", "localhost"))
    assert "127.0.0.1" not in refusal.value.message


async def test_a_large_upload_does_not_stop_the_others(
    pool: AsyncConnectionPool, tenant: Tenant, tmp_path: Path, client: httpx.AsyncClient
) -> None:
    """While one body is held up half way, others come in."""
    uploads = Uploads(pool, FolderStorage(tmp_path / "uploads"), client)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def held_up() -> AsyncIterator[bytes]:
        content = png()
        yield content[:50]
        held.set()
        await go_on.wait()
        yield content[50:]

    slow = asyncio.create_task(uploads.create(*tenant, held_up(), None))
    await held.wait()
    for colour in ("red", "green", "blue"):
        await uploads.create(*tenant, pieces(png(colour=colour)), None)
    assert not slow.done()
    go_on.set()
    assert (await slow).sha256 == hashlib.sha256(png()).digest()
    assert os.listdir(tmp_path / "uploads" / "incoming") == []
