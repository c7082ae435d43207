"""Everything on servers of one's own: PostgreSQL, Redis, and RabbitMQ where there is one."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.vault import Vault
from tests.docs.readme import blocks
from tests.server.cli.processes import PATIENCE_SECONDS
from tests.server.cli.running import FINGERPOST, Client, environment, run, said, up

pytestmark = pytest.mark.engine

OWN_BROKER = "FINGERPOST_TEST_BROKER_URL"


@pytest.fixture(params=["redis", "amqp"])
def own(request: pytest.FixtureRequest, database_url: str, redis_url: str) -> dict[str, str]:
    """Settings that name the servers of this test."""
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    if request.param == "amqp":
        if OWN_BROKER not in os.environ:
            pytest.skip(f"{OWN_BROKER} names no RabbitMQ")
        settings["FINGERPOST_BROKER_URL"] = os.environ[OWN_BROKER]
    return settings


def test_a_pin_goes_out_over_servers_of_ones_own(own: dict[str, str], tmp_path: Path) -> None:
    with up(tmp_path / "state", "--json", **own) as started:
        client = Client(said(started.line()))
        client.published(client.post("On servers of our own"))
        ran = [process.command for process in started.descendants()]
        assert len(ran) >= 4
        assert not [command for command in ran if "postgres" in command or "valkey" in command]
        assert started.stop() == 0


def test_the_commands_of_the_readme_start_each_process_by_itself(own: dict[str, str], tmp_path: Path) -> None:
    (block,) = (block for block in blocks("sh") if "fingerpost serve" in block)
    named = set(re.findall(r"^export (\w+)=", block, re.MULTILINE))
    settings = {**own, "FINGERPOST_MASTER_KEYS": Vault.generate(), "FINGERPOST_STATE": str(tmp_path)}
    assert named == set(settings) | {"FINGERPOST_BROKER_URL"}
    commands = [line.split() for line in block.splitlines() if line.startswith("fingerpost ")]
    once = [words[1:] for words in commands if words[-1] != "&"]
    assert once == [["migrate"], ["keys", "create"]]
    for words in once:
        done = run(*words, **settings)
        assert done.returncode == 0, done.stderr
    key = done.stdout.split()[1]
    with process("serve", "--host", "127.0.0.1", "--port", "0", **settings) as serve:
        url = f"http://127.0.0.1:{_port(serve)}"
        assert httpx.get(f"{url}/health", trust_env=False).json() == {"status": "ok", "database": "ok", "redis": "ok"}
        answer = httpx.get(f"{url}/api/v1/webhook-endpoint", headers={"x-api-key": key}, trust_env=False)
        assert answer.json() == {"items": [], "total": 0}
        with process("schedule", **settings), process("work", **settings):
            pass
    assert [words[1] for words in commands if words[-1] == "&"] == ["serve", "schedule", "work"]


@contextmanager
def process(*arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to stop; it has to be running then, and to end in good order."""
    ready, write = os.pipe()
    extra = ["--ready-fd", str(write)] if arguments[0] in ("work", "schedule") else []
    child = subprocess.Popen(
        [FINGERPOST, *arguments, *extra],
        env=environment(**settings),
        stderr=subprocess.PIPE,
        pass_fds=[write],
        text=True,
    )
    os.close(write)
    try:
        if extra:
            assert os.read(ready, 100) == b"ready\n", child.communicate()[1]
        yield child
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        _, log = child.communicate(timeout=PATIENCE_SECONDS)
        assert child.returncode == 0, log
        assert "Traceback" not in log
    finally:
        os.close(ready)
        child.kill()
        child.wait()


def _port(serve: subprocess.Popen[str]) -> int:
    """The port that the log names once it listens."""
    assert serve.stderr is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := re.search(r"127\.0\.0\.1', (\d+)", serve.stderr.readline()):
            return int(found[1])
    raise AssertionError("it does not listen")
