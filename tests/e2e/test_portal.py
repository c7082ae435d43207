"""The page on which end users connect accounts, in a real browser: Chromium without a screen and without scripts."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from tests.e2e.node import answer_of, installed, needed
from tests.server.cli.running import Client, said, up

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parent / "portal"
ARTIFACTS = Path(__file__).parent / "artifacts"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with its package installed, in a folder of its own."""
    return installed(PROGRAM, tmp_path_factory.mktemp("portal") / "program")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of everything that `fingerpost up` starts."""
    with up(tmp_path_factory.mktemp("up") / "state", "--json") as started:
        yield Client(said(started.line()))


def link(client: Client, path: str, **body: Any) -> str:
    """A link for an end user."""
    answer = httpx.post(
        f"{client.said['apiUrl']}/api/v1/social-account/{path}",
        headers={"x-api-key": client.said["apiKey"]},
        json={"teamId": client.said["teamId"], "redirectUrl": "https://app.example/accounts", **body},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["url"]
    return url


def leave(client: Client) -> None:
    """Disconnect the account that `up` has connected, so that the page begins as an end user finds it."""
    answer = httpx.request(
        "DELETE",
        f"{client.said['apiUrl']}/api/v1/social-account/disconnect",
        headers={"x-api-key": client.said["apiKey"]},
        json={"teamId": client.said["teamId"], "type": "PINTEREST"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def seen(program: Path, client: Client) -> dict[str, Any]:
    """What the browser saw; its pictures are in `ARTIFACTS`."""
    chromium = needed(*NAMES)
    ARTIFACTS.mkdir(exist_ok=True)
    leave(client)
    both = {"socialAccountTypes": ["PINTEREST", "ECHO"], "userName": "Ann"}
    surroundings = os.environ | {
        "CHROMIUM": chromium,
        "PORTAL": link(client, "create-portal-link", **both),
        "SPARE": link(client, "create-portal-link", **both),
        "DIRECT": link(client, "connect", type="PINTEREST"),
        "SHOTS": str(ARTIFACTS),
    }
    answer: dict[str, Any] = answer_of(program, surroundings)
    return answer


def test_an_account_is_connected_without_a_script(seen: dict[str, Any]) -> None:
    assert seen["consent"] == "/oauth/"
    assert seen["connected"].endswith("is connected.")
    assert parse_qs(urlsplit(seen["back"]).query) == {"success": ["true"]}


def test_a_direct_link_ends_at_the_client(seen: dict[str, Any]) -> None:
    told = parse_qs(urlsplit(seen["ended"]).query)
    assert told["success"] == ["true"]
    assert told["type"] == ["PINTEREST"]


def test_no_ends_in_a_page_that_says_so(seen: dict[str, Any]) -> None:
    assert seen["denied"] == "Nothing was connected"
    assert "did not give access" in seen["alert"]


def test_a_form_is_labelled_and_says_what_is_missing(seen: dict[str, Any]) -> None:
    assert seen["field"] == "text"
    assert "is missing" in seen["fault"]


def test_the_page_can_be_read_by_a_screen_reader_and_used_by_keyboard(seen: dict[str, Any]) -> None:
    for words in ('heading "Connect your accounts" [level=1]', "list", 'link "Connect Pinterest"'):
        assert words in seen["page"], seen["page"]
    assert seen["focused"]["outline"] == "solid"
    assert seen["focused"]["width"] == "3px"


def test_nothing_comes_from_elsewhere_and_the_browser_complains_of_nothing(
    seen: dict[str, Any], client: Client
) -> None:
    homes = (client.said["apiUrl"], client.sandbox["url"], "https://app.example/")
    assert [url for url in seen["requests"] if not url.startswith(homes)] == []
    refused = [words for words in seen["complaints"] if "Content Security Policy" in words or "Error" in words]
    assert refused == []


def test_the_page_fits_a_narrow_screen(seen: dict[str, Any]) -> None:
    assert seen["overflow"] == []


@pytest.mark.parametrize("name", ["portal", "portal-dark", "portal-390", "connected", "denied", "form", "consent"])
def test_a_picture_of_each_page_is_kept(seen: dict[str, Any], name: str) -> None:
    with Image.open(ARTIFACTS / f"{name}.png") as picture:
        assert picture.width >= 320
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20, "there is something on it"
