"""`fingerpost sandbox`: each platform's switches are options, and what they say comes true."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.registry import Registry
from tests.server.cli.running import run, sandbox


def called(told: dict[str, Any], method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {told['user']['access_token']}"}
    return httpx.request(method, told["url"] + path, headers=headers, json=body, trust_env=False, timeout=60.0)


def pin(told: dict[str, Any]) -> httpx.Response:
    source = {"source_type": "image_url", "url": f"{told['url']}/_sandbox/picture.png"}
    return called(told, "POST", "/v5/pins", {"board_id": told["user"]["channel_id"], "media_source": source})


def test_an_app_of_another_tier_is_asked_for_by_an_option() -> None:
    with sandbox("pinterest", "--pinterest-tier", "trial") as told:
        refused = pin(told)
        assert (refused.status_code, refused.json()["code"]) == (403, 29)
        assert 'name="safety_net_app_id"' in refused.headers["x-ratelimit-limit"]


def test_videos_take_as_long_as_an_option_says_and_fail_where_one_says_so() -> None:
    with sandbox("pinterest", "--pinterest-media-seconds", "0", "--pinterest-media-fails") as told:
        assert pin(told).status_code == 201
        slot = called(told, "POST", "/v5/media", {"media_type": "video"}).json()
        film = {"file": ("film.mp4", b"\0\0\0\x18ftypmp42", "video/mp4")}
        sent = httpx.post(slot["upload_url"], data=slot["upload_parameters"], files=film, trust_env=False)
        assert sent.status_code == 204
        assert called(told, "GET", f"/v5/media/{slot['media_id']}").json()["status"] == "failed"


def test_every_switch_of_every_sandbox_stands_in_the_help() -> None:
    shown = " ".join(run("sandbox", "--help").stdout.split())
    switches = [
        (name.lower(), switch) for name, kind in Registry.installed().sandboxes().items() for switch in kind.switches
    ]
    assert switches
    for platform, switch in switches:
        assert f"--{platform}-" in shown
        assert switch.says in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bluesky", "--pinterest-tier", "trial"), "PINTEREST, which is not among PLATFORMS"),
        (("pinterest", "--pinterest-tier", "gold"), "'gold' is not one of 'trial', 'standard'"),
        (("pinterest", "--pinterest-media-seconds", "-1"), "not in the range"),
        (("echo", "--record", "/nowhere/at/all"), "No such file or directory"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(arguments: tuple[str, ...], words: str) -> None:
    done = run("sandbox", *arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert words in " ".join(done.stderr.split())


def test_a_record_of_all_calls_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with sandbox("pinterest", "echo", "--record", str(record)) as told:
        called(told, "GET", "/v5/user_account")
    (line,) = record.read_text().splitlines()
    call = json.loads(line)
    assert (call["platform"], call["path"], call["status"]) == ("PINTEREST", "/v5/user_account", 200)
    assert told["user"]["access_token"] not in line
