"""A Node program that uses bundle.social's official package runs against Fingerpost as it stands."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.server.cli.running import Client, said, up

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parent / "bundlesocial"
SECONDS = 240


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with its package installed, in a folder of its own."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("npm is missing, and CI has to have it")
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("bundlesocial") / "program"
    shutil.copytree(PROGRAM, folder, ignore=shutil.ignore_patterns("node_modules"))
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of everything that `fingerpost up` starts."""
    with up(tmp_path_factory.mktemp("up") / "state", "--json") as started:
        yield Client(said(started.line()))


@pytest.fixture(scope="module")
def seen(program: Path, client: Client) -> dict[str, Any]:
    """What the program saw."""
    picture = program / "picture.png"
    Image.new("RGB", (600, 900), "teal").save(picture)
    state = httpx.get(f"{client.sandbox['url']}/_sandbox/state", trust_env=False).json()
    (board,) = [board["name"] for board in state["boards"] if board["id"] == client.sandbox["boardId"]]
    surroundings = {
        "PATH": os.environ["PATH"],
        "BASE": client.said["apiUrl"],
        "KEY": client.said["apiKey"],
        "TEAM_ID": client.said["teamId"],
        "BOARD_NAME": board,
        "PICTURE": str(picture),
        "PICTURE_URL": f"{client.sandbox['url']}/_sandbox/picture.png",
    }
    done = subprocess.run(
        ["node", "program.mjs"],
        cwd=program,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_scheduled_pin_is_created_read_listed_and_seen_posted(seen: dict[str, Any], client: Client) -> None:
    created, post = seen["created"], seen["post"]
    assert created["status"] == seen["read"]["status"] == "SCHEDULED"
    assert [item["id"] for item in seen["listed"]["items"]] == [created["id"]]
    assert seen["listed"]["total"] == 1
    assert seen["byKey"] == created["id"]
    assert seen["statuses"][-1] == post["status"] == "POSTED"
    assert created["postDate"] == seen["postDate"] <= post["postedDate"]
    (pin,) = client.live()
    assert seen["pin"] == {"id": pin["id"], "permalink": f"{client.sandbox['url']}/pin/{pin['id']}/"}
    assert pin["board_id"] == client.sandbox["boardId"]
    assert (pin["title"], pin["link"]) == ("New arrival", "https://example.com/products/new-arrival")
    assert httpx.get(seen["pin"]["permalink"], trust_env=False).status_code == 200


def test_the_uploaded_file_is_what_is_live(program: Path, seen: dict[str, Any], client: Client) -> None:
    upload, fetched = seen["uploads"]
    assert (upload["mime"], upload["width"], upload["height"]) == ("image/png", 600, 900)
    assert upload["id"] != fetched["id"]
    assert [held["uploadId"] for held in seen["post"]["uploads"]] == [upload["id"]]
    ((picture,),) = [pin["pictures"] for pin in client.live()]
    assert picture["sha256"] == hashlib.sha256((program / "picture.png").read_bytes()).hexdigest()


def test_a_refusal_is_the_packages_own_error_with_every_fault(seen: dict[str, Any]) -> None:
    refused = seen["refused"]
    assert (refused["name"], refused["status"]) == ("ApiError", 400)
    assert [(issue["code"], issue["path"][-1]) for issue in refused["issues"]] == [
        ("too_long", "text"),
        ("too_long", "altText"),
        ("media_missing", "uploadIds"),
        ("pinterest.board", "boardId"),
    ]


def test_a_post_that_waits_is_moved_and_deleted_and_one_that_is_live_is_not_retried(seen: dict[str, Any]) -> None:
    assert seen["moved"] == {"status": "SCHEDULED", "postDate": "2041-01-01T00:00:00.000Z"}
    assert seen["deleted"] == "DELETED"
    assert seen["again"] == {"name": "ApiError", "status": 409}


def test_the_health_call_answers(seen: dict[str, Any]) -> None:
    assert seen["health"] == "ok"
