"""The command line as a process of its own, and a running `fingerpost up` with a client for it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.judge import recorded
from tests.server.cli.processes import PATIENCE_SECONDS, Process, children, descendants, until

FINGERPOST = Path(sys.executable).with_name("fingerpost")
"""The script that the installation made."""


def environment(**changes: str) -> dict[str, str]:
    """The environment of the tests without any setting but that its sandboxes are judged, and with `changes`."""
    ours = ("DATABASE_URL", "REDIS_URL")
    kept = {k: v for k, v in os.environ.items() if k not in ours and not k.startswith("FINGERPOST_")}
    return kept | recorded() | changes


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `fingerpost` to its end, with `changes` as settings."""
    return subprocess.run(
        [FINGERPOST, *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Up:
    """One `fingerpost up` on any free ports; `said` is what it printed when all was ready."""

    def __init__(self, state: Path, *options: str, **settings: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self.state = state
        self.process = subprocess.Popen(
            [FINGERPOST, "up", "--state", str(state), "--port", "0", *options],
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def line(self) -> str:
        """The next line that it prints; fails where it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with {self.process.wait(PATIENCE_SECONDS)}: {self.errors}"
        return line

    def descendants(self) -> set[Process]:
        """Everything that runs below it."""
        return descendants(self.process.pid)

    def child(self, words: str) -> Process:
        """The one process that it has started whose command line holds these words."""
        found = [process for process in children(self.process.pid) if words in process.command]
        assert len(found) == 1, f"{words}: {[process.command for process in found]}"
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Have it ended, whatever has become of it, and nothing left."""
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


@contextmanager
def up(state: Path, *options: str, **settings: str) -> Iterator[Up]:
    """`fingerpost up`, for as long as the block lasts."""
    started = Up(state, *options, **settings)
    try:
        yield started
    finally:
        started.close()


@contextmanager
def sandbox(*arguments: str) -> Iterator[dict[str, Any]]:
    """`fingerpost sandbox` with these arguments, for as long as the block lasts; what it says of its first platform."""
    argv = [str(FINGERPOST), "sandbox", *arguments, "--port", "0"]
    with subprocess.Popen(argv, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield said(process.stdout.readline())
        finally:
            process.terminate()


class Client:
    """A client of what `up --json` printed."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said
        self.sandbox: dict[str, str] = said["sandboxes"]["PINTEREST"]
        self.http = httpx.Client(
            base_url=said["apiUrl"], headers={"x-api-key": said["apiKey"]}, timeout=PATIENCE_SECONDS, trust_env=False
        )

    def pin(self, title: str, **changes: Any) -> dict[str, Any]:
        """The request of a Pin that is due now."""
        block = {
            "boardId": self.sandbox["boardId"],
            "text": title,
            "mediaUrls": [f"{self.sandbox['url']}/_sandbox/picture.png"],
        }
        return {
            "teamId": self.said["teamId"],
            "title": title,
            "postDate": datetime.now(UTC).isoformat(),
            "status": "SCHEDULED",
            "socialAccountTypes": ["PINTEREST"],
            "data": {"PINTEREST": block},
            **changes,
        }

    def post(self, title: str) -> str:
        """Create a post that is due now; its id. It is sent until it is answered, under one reference key."""
        answer = self._send("POST", "/api/v1/post/", json=self.pin(title, referenceKey=title))
        if answer.status_code == 409:
            answer = self._send("GET", f"/api/v1/post/reference-key/{title}")
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    def status(self, post_id: str) -> str:
        """The post's word."""
        return str(self._send("GET", f"/api/v1/post/{post_id}").raise_for_status().json()["status"])

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, however often the server is killed, or not ready, on the way to it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.http.request(method, path, **request)
            except httpx.TransportError:
                if time.monotonic() >= deadline:
                    raise
            else:
                if answer.status_code != 503 or time.monotonic() >= deadline:
                    return answer
            time.sleep(0.05)

    def published(self, post_id: str) -> dict[str, Any]:
        """The post, once it is POSTED."""
        until(lambda: self.status(post_id) in ("POSTED", "ERROR"), f"{post_id} is POSTED")
        post: dict[str, Any] = self._send("GET", f"/api/v1/post/{post_id}").json()
        assert post["status"] == "POSTED", post
        return post

    def live(self) -> list[dict[str, Any]]:
        """The Pins on the sandbox."""
        pins: list[dict[str, Any]] = httpx.get(f"{self.sandbox['url']}/_sandbox/state", trust_env=False).json()["pins"]
        return pins


def said(line: str) -> dict[str, Any]:
    """What stands in a line of JSON that a command printed."""
    answer: dict[str, Any] = json.loads(line)
    return answer
