"""A server that speaks S3, for tests of everything that keeps files there."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from core.settings import Settings
from core.uploads.storage import Storage, open_storage

BUCKET = "uploads"
START_SECONDS = 60.0


class S3(msgspec.Struct, frozen=True, kw_only=True):
    """The server at a URL, with one bucket."""

    url: str

    def settings(self, folder: Path) -> Settings:
        """Settings of a server of ours that keeps its uploads there, below a path."""
        return Settings(
            database_url="",
            redis_url="",
            master_keys="",
            state=str(folder),
            storage_url=f"s3://{BUCKET}/some/path",
            storage_endpoint=self.url,
            storage_key_id="key",
            storage_secret="secret",
        )

    def storage(self, folder: Path) -> Storage:
        """That storage."""
        return open_storage(self.settings(folder))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """One server for all tests; what is in it is nobody's business."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"
    surroundings = {**os.environ, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert server.poll() is None, "the server ended while it started"
            assert time.monotonic() < deadline, "the server does not start"
            try:
                if httpx.put(f"{url}/{BUCKET}", trust_env=False).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        try:
            yield S3(url=url)
        finally:
            server.kill()
