"""The server process: on an address or a socket that is handed in, stopped in order, and clear when it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.errors import Misconfigured
from core.registry import Registry
from core.settings import Settings
from core.vault import Vault
from server.serve import bound, handed_in, serve
from tests.server.conftest import settings_for

PROGRAM = """
import sys
from core import logs
from core.registry import Registry
from core.settings import Settings
from server.serve import handed_in, serve
logs.configure("info")
serve(Settings.read(), Registry.installed(), listener=handed_in(int(sys.argv[1])))
"""
SECONDS = 30.0


def environment(settings: Settings) -> dict[str, str]:
    own = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "FINGERPOST_MASTER_KEYS": settings.master_keys,
        "FINGERPOST_STATE": settings.state,
        "FINGERPOST_ALLOW_URLS": settings.allow_urls,
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("FINGERPOST_")} | own


@contextmanager
def process(settings: Settings, listener: socket.socket) -> Iterator[subprocess.Popen[str]]:
    """A server process on a socket of ours; killed if it is still there in the end."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(listener.fileno())],
        env=environment(settings),
        pass_fds=[listener.fileno()],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_a_socket_handed_in_and_ends_in_order(
    database_url: str, redis_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    settings = settings_for(database_url, redis_url, tmp_path)
    with bound("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with process(settings, listener) as child:
            # The socket listens before the process does anything: the request waits for it.
            assert httpx.get(f"{url}/health", timeout=SECONDS).json()["status"] == "ok"
            child.send_signal(number)
            _, log = child.communicate(timeout=SECONDS)
        assert child.returncode == 0, log
        assert '"stopped"' in log.splitlines()[-1]
        assert "Traceback" not in log
        with process(settings, listener):
            assert httpx.get(f"{url}/health", timeout=SECONDS).status_code == 200


def test_a_request_under_way_is_finished_after_the_signal(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with bound("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with process(settings_for(database_url, redis_url, tmp_path), listener) as child:
            assert httpx.get(f"http://127.0.0.1:{address[1]}/health", timeout=SECONDS).status_code == 200
            with socket.create_connection(address, timeout=SECONDS) as client:
                client.sendall(b"POST /api/v1/post HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{")
                assert child.stderr is not None
                child.send_signal(signal.SIGTERM)
                deadline = time.monotonic() + SECONDS
                while _accepts(address):
                    assert time.monotonic() < deadline
                client.sendall(b"}")
                assert client.recv(100).startswith(b"HTTP/1.1 401")
            assert child.wait(SECONDS) == 0


def _accepts(address: tuple[str, int]) -> bool:
    """Whether the process still answers new connections; the socket itself stays ours and open."""
    try:
        httpx.get(f"http://127.0.0.1:{address[1]}/health", timeout=0.2)
    except httpx.TransportError:
        return False
    return True


def test_a_database_that_is_away_is_named_and_no_traceback(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.app.PATIENCE_SECONDS", 0.5)
    settings = settings_for(f"postgresql://nobody@localhost/none?host={tmp_path}", redis_url, tmp_path)
    with bound("127.0.0.1", 0) as listener, pytest.raises(Misconfigured, match="PostgreSQL"):
        serve(settings, Registry(), listener=listener)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"master_keys": "1:short"}, "FINGERPOST_MASTER_KEYS"),
        ({"state": ""}, "FINGERPOST_STATE"),
        ({"allow_urls": "not/a/host"}, "allowed hosts"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_opened(
    tmp_path: Path, changes: dict[str, str], named: str
) -> None:
    values = {"database_url": "postgresql://x", "redis_url": "redis://x", "master_keys": Vault.generate(), "state": "x"}
    with bound("127.0.0.1", 0) as listener, pytest.raises(Misconfigured, match=named):
        serve(Settings(**values | changes), Registry(), listener=listener)  # type: ignore[arg-type]  # all are texts


def test_an_address_that_is_taken_is_named() -> None:
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Misconfigured, match=str(port)):
            bound("127.0.0.1", port)


def test_a_descriptor_that_is_no_socket_is_named() -> None:
    with open(os.devnull) as file, pytest.raises(Misconfigured, match="no socket"):
        handed_in(file.fileno())


def test_an_ipv6_address_can_be_served() -> None:
    try:
        with bound("::1", 0) as listener:
            assert listener.family == socket.AF_INET6
    except Misconfigured:
        pytest.skip("this machine has no IPv6")
