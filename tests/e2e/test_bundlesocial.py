"""A Node program that uses bundle.social's official package runs against Fingerpost as it stands."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from adapters.vocabulary import BUNDLE_SOCIAL
from core.describe import describe
from core.registry import Registry
from docs.bundle_social import statuses
from tests.e2e.node import answer_of, compiles, installed
from tests.server.cli.running import Client, said, up

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parent / "bundlesocial"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with its package installed, in a folder of its own."""
    return installed(PROGRAM, tmp_path_factory.mktemp("bundlesocial") / "program")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of everything that `fingerpost up` starts."""
    with up(tmp_path_factory.mktemp("up") / "state", "--json") as started:
        yield Client(said(started.line()))


@pytest.fixture(scope="module")
def seen(program: Path, client: Client) -> dict[str, Any]:
    """What the program saw."""
    pictures = {name: program / f"{name}.png" for name in ("PICTURE", "SECOND", "THIRD")}
    for place, picture in enumerate(pictures.values()):
        Image.new("RGB", (600, 900), ("teal", "tan", "tomato")[place]).save(picture)
    state = httpx.get(f"{client.sandbox['url']}/_sandbox/state", trust_env=False).json()
    (board,) = [board["name"] for board in state["boards"] if board["id"] == client.sandbox["boardId"]]
    surroundings = {
        "PATH": os.environ["PATH"],
        "BASE": client.said["apiUrl"],
        "KEY": client.said["apiKey"],
        "TEAM_ID": client.said["teamId"],
        "BOARD_NAME": board,
        **{name: str(picture) for name, picture in pictures.items()},
        "PICTURE_URL": f"{client.sandbox['url']}/_sandbox/picture.png",
    }
    refused = {"status": 400, "body": {"code": 1, "message": "It will not do"}, "match": {"json": {"title": "Doomed"}}}
    fault = {"on": "POST /v5/pins", "fault": "error", **refused}
    httpx.post(f"{client.sandbox['url']}/_sandbox/faults", json=fault, trust_env=False).raise_for_status()
    answer: dict[str, Any] = answer_of(program, surroundings)
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
    assert picture["sha256"] == hashlib.sha256((program / "PICTURE.png").read_bytes()).hexdigest()


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


def test_a_draft_is_found_finished_and_scheduled_and_what_is_live_is_not_changed(seen: dict[str, Any]) -> None:
    assert seen["drafts"] == [seen["draft"]]
    assert seen["finished"] == {"status": "SCHEDULED", "title": "A finished thought", "referenceKey": "thought/1"}
    assert seen["tooSoon"] == {"status": 400, "codes": ["media_missing"]}
    assert seen["tooLate"]["status"] == 409
    assert "published" in seen["tooLate"]["message"]


def test_the_answers_are_what_the_packages_types_say(program: Path, seen: dict[str, Any]) -> None:
    lines = ["declare function fits<T>(): <U extends T>(answer: U) => void;"]
    for name, answers in seen["answers"].items():
        lines.append(f"import type {{ {name}Response }} from 'bundlesocial';")
        lines += [f"fits<{name}Response>()({answer});" for answer in dict.fromkeys(map(json.dumps, answers))]
    compiles(program, "\n".join(lines))


def test_the_vocabulary_is_the_packages_own(program: Path) -> None:
    names = " | ".join(f"'{name}'" for name in sorted(BUNDLE_SOCIAL))
    asked = "NonNullable<PostCreateData['requestBody']>['socialAccountTypes'][number]"
    told = ("keyof AppGetHealthResponse['platforms']", asked)
    lines = ["import type { AppGetHealthResponse, PostCreateData } from 'bundlesocial';"]
    lines += ["type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;"]
    lines += [f"const same{at}: Same<{type}, {names}> = true;" for at, type in enumerate(told)]
    compiles(program, "\n".join(lines))


def test_every_field_of_the_packages_blocks_is_known(program: Path) -> None:
    """One that is of no use here is known too, and told as a warning."""
    lines = ["import type { PostCreateData } from 'bundlesocial';"]
    lines += ["type Blocks = NonNullable<PostCreateData['requestBody']>['data'];"]
    lines += ["type Known<A, B> = [A] extends [B] ? true : false;"]
    for platform, adapter in Registry.installed().items():
        if platform in BUNDLE_SOCIAL:
            fields = " | ".join(f"'{field}'" for field in describe(adapter).fields)
            lines += [f"const of{platform}: Known<keyof NonNullable<Blocks['{platform}']>, {fields}> = true;"]
    compiles(program, "\n".join(lines))


def test_every_call_that_is_served_is_called(seen: dict[str, Any]) -> None:
    served = {call.name for call, word in statuses(Registry.installed()).items() if word == "served"}
    assert served - set(seen["called"]) == set()


def test_the_health_call_answers(seen: dict[str, Any]) -> None:
    assert seen["health"] == "ok"


def test_teams_are_made_changed_found_and_deleted(seen: dict[str, Any], client: Client) -> None:
    assert seen["organization"] == {"id": client.said["organizationId"], "teams": [client.said["teamId"]]}
    assert seen["teams"] == {"made": "Spring", "renamed": "Summer", "found": 1, "gone": True}
    assert "PINTEREST" in seen["accounts"]
    assert seen["usage"] == {"used": 0, "limit": 2**53 - 1, "remaining": 2**53 - 1}


def test_accounts_are_found_looked_after_and_connected(seen: dict[str, Any], client: Client) -> None:
    account = seen["account"]
    assert (account["id"], account["type"]) == (client.sandbox["socialAccountId"], "PINTEREST")
    assert set(account["boards"]) == {"Inspiration", "Recipes", "Travel"}
    assert seen["looks"] == [True, True, True]
    assert seen["reconnected"] == [0, 0]
    for link in seen["links"]:
        assert link.startswith(f"{client.said['apiUrl']}/connect/")
        assert httpx.get(link, trust_env=False).status_code in (200, 303)


def test_accounts_are_copied_and_disconnected_and_have_no_channel_where_posts_name_theirs(seen: dict[str, Any]) -> None:
    assert seen["copied"] == [1, 409, 409, True]


def test_uploads_come_in_two_steps_are_listed_and_thrown_away(seen: dict[str, Any]) -> None:
    sent, held = seen["large"]["sizes"]
    assert sent == held
    assert seen["large"]["held"] >= 3
    assert seen["thrown"] == [True, [True]]
    assert seen["usages"][0] == ["number", 2**53 - 1]
    assert seen["daily"]


def test_a_post_that_is_refused_says_why_in_the_packages_shape(seen: dict[str, Any]) -> None:
    failed = seen["failed"]
    assert (failed["status"], failed["httpStatus"]) == ("ERROR", 400)
    assert (failed["isTransient"], failed["retryability"]) == (False, "non_retryable")
    assert failed["userFacingMessage"].startswith("It will not do. ")
    assert seen["retried"] == ["RETRYING", "ERROR"]


def test_a_pin_is_taken_off_by_its_post_and_none_is_edited(seen: dict[str, Any], client: Client) -> None:
    assert seen["takenOff"] == [True, 501]
    assert [pin["title"] for pin in client.live()] == ["New arrival"]


def test_figures_are_read_of_the_post_and_of_the_account(seen: dict[str, Any]) -> None:
    assert seen["figures"] == [seen["created"]["id"], seen["pin"]["id"], True]
    assert seen["many"] == [[seen["created"]["id"], 1]]
    assert seen["ofAccount"] == [seen["account"]["id"], 1]
    assert seen["forced"] == 501
