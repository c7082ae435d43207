"""The other ways in, the lists, and the ways out of uploads, over real HTTP."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from core.database.pool import open_pool
from core.guard import Guard
from core.http import open_client, open_transport
from core.registry import Registry
from core.uploads.opening import open_media
from core.uploads.storage import open_storage
from core.vault import Vault
from server.app import create_app
from tests.core.media.files import exif, noise, saved
from tests.s3 import S3, s3
from tests.server.conftest import COOK, House, picture, pin_of, running, settings_for, settle

__all__ = ["s3"]

UPLOAD = "/api/v1/upload/"
ID = "0190b3f0-0000-7000-8000-000000000000"


def serving(database_url: str, redis_url: str, folder: Path, **changes: Any) -> Iterator[House]:
    """A server with settings of the test's own."""
    settings = msgspec.structs.replace(settings_for(database_url, redis_url, folder), **changes)
    owner, stranger, account_id = asyncio.run(settle(settings, COOK))
    with running(create_app(settings, Registry.installed())) as url:
        yield House(
            url=url,
            database_url=database_url,
            owner=owner,
            stranger=stranger,
            account_id=account_id,
            settings=settings,
        )


@pytest.fixture(params=["folder", "s3"])
def either(request: pytest.FixtureRequest, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[House]:
    """A server over either place for files."""
    more: dict[str, Any] = {}
    if request.param == "s3":
        server: S3 = request.getfixturevalue("s3")
        made = server.settings(tmp_path)
        more = {name: getattr(made, name) for name in made.__struct_fields__ if name.startswith("storage_")}
    yield from serving(database_url, redis_url, tmp_path, public_url="https://posts.example", **more)


def upload(client: httpx.Client, content: bytes | None = None, **form: str) -> dict[str, Any]:
    answer = client.post(UPLOAD, data=form, files={"file": ("p.png", content or picture(), "image/png")})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def sweep(house: House) -> None:
    """What the worker does of its own accord, with nothing left to settle."""

    async def once() -> None:
        async with open_pool(house.settings.database_url, size=2, name="tests") as pool:
            client = open_client(open_transport(guard=Guard()))
            storage, vault = open_storage(house.settings), Vault.parse(house.settings.master_keys)
            async with client, open_media(house.settings, pool, storage, client, vault) as media:
                await media.expiry.sweep(settle_seconds=0)

    asyncio.run(once())


def begun(client: httpx.Client, **body: Any) -> dict[str, Any]:
    whole = {"fileName": "p.png", "mimeType": "image/png"} | body
    answer = client.post(UPLOAD + "init", json=whole)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at(house: House, url: str) -> str:
    """A public address of ours, as it is reached here."""
    return url.replace("https://posts.example", house.url)


def test_a_file_is_put_by_itself_and_taken_in(either: House) -> None:
    content = picture("green")
    with either.client() as client, httpx.Client(trust_env=False) as nobody:
        slot = begun(client, altText="Something green", fileSize=len(content))
        unready = client.post(UPLOAD + "finalize", json={"path": slot["path"]})
        assert (unready.status_code, unready.json()["code"]) == (400, "nothing_was_put")
        assert nobody.put(at(either, slot["url"]), content=content[:-5]).status_code == 200
        cut = client.post(UPLOAD + "finalize", json={"path": slot["path"]})
        assert (cut.status_code, cut.json()["code"]) == (400, "size_differs")
        assert nobody.put(at(either, slot["url"]), content=content).status_code == 200
        with either.client(either.stranger.secret) as stranger:
            assert stranger.post(UPLOAD + "finalize", json={"path": slot["path"]}).status_code == 404
        made = client.post(UPLOAD + "finalize", json={"teamId": str(either.owner.team_id), "path": slot["path"]})
        assert made.status_code == 200, made.text
        assert (made.json()["mime"], made.json()["altText"]) == ("image/png", "Something green")
        again = client.post(UPLOAD + "finalize", json={"path": slot["path"]})
        assert again.json()["id"] == made.json()["id"]
        read = nobody.get(at(either, made.json()["url"]))
        assert (read.status_code, read.content) == (200, content)


def test_what_is_no_slot_is_not_found(house: House, client: httpx.Client) -> None:
    slot = begun(client)
    team = str(house.owner.team_id)
    for path in ("", "x", f"incoming/{team}/{ID}", f"incoming/{ID}/{slot['path'][-36:]}", slot["path"] + "/", "../x"):
        assert client.post(UPLOAD + "finalize", json={"path": path}).status_code == 404, path
    token = slot["url"].rpartition("/")[2]
    flipped = token[:10] + ("A" if token[10] != "A" else "B") + token[11:]
    for wrong in (flipped, token[:-4], "x", token + "AAAA", "%00"):
        answer = httpx.put(f"{house.url}/api/v1/upload/put/{wrong}", content=b"x", trust_env=False)
        assert answer.status_code == 404, wrong
    assert client.get(f"/media/{token}").status_code == 404
    assert client.post(UPLOAD + "init", json={"fileName": "a.pdf", "mimeType": "application/pdf"}).status_code == 400
    huge = {"fileName": "a.mp4", "mimeType": "video/mp4", "fileSize": 10**15}
    assert client.post(UPLOAD + "init", json=huge).json()["code"] == "file_too_large"


@pytest.mark.parametrize("step", ["init", "sign", "complete", "abort"])
def test_signed_parts_are_not_offered_and_it_says_what_is(client: httpx.Client, step: str) -> None:
    answer = client.post(f"{UPLOAD}multipart/{step}", json={})
    assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")
    assert "/api/v1/upload/init" in answer.json()["message"]


def test_uploads_are_listed_used_and_unused(house: House, client: httpx.Client, pin: Any) -> None:
    one, two = upload(client, picture("red")), upload(client, picture("blue"))
    body = pin({"mediaUrls": None, "uploadIds": [one["id"]]})
    post = client.post("/api/v1/post", json=body).json()

    def listed(**query: Any) -> list[str]:
        answer = client.get(UPLOAD, params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()]

    assert listed() == [two["id"], one["id"]]
    assert listed(status="USED", teamId=str(house.owner.team_id)) == [one["id"]]
    assert listed(status="UNUSED") == [two["id"]]
    assert listed(type="video") == []
    assert listed(types=["video", "image"], limit=1, offset=1) == [one["id"]]
    assert listed(ids=[one["id"], "nonsense", ID]) == [one["id"]]
    client.delete(f"/api/v1/post/{post['id']}")
    assert listed(status="USED") == []
    with house.client(house.stranger.secret) as stranger:
        assert stranger.get(UPLOAD).json() == []
        assert stranger.get(UPLOAD, params={"teamId": str(house.owner.team_id)}).status_code == 404
    for query in ({"status": "used"}, {"limit": "0"}, {"colour": "red"}, {"type": "cat"}):
        answer = client.get(UPLOAD, params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")


def test_an_upload_goes_with_its_file_and_only_when_no_post_waits_for_it(either: House) -> None:
    with either.client() as client:
        made = upload(client)
        path = UPLOAD + made["id"]
        body: dict[str, Any] = pin_of(either, {"mediaUrls": None, "uploadIds": [made["id"]]})
        post = client.post("/api/v1/post", json=body).json()
        refused = client.delete(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "upload_in_use")
        assert post["id"] in refused.json()["message"]
        many = client.request("DELETE", UPLOAD, json={"ids": [made["id"]]})
        assert many.status_code == 409
        client.delete(f"/api/v1/post/{post['id']}")
        with either.client(either.stranger.secret) as stranger:
            assert stranger.delete(path).status_code == 404
        gone = client.delete(path)
        assert (gone.status_code, gone.json()["id"]) == (200, made["id"])
        assert client.get(path).status_code == client.delete(path).status_code == 404
        assert httpx.get(at(either, made["url"]), trust_env=False).status_code == 404
    sweep(either)
    assert either.count("leavings") == 0


def test_many_go_at_once_or_none(house: House, client: httpx.Client) -> None:
    ids = [upload(client, picture(colour))["id"] for colour in ("red", "green", "blue")]
    assert client.request("DELETE", UPLOAD, json={"ids": [*ids, ID]}).status_code == 404
    assert house.count("uploads") == 3
    gone = client.request("DELETE", UPLOAD, json={"ids": ids})
    assert [item["id"] for item in gone.json()] == ids
    assert house.count("uploads") == 0
    wrong: list[dict[str, Any]] = [{}, {"ids": []}, {"ids": "x"}]
    for body in wrong:
        assert client.request("DELETE", UPLOAD, json=body).status_code == 400
    sweep(house)
    assert not [path for path in (Path(house.settings.state) / "uploads").rglob("*") if path.is_file()]


def test_a_team_has_so_much_room(database_url: str, redis_url: str, tmp_path: Path) -> None:
    size = len(picture("red"))
    for house in serving(database_url, redis_url, tmp_path, upload_quota=2 * size + 10):
        with house.client() as client:
            upload(client, picture("red"))
            upload(client, picture("red"))
            other = upload(client, picture("lime"))
            answer = client.post(UPLOAD, files={"file": ("p.png", picture("teal"), "image/png")})
            assert (answer.status_code, answer.json()["code"]) == (400, "upload_quota_reached")
            assert "delete" in answer.json()["message"]
            slot = begun(client)
            put = httpx.put(slot["url"], content=picture("teal"), trust_env=False)
            assert (put.status_code, put.json()["code"]) == (400, "upload_quota_reached")
            client.delete(UPLOAD + other["id"])
            assert httpx.put(slot["url"], content=picture("teal"), trust_env=False).status_code == 200
            answer = client.post(UPLOAD, files={"file": ("p.png", picture("lime"), "image/png")})
            assert (answer.status_code, answer.json()["code"]) == (400, "upload_quota_reached")
            assert client.post(UPLOAD + "finalize", json={"path": slot["path"]}).status_code == 200


def test_what_nobody_uses_expires_and_what_came_again_lives_on(house: House, client: httpx.Client, pin: Any) -> None:
    ids = [upload(client, picture(colour))["id"] for colour in ("red", "green", "blue")]
    client.post("/api/v1/post", json=pin({"mediaUrls": None, "uploadIds": [ids[0]]}))
    slot = begun(client)
    assert httpx.put(slot["url"], content=b"left behind", trust_env=False).status_code == 200
    with psycopg.connect(house.database_url) as connection:
        connection.execute("update uploads set updated_at = now() - interval '31 days'")
        connection.execute("update upload_slots set expires_at = now() - interval '2 hours'")
    upload(client, picture("green"))
    sweep(house)
    assert {item["id"] for item in client.get(UPLOAD).json()} == set(ids[:2])
    assert client.post(UPLOAD + "finalize", json={"path": slot["path"]}).status_code == 404
    files = [path.name for path in (Path(house.settings.state) / "uploads").rglob("*") if path.is_file()]
    assert len(files) == 2


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        (None, 200, slice(None), None),
        ("bytes=0-9", 206, slice(0, 10), "bytes 0-9/{size}"),
        ("bytes=10-", 206, slice(10, None), "bytes 10-{last}/{size}"),
        ("bytes=-7", 206, slice(-7, None), None),
        ("bytes=5-99999999", 206, slice(5, None), "bytes 5-{last}/{size}"),
        ("bytes=99999999-", 416, slice(0, 0), "bytes */{size}"),
        ("bytes=-0", 416, slice(0, 0), "bytes */{size}"),
        ("bytes=9-3", 200, slice(None), None),
        ("bytes=0-1,4-5", 200, slice(None), None),
        ("lines=1-2", 200, slice(None), None),
        ("bytes=-", 200, slice(None), None),
    ],
)
def test_a_public_link_reads_the_file_in_ranges(
    link: tuple[House, str, bytes], asked: str | None, status: int, part: slice, told: str | None
) -> None:
    house, url, content = link
    headers = {"range": asked} if asked else {}
    for method in ("GET", "HEAD"):
        answer = httpx.request(method, at(house, url), headers=headers, trust_env=False)
        assert answer.status_code == status
        assert answer.content == (content[part] if method == "GET" else b"")
        if status != 416:
            assert answer.headers["content-length"] == str(len(content[part]))
            assert answer.headers["content-type"] == "image/png"
        if told:
            assert answer.headers["content-range"] == told.format(size=len(content), last=len(content) - 1)
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture(scope="module")
def link(shared_house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str, bytes]]:
    """A server with a public address, and a file on it."""
    settings = msgspec.structs.replace(shared_house.settings, public_url="https://posts.example")
    content = picture("navy", (800, 800))
    with running(create_app(settings, Registry.installed())) as url:
        house = msgspec.structs.replace(shared_house, url=url, settings=settings)
        with house.client() as client:
            yield house, upload(client, content)["url"], content


def test_a_range_of_something_else_is_the_whole(link: tuple[House, str, bytes]) -> None:
    house, url, content = link
    etag = httpx.get(at(house, url), trust_env=False).headers["etag"]
    for tag, status in ((etag, 206), ('"other"', 200)):
        headers = {"range": "bytes=0-4", "if-range": tag}
        answer = httpx.get(at(house, url), headers=headers, trust_env=False)
        assert answer.status_code == status
        assert answer.content == (content[:5] if status == 206 else content)


def test_a_link_cannot_be_guessed_or_outlive_its_time(link: tuple[House, str, bytes], database_url: str) -> None:
    house, url, _ = link
    token = url.rpartition("/")[2].partition(".")[0]
    for position in (0, 20, 40, len(token) - 2):
        forged = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        assert httpx.get(f"{house.url}/media/{forged}.png", trust_env=False).status_code == 404
    settings = msgspec.structs.replace(house.settings, link_hours=-24.0)
    with running(create_app(settings, Registry.installed())) as old:
        expired = msgspec.structs.replace(house, url=old)
        with expired.client() as client:
            over = upload(client, picture("navy", (800, 800)))["url"]
        assert httpx.get(at(house, over), trust_env=False).status_code == 404


def test_no_link_stands_in_the_log(link: tuple[House, str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    house, url, _ = link
    token = url.rpartition("/")[2].partition(".")[0]
    assert httpx.get(at(house, url), trust_env=False).status_code == 200
    with house.client() as client:
        slot = begun(client)
    httpx.put(at(house, slot["url"]), content=b"x", trust_env=False)
    told = capfd.readouterr()
    assert "/media/…" in told.out
    assert token not in told.out + told.err
    assert slot["url"].rpartition("/")[2] not in told.out + told.err


def test_the_answer_to_a_post_tells_how_its_picture_is_made_to_fit(
    house: House, client: httpx.Client, pin: Any
) -> None:
    turned = upload(client, saved(noise(size=(900, 600)), "JPEG", exif=exif(6, place=True)))
    assert (turned["width"], turned["height"]) == (600, 900)
    webp = upload(client, saved(noise(size=(600, 900)), "WEBP"))
    for made, words in ((turned, "the place where it was taken"), (webp, "sent as JPEG")):
        answer = client.post("/api/v1/post", json=pin({"mediaUrls": None, "uploadIds": [made["id"]]}))
        assert answer.status_code == 200, answer.text
        (warning,) = answer.json()["warnings"]
        assert warning["code"] == "media_fitted"
        assert warning["path"] == ["data", "PINTEREST", "uploadIds", 0]
        assert words in warning["message"]
    off = client.post("/api/v1/post", json=pin({"mediaUrls": None, "uploadIds": [webp["id"]]}) | {"mediaFit": "off"})
    assert [issue["code"] for issue in off.json()["issues"]] == ["media_type"]
    wrong = client.post("/api/v1/post", json=pin() | {"mediaFit": "crop"})
    assert [issue["code"] for issue in wrong.json()["issues"]] == ["not_a_choice"]


def test_what_would_lose_something_is_refused_with_what_to_do(house: House, client: httpx.Client, pin: Any) -> None:
    frames = [noise(size=(600, 900)).convert("RGB") for _ in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    made = upload(client, file.getvalue())
    answer = client.post("/api/v1/post", json=pin({"mediaUrls": None, "uploadIds": [made["id"]]}))
    (issue,) = answer.json()["issues"]
    assert issue["code"] == "media_animated"
    assert "motion" in issue["message"]


def test_platforms_tell_their_bounds_to_anyone(house: House) -> None:
    told = httpx.get(f"{house.url}/api/v1/platforms", trust_env=False).json()
    by_name = {platform["platform"]: platform for platform in told}
    media = by_name["PINTEREST"]["limits"]["media"]
    assert media["image"]["bytes_max"] == 20_000_000
    assert media["video"]["seconds"] == [4, 900]
    assert json.dumps(told)


def test_an_upload_brings_its_own_alternative_text(house: House, client: httpx.Client, pin: Any) -> None:
    made = upload(client, altText="A red square")
    block = {"mediaUrls": None, "uploadIds": [made["id"]]}
    posts = [pin(block), pin(block) | {"altText": "Shared"}, pin({**block, "altText": "Its own"})]
    for body in posts:
        assert client.post("/api/v1/post", json=body).status_code == 200
    with psycopg.connect(house.database_url) as connection:
        rows = connection.execute("select block->>'altText', post_id from deliveries order by id").fetchall()
    assert [row[0] for row in rows] == ["A red square", None, "Its own"]
    shown = client.get(f"/api/v1/post/{rows[0][1]}").json()
    assert "altText" not in shown["data"]["PINTEREST"]
    long = client.post(UPLOAD, data={"altText": "x" * 10_001}, files={"file": ("p.png", picture(), "image/png")})
    assert long.status_code == 400
