"""Two gigabytes by every way in, and the server's memory does not grow with them."""

import asyncio
import http.server
import os
import shutil
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from server.serve import bound
from tests.core.media.files import film
from tests.server.conftest import COOK, House, picture, settings_for, settle
from tests.server.test_serve import process

pytestmark = pytest.mark.big

GIGABYTES = 2
MOST_GROWTH = 64 * 1024 * 1024
PIECE = 1024 * 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A film with two gigabytes of nothing in an atom that every reader skips."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "large.mp4"
    size = GIGABYTES * 1024**3
    with path.open("wb") as file:
        file.write(film(folder, name="small"))
        file.write(struct.pack(">I4sQ", 1, b"free", size))
        file.truncate(file.tell() + size - 16)
    yield path
    shutil.rmtree(folder)


@contextmanager
def serving(database_url: str, redis_url: str, folder: Path, **more: Any) -> Iterator[tuple[House, int]]:
    """A server process, warm, and its process id."""
    settings = msgspec.structs.replace(settings_for(database_url, redis_url, folder), **more)
    owner, stranger, account_id = asyncio.run(settle(settings, COOK))
    with bound("127.0.0.1", 0) as listener, process(settings, listener) as child:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        house = House(
            url=url,
            database_url=database_url,
            owner=owner,
            stranger=stranger,
            account_id=account_id,
            settings=settings,
        )
        with house.client() as client:
            for colour in ("red", "green", "blue"):
                made = client.post("/api/v1/upload", files={"file": ("p.png", picture(colour), "image/png")})
                assert made.status_code == 200, made.text
        yield house, child.pid


def memory(pid: int, kind: str) -> int:
    """Bytes that a process holds (`VmRSS`), or ever held (`VmHWM`)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def pieces(path: Path, mark: bytes = b"") -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
    # Another content each time: what is there already would not be written again.
    if mark:
        yield struct.pack(">I4s", 8 + len(mark), b"free") + mark


def by_form(house: House, client: httpx.Client, large: Path) -> httpx.Response:
    head = b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="p.mp4"\r\n\r\n'

    def body() -> Iterator[bytes]:
        yield head
        yield from pieces(large, b"form")
        yield b"\r\n--xyz--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=xyz"}
    return client.post("/api/v1/upload", content=body(), headers=headers)


def by_put(house: House, client: httpx.Client, large: Path) -> httpx.Response:
    slot = client.post("/api/v1/upload/init", json={"fileName": "p.mp4", "mimeType": "video/mp4"}).json()
    put = httpx.put(slot["url"], content=pieces(large, b"put"), trust_env=False, timeout=300)
    assert put.status_code == 200, put.text
    return client.post("/api/v1/upload/finalize", json={"path": slot["path"]})


def from_url(house: House, client: httpx.Client, large: Path) -> httpx.Response:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for piece in pieces(large, b"from-url"):
                self.wfile.write(piece)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/p.mp4"
        answer = client.post("/api/v1/upload/from-url", json={"url": url})
        server.shutdown()
    return answer


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the memory of a process from /proc")
@pytest.mark.parametrize("way", [by_form, by_put, from_url])
def test_two_gigabytes_come_in_and_go_out_and_memory_does_not_grow(
    way: Any, large: Path, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with serving(database_url, redis_url, tmp_path) as (house, pid):
        before = memory(pid, "VmRSS")
        with house.client() as client:
            client.timeout = httpx.Timeout(600)
            answer = way(house, client, large)
        assert answer.status_code == 200, answer.text
        assert answer.json()["fileSize"] > GIGABYTES * 1024**3
        assert answer.json()["mime"] == "video/mp4"
        growth = memory(pid, "VmHWM") - before
        print(f"{way.__name__}: {answer.json()['fileSize']:,} bytes, memory grew by {growth / 1024**2:.1f} MB")
        assert growth < MOST_GROWTH
    shutil.rmtree(tmp_path)
