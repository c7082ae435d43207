"""Servers of other people's making, started for the tests of a module."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

READY_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def serving(argv: list[str], folder: Path, surroundings: Mapping[str, str], url: str) -> Iterator[None]:
    """A program that answers at `url` for as long as the block lasts."""
    log = folder / "server.log"
    with log.open("wb") as out:
        program = subprocess.Popen(argv, cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            _wait(program, url, log)
            yield
        finally:
            program.terminate()
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def _wait(program: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        assert program.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"nobody answers at {url}: {log.read_text()}")


def pds_surroundings(folder: Path, port: int, directory: int) -> dict[str, str]:
    """What a personal data server wants to know; its keys are made up anew."""
    (folder / "data" / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "tmp").mkdir(exist_ok=True)
    return {
        "PDS_PORT": str(port),
        "PLC_PORT": str(directory),
        "PDS_HOSTNAME": "localhost",
        "PDS_DEV_MODE": "true",
        "PDS_DID_PLC_URL": f"http://127.0.0.1:{directory}",
        "PDS_DATA_DIRECTORY": str(folder / "data"),
        "PDS_BLOBSTORE_DISK_LOCATION": str(folder / "data" / "blobs"),
        "PDS_BLOBSTORE_DISK_TMP_LOCATION": str(folder / "data" / "tmp"),
        "PDS_SERVICE_HANDLE_DOMAINS": ".test",
        "PDS_INVITE_REQUIRED": "false",
        "PDS_CRAWLERS": "",
        "PDS_DISABLE_SSRF_PROTECTION": "true",
        "PDS_RATE_LIMITS_ENABLED": "true",
        "PDS_JWT_SECRET": secrets.token_hex(16),
        "PDS_ADMIN_PASSWORD": secrets.token_hex(16),
        "PDS_BLOB_UPLOAD_LIMIT": "5242880",
        "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": secrets.token_hex(32),
        "LOG_ENABLED": "false",
        "NODE_ENV": "production",
    }


def python_environment(folder: Path, *packages: str) -> Path:
    """The programs of a virtual environment of its own with these packages."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
    programs = folder / "bin"
    install = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return programs
