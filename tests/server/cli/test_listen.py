"""`fingerpost listen`: what happens is printed as it happens, and posted on as a webhook is."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.webhooks.signing import new_secret
from tests.server.cli.processes import PATIENCE_SECONDS
from tests.server.cli.running import FINGERPOST, environment, run
from tests.server.conftest import House


class Listening:
    """A running `listen`; its lines as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._said: queue.Queue[str] = queue.Queue()
        for stream, lines in ((process.stdout, self._lines), (process.stderr, self._said)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    def line(self) -> str:
        return self._lines.get(timeout=PATIENCE_SECONDS)

    def said(self) -> str:
        return self._said.get(timeout=PATIENCE_SECONDS)

    @staticmethod
    def _read(stream: Any, lines: "queue.Queue[str]") -> None:
        for line in stream:
            lines.put(line.rstrip("\n"))


@contextmanager
def listening(house: House, *options: str, key: str | None = None) -> Iterator[Listening]:
    process = subprocess.Popen(
        [FINGERPOST, "listen", "--api", house.url, *options],
        env=environment(FINGERPOST_API_KEY=key or house.owner.secret, COLUMNS="200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Listening(process)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@pytest.fixture
def received() -> Iterator[tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]]:
    """The URL of a local program that receives webhooks, and what came there."""
    calls: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()

    class Program(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.put((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Program)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks", calls
    server.shutdown()
    thread.join()
    server.server_close()


def test_events_are_printed_as_they_happen(house: House, client: httpx.Client) -> None:
    with listening(house, "--from-start", "--type", "team.created") as listener:
        assert house.url in listener.said()
        assert "team.created" in listener.line()
        team = client.post("/api/v1/team", json={"name": "New"}).json()["id"]
        line = listener.line()
        assert "team.created" in line
        assert f"{team} #1" in line


def test_only_what_happens_from_now_on_is_printed_as_json_and_counted(house: House, client: httpx.Client) -> None:
    with listening(house, "--json", "--count", "2", "--type", "team.created", "--type", "team.updated") as listener:
        listener.said()
        teams: list[str] = []
        # Until the first line comes nobody knows whether it listens already.
        while True:
            teams.append(client.post("/api/v1/team", json={"name": f"{len(teams)}"}).json()["id"])
            try:
                first = json.loads(listener._lines.get(timeout=0.5))
            except queue.Empty:
                continue
            break
        assert first["subject"] in teams
        client.patch(f"/api/v1/team/{teams[0]}", json={"name": "changed"})
        json.loads(listener.line())
        assert listener.process.wait(PATIENCE_SECONDS) == 0


def test_what_is_forwarded_is_signed_as_a_webhook_is(
    house: House, client: httpx.Client, received: tuple[str, "queue.Queue[tuple[dict[str, str], bytes]]"]
) -> None:
    url, calls = received
    secret = new_secret()
    with listening(house, "--from-start", "--forward", url, "--secret", secret, "--count", "1") as listener:
        headers, body = calls.get(timeout=PATIENCE_SECONDS)
        assert "→ 202" in listener.line()
    event = Webhook(secret).verify(body, headers)
    assert (event["type"], event["sequence"]) == ("team.created", 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_a_secret_of_its_own_is_told_and_nobody_at_the_address_is_told_too(house: House) -> None:
    with listening(house, "--from-start", "--forward", "http://127.0.0.1:9/", "--count", "1") as listener:
        listener.said()
        assert "whsec_" in listener.said()
        assert "→ ConnectError" in listener.line()


def test_a_key_that_is_not_good_is_told_in_one_line(house: House) -> None:
    with listening(house, key="fp_wrong") as listener:
        listener.said()
        assert "API key" in listener.said()
        assert listener.process.wait(PATIENCE_SECONDS) == 1


def test_without_a_key_it_says_where_one_is_looked_for(tmp_path: Any) -> None:
    done = run("listen", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "api.key" in done.stderr
    assert "FINGERPOST_API_KEY" in done.stderr


@pytest.mark.parametrize(
    "options",
    [("--type", "post.publishd"), ("--forward", "http://127.0.0.1:9", "--secret", "whsec_"), ("--count", "0")],
)
def test_options_that_cannot_be_are_refused(options: tuple[str, ...]) -> None:
    assert run("listen", "--key", "fp_x", *options).returncode == 2
