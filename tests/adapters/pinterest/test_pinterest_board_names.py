"""Boards by their names: found, never guessed, and made where the block asks for it."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.boards import Boards
from adapters.pinterest.sandbox import PinterestSandbox
from core.drafting import drafted
from core.post import Account, Channel, Media, Shared
from tests.world import Pool, World, world

BOARDS = tuple(
    Channel(id=str(number), name=name)
    for number, name in enumerate(("Ideas", "ideas ", "Recipes", "Recipes 2026", "Travel"), 1)
)
ACCOUNT = Account(id="a", platform="PINTEREST", username="u", external_user="9", channels=BOARDS)
PICTURE = Media(upload_id="up", kind="image", mime="image/jpeg", bytes=1000, width=1000, height=1500)


def words(block: dict[str, Any]) -> list[str]:
    block = {"uploadIds": ["up"], "text": "T", **block}
    made = drafted(Pinterest(), Shared(title="P"), block, path=("data",), account=ACCOUNT, uploads={"up": PICTURE})
    return [finding.message for finding in made.findings if finding.code.startswith("pinterest.board")]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    (told,) = words({"boardName": "recipe"})
    assert "'Recipes' (3)" in told
    assert "Travel" not in told
    assert "createBoard" in told
    (told,) = words({"boardName": "zzz"})
    assert "'Travel' (5)" in told, "nothing is like it, so all are listed"


def test_an_ambiguous_name_is_never_guessed_and_a_new_board_never_made_for_it() -> None:
    for block in ({"boardName": "IDEAS"}, {"boardName": "IDEAS", "createBoard": True}):
        (told,) = words(block)
        assert "Several boards" in told
        assert "(1)" in told
        assert "(2)" in told


def test_a_board_is_made_only_where_that_is_asked_for() -> None:
    assert words({"boardName": "New", "createBoard": True}) == []
    assert words({"createBoard": True}) != []
    assert words({"boardName": "New", "createBoard": False}) != []


def test_the_ability_says_what_it_offers() -> None:
    assert Boards().offers == (
        *("read", "create", "change", "delete"),
        *("sections", "create_section", "rename_section", "delete_section"),
    )


async def posted(here: World, **block: Any) -> Any:
    upload = await here.upload()
    return await here.post(data={"PINTEREST": {"text": "T", "uploadIds": [upload], **block}})


@pytest.mark.engine
async def test_publishing_makes_the_board_once_whatever_happens(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        await here.fault("POST /v5/boards", "reset_after", times=1)
        posts = [await posted(here, boardName="Fresh", createBoard=True) for _ in range(2)]
        assert [row["calls"] for row in await here.rows("select calls from deliveries")] == [{"org_write": 2}] * 2
        await here.to_the_end()
        live: Any = here.sandbox.live()
        (board,) = [board for board in live["boards"] if board["name"] == "Fresh"]
        assert [pin["board_id"] for pin in live["pins"]] == [board["id"]] * 2
        assert {(await here.delivery(post))["state"] for post in posts} == {"published"}


@pytest.mark.engine
async def test_an_unclear_pin_on_a_board_of_its_own_is_found_there(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        await here.fault("POST /v5/pins", "reset_after", times=1)
        post = await posted(here, boardName="Fresh", createBoard=True)
        await here.to_the_end()
        live: Any = here.sandbox.live()
        assert len(live["pins"]) == 1
        assert (await here.delivery(post))["state"] == "published"
