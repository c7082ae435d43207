"""Uploads over real HTTP."""

import asyncio
import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from core.database.pool import open_pool
from core.tenants.tenants import Tenants
from tests.server.conftest import House, picture

UPLOAD = "/api/v1/upload/"


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    """A server that has one picture, at `/p.png`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/p.png"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(picture("blue") if found else b"")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def second_team(house: House) -> str:
    async def make() -> str:
        async with open_pool(house.database_url, size=1, name="tests") as pool:
            return str((await Tenants(pool).create_team(house.owner.organization_id, "second")).id)

    return asyncio.run(make())


def test_a_file_is_taken_in_and_shown_as_the_vendor_shows_it(house: House, client: httpx.Client) -> None:
    file = picture(size=(640, 480))
    form = {"teamId": str(house.owner.team_id)}
    answer = client.post(UPLOAD, data=form, files={"file": ("../p.png", file, "image/png")})
    assert answer.status_code == 200, answer.text
    upload = answer.json()
    assert upload["teamId"] == str(house.owner.team_id)
    assert upload["organizationId"] == str(house.owner.organization_id)
    assert (upload["type"], upload["mime"], upload["ext"]) == ("image", "image/png", "png")
    assert (upload["width"], upload["height"], upload["fileSize"]) == (640, 480, len(file))
    assert upload["createdAt"].endswith("Z")
    assert {"url", "iconUrl", "thumbnailUrl", "externalLink", "path", "videoLength", "updatedAt"} <= upload.keys()
    assert client.get(UPLOAD + upload["id"]).json() == upload


def test_the_team_may_come_after_the_file(house: House, client: httpx.Client) -> None:
    second_team(house)
    boundary = "xyz"
    body = (
        b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="p.png"\r\n\r\n%s\r\n'
        b'--xyz\r\ncontent-disposition: form-data; name="teamId"\r\n\r\n%s\r\n--xyz--\r\n'
    ) % (picture(), str(house.owner.team_id).encode())
    answer = client.post(UPLOAD, content=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["teamId"] == str(house.owner.team_id)


def test_the_team_may_be_left_out_only_where_there_is_one(house: House, client: httpx.Client) -> None:
    files = {"file": ("p.png", picture(), "image/png")}
    assert client.post(UPLOAD, files=files).json()["teamId"] == str(house.owner.team_id)
    second_team(house)
    answer = client.post(UPLOAD, files=files)
    assert answer.status_code == 400
    assert [(issue["code"], issue["path"]) for issue in answer.json()["issues"]] == [("missing_field", ["teamId"])]


def test_a_strangers_team_is_not_found(house: House, client: httpx.Client) -> None:
    files = {"file": ("p.png", picture(), "image/png")}
    for team in (str(house.stranger.team_id), "team_1", "\0"):
        answer = client.post(UPLOAD, data={"teamId": team}, files=files)
        assert answer.status_code == 404, answer.text
    assert house.count("uploads") == 0


@pytest.mark.parametrize("content", [b"", b"no picture", picture()[:100]])
def test_a_file_that_is_no_picture_is_refused(house: House, client: httpx.Client, content: bytes) -> None:
    answer = client.post(UPLOAD, files={"file": ("p.png", content, "image/png")})
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert house.count("uploads") == 0


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b'{"teamId": "x"}', "application/json", "missing_field"),
        (b"", "multipart/form-data; boundary=x", "missing_field"),
        (b"", "", "missing_field"),
        (b"", "multipart/form-data", "malformed_form"),
        (b"garbage", "multipart/form-data; boundary=x", "malformed_form"),
        (b'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\nabc\r\n--x--', "multipart/form-data; boundary=x",
         "missing_field"),
        (b'--x\r\ncontent-disposition: form-data; name="teamId"\r\n\r\n\xff\xfe\r\n--x--',
         "multipart/form-data; boundary=x", "malformed_form"),
        (b'--x\r\ncontent-disposition: form-data; name="teamId"\r\ncontent-type: text/plain; charset=klingon\r\n'
         b"\r\na\r\n--x--", "multipart/form-data; boundary=x", "malformed_form"),
        (b"file=abc", "application/x-www-form-urlencoded", "missing_field"),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_read_is_told(
    house: House, client: httpx.Client, content: bytes, content_type: str, code: str
) -> None:
    answer = client.post(UPLOAD, content=content, headers={"content-type": content_type})
    assert answer.status_code == 400, answer.text
    assert [issue["code"] for issue in answer.json()["issues"]] == [code]


def test_a_file_that_is_too_large_is_refused(house: House, client: httpx.Client) -> None:
    noise = picture() + bytes(100 * 1024 * 1024)
    answer = client.post(UPLOAD, files={"file": ("p.png", noise, "image/png")})
    assert (answer.status_code, answer.json()["code"]) == (400, "file_too_large")
    beside = {"note": "x" * 100_000}
    assert client.post(UPLOAD, data=beside, files={"file": ("p.png", picture(), "image/png")}).status_code == 413
    assert house.count("uploads") == 0


def test_a_picture_is_fetched_from_a_url(house: House, client: httpx.Client, pictures: str) -> None:
    answer = client.post(UPLOAD + "from-url", json={"teamId": str(house.owner.team_id), "url": f"{pictures}/p.png"})
    assert answer.status_code == 200, answer.text
    assert client.get(UPLOAD + answer.json()["id"]).json() == answer.json()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, ["url"]),
        ({"url": 5}, ["url"]),
        ({"url": "ftp://example.com/p.png"}, ["url"]),
        ({"url": "https://example.com", "team": "x"}, ["team"]),
    ],
)
def test_every_fault_of_a_fetch_is_told(client: httpx.Client, body: dict[str, Any], path: list[str]) -> None:
    answer = client.post(UPLOAD + "from-url", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert [issue["path"] for issue in answer.json()["issues"]] == [path]


@pytest.mark.parametrize("url", ["http://10.0.0.1/p.png", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"])
def test_a_url_that_leads_inside_is_refused(client: httpx.Client, url: str) -> None:
    answer = client.post(UPLOAD + "from-url", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (400, "url_refused")


def test_a_picture_that_is_not_there_is_told(client: httpx.Client, pictures: str) -> None:
    answer = client.post(UPLOAD + "from-url", json={"url": f"{pictures}/nothing.png"})
    assert (answer.status_code, answer.json()["code"]) == (400, "download_failed")


def test_two_posts_may_name_the_same_upload(house: House, client: httpx.Client, pin: Any) -> None:
    upload = client.post(UPLOAD, files={"file": ("p.png", picture(), "image/png")}).json()
    body = pin({"mediaUrls": None, "uploadIds": [upload["id"]]})
    for _ in range(2):
        created = client.post("/api/v1/post", json=body).json()
        assert client.get(f"/api/v1/post/{created['id']}").json()["uploads"][0]["upload"] == upload
    with psycopg.connect(house.database_url) as connection:
        assert connection.execute("select count(*) from post_uploads").fetchone() == (2,)
