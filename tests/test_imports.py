"""Nobody waits for what they have no use for: which heavy packages an import brings, and which it must not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MEDIA = {"av", "PIL", "pillow_heif"}
"""Who opens films and pictures does so in a process of their own (`core.media.child`)."""

API = {"litestar", "uvicorn"}
ROWS = {"psycopg", "redis"}
CALLS = {"aiohttp", "httpx"}

HAVE_NO_USE_FOR = {
    "fingerpost": {*MEDIA, *API, *ROWS, "aiohttp", "dramatiq", "rich", "structlog"},
    "server.cli": {*MEDIA, *API, *ROWS, *CALLS, "dramatiq", "adapters", "rich"},
    # The servers start first, and what is done with them comes after.
    "server.cli.up": {*MEDIA, *API, *CALLS, "dramatiq", "adapters", "rich", "structlog"},
    "server.cli.serve": {*MEDIA, "dramatiq"},
    "workers.commands": {*MEDIA, *API, "pika"},
    "server.cli.sandbox": {*API, *ROWS, "av", "pillow_heif", "dramatiq"},
}


@pytest.mark.parametrize("module", HAVE_NO_USE_FOR)
def test_an_import_brings_nothing_heavy_that_it_has_no_use_for(module: str) -> None:
    # None stands for what was left out on purpose.
    code = f"import sys, {module}\nprint(*[name for name, brought in sys.modules.items() if brought is not None])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    brought = {name.partition(".")[0] for name in done.stdout.split()}
    assert module.partition(".")[0] in brought
    assert brought & HAVE_NO_USE_FOR[module] == set()
