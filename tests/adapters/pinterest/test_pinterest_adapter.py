"""Pinterest's rules, its refusals, and how a Pin is found again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.sandbox import PinterestSandbox
from core.drafting import Drafted, drafted
from core.media.facts import Details
from core.post import Account, Channel, Media, Shared
from fingerpost import NotAuthorized, OutcomeUnknown, PublishError, RateLimited, Rejected, Unavailable
from tests.world import Pool, world

BOARDS = (Channel(id="1", name="Ideas"), Channel(id="2", name="ideas "), Channel(id="3", name="Recipes"))
ACCOUNT = Account(id="a", platform="PINTEREST", username="u", external_user="9", channels=BOARDS)
PICTURE = Media(upload_id="up", kind="image", mime="image/jpeg", bytes=1000, width=1000, height=1500)


def draft(block: dict[str, Any], media: Media | None = PICTURE, **shared: Any) -> Drafted:
    uploads = {"up": media} if media else {}
    block = ({"uploadIds": ["up"]} if media else {}) | block
    made = Shared(**{"title": "The post", **shared})
    return drafted(Pinterest(), made, block, path=("data", "PINTEREST"), account=ACCOUNT, uploads=uploads)


def codes(made: Drafted, severity: str = "error") -> dict[str, tuple[str | int, ...]]:
    return {finding.code: finding.path for finding in made.findings if finding.severity == severity}


def test_a_good_pin_has_no_findings() -> None:
    made = draft({"boardId": "1", "text": "Title", "description": "Words", "link": "https://example.com"})
    assert made.findings == ()


def test_everything_wrong_is_told_at_once() -> None:
    block = {
        "boardId": "my-board",
        "text": "t" * 101,
        "description": "d" * 801,
        "link": "ftp://example.com",
        "altText": "a" * 501,
        "dominantColor": "red",
        "isAiGenerated": "yes",
        "bord": 1,
    }
    made = draft(block, media=None)
    found = {(finding.code, finding.path[-1]) for finding in made.findings if finding.severity == "error"}
    assert found == {
        ("bad_format", "boardId"),
        ("too_long", "text"),
        ("too_long", "description"),
        ("bad_format", "link"),
        ("too_long", "altText"),
        ("bad_format", "dominantColor"),
        ("wrong_type", "isAiGenerated"),
        ("unknown_field", "bord"),
        ("media_missing", "uploadIds"),
    }


@pytest.mark.parametrize(
    ("field", "longest"), [("text", 100), ("description", 800), ("altText", 500), ("link", 2048), ("note", 500)]
)
def test_each_length_holds_at_its_edge(field: str, longest: int) -> None:
    start = "https://e.com/" if field == "link" else ""
    fits = draft({"boardId": "1", "text": "x", field: start.ljust(longest, "x")})
    over = draft({"boardId": "1", "text": "x", field: start.ljust(longest + 1, "x")})
    assert codes(fits) == {}
    assert codes(over) == {"too_long": ("data", "PINTEREST", field)}


def test_a_board_is_found_by_its_name_in_any_case_and_never_guessed() -> None:
    assert codes(draft({"boardName": "RECIPES"})) == {}
    assert codes(draft({"boardName": "Ideas"})) == {}, "the one that is written exactly so"
    made = draft({"boardName": "IDEAS"})
    assert "Several boards" in made.findings[-1].message or any("Several" in f.message for f in made.findings)
    made = draft({"boardName": "Recipe"})
    assert any("'Recipes' (3)" in finding.message for finding in made.findings)
    assert "pinterest.board" in codes(draft({}))


def test_the_shared_part_fills_what_the_block_leaves_out() -> None:
    made = draft({"boardId": "1"}, text="First line\nand more", link="https://example.com")
    assert made.draft is not None
    block = made.draft.block
    assert (block.text, block.description, block.link) == ("First line", "First line\nand more", "https://example.com")


def test_a_first_line_that_is_no_title_is_passed_over_with_a_warning() -> None:
    made = draft({"boardId": "1"}, text="x" * 300)
    assert made.draft is not None
    assert made.draft.block.text == "The post"
    assert "filled_in" in codes(made, "warning")


def test_a_shared_text_that_is_too_long_is_reported_where_it_stands() -> None:
    assert codes(draft({"boardId": "1", "text": "t"}, text="x" * 801)) == {"too_long": ("text",)}


def test_what_pinterest_no_longer_takes_is_a_warning() -> None:
    made = draft(
        {"boardId": "1", "text": "t", "note": "private", "link": "http://example.com", "description": "d" * 600}
    )
    assert codes(made) == {}
    assert set(codes(made, "warning")) == {"field_unused", "pinterest.link-https", "pinterest.description-length"}


def test_a_picture_of_another_type_is_made_to_fit_unless_that_is_off() -> None:
    webp = Media(upload_id="up", kind="image", mime="image/webp", bytes=1, width=1000, height=1500)
    made = draft({"boardId": "1", "text": "t"}, media=webp)
    assert codes(made) == {}
    assert set(codes(made, "warning")) == {"media_fitted"}
    assert set(codes(draft({"boardId": "1", "text": "t"}, media=webp, media_fit="off"))) == {"media_type"}


FILM = Media(upload_id="up", kind="video", mime="video/mp4", bytes=1000, width=1080, height=1920, seconds=60.0)


def several(block: dict[str, Any], *media: Media) -> Drafted:
    """A draft of these files."""
    uploads = {f"up-{number}": item for number, item in enumerate(media)}
    block = {"boardId": "1", "text": "t", "uploadIds": list(uploads), **block}
    return drafted(
        Pinterest(), Shared(title="The post"), block, path=("data", "PINTEREST"), account=ACCOUNT, uploads=uploads
    )


@pytest.mark.parametrize(
    "cover", [{"thumbnail": "https://example.com/c.jpg"}, {"thumbnailOffset": 0}, {"thumbnailOffset": 4500}]
)
def test_a_video_needs_a_cover_of_any_kind(cover: dict[str, Any]) -> None:
    assert codes(several({}, FILM)) == {"pinterest.video-cover": ("data", "PINTEREST", "thumbnail")}
    assert several(cover, FILM).findings == ()
    assert codes(several({}, FILM, PICTURE)) == {}
    assert set(codes(several(cover, FILM, PICTURE), "warning")) == {"pinterest.cover-unused"}
    assert set(codes(several(cover, PICTURE), "warning")) == {"pinterest.cover-unused"}


def test_a_public_url_that_is_named_like_a_film_is_one() -> None:
    films = ("https://e.com/a.MP4?x=1", "https://e.com/a.mov", "http://℀.e/a.mov")
    for url, film in (*((url, True) for url in films), ("https://e.com/a", False), ("https://e.mov?x", False)):
        made = draft({"boardId": "1", "text": "t", "mediaUrls": [url]}, media=None)
        assert ("pinterest.video-cover" in codes(made)) is film


def test_idea_pins_are_told_as_impossible() -> None:
    for files in ((FILM, FILM), (FILM, PICTURE, PICTURE)):
        made = several({"thumbnailOffset": 1}, *files)
        assert any("no Idea Pins" in finding.message for finding in made.findings)
    assert set(codes(several({}, *[PICTURE] * 6))) == {"media_too_many"}


def test_two_to_five_pictures_are_a_carousel_of_one_shape() -> None:
    for number in (2, 5):
        assert several({}, *[PICTURE] * number).findings == ()
    wide = msgspec.structs.replace(PICTURE, width=1500, height=1000)
    assert "pinterest.carousel-shape" in codes(several({}, PICTURE, wide), "warning")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"seconds": 3.9}, "media_too_brief"),
        ({"seconds": 901.0}, "media_too_lengthy"),
        ({"bytes": 2_000_000_001}, "media_too_large"),
        ({"width": 1080, "height": 2161}, "media_ratio"),
        ({"width": 1911, "height": 1000}, "media_ratio"),
        ({"mime": "video/webm"}, "media_type"),
        ({"details": Details(video_codec="vp9")}, "media_codec"),
        ({"mime": "video/x-m4v", "details": Details(video_codec="hevc")}, None),
    ],
)
def test_videos_are_held_against_pinterests_bounds(facts: dict[str, Any], code: str | None) -> None:
    made = several({"thumbnailOffset": 1}, msgspec.structs.replace(FILM, **facts))
    assert set(codes(made)) == ({code} if code else set())


def test_the_vendors_own_examples_are_read() -> None:
    """As its types have the block, and as its page shows it: without a picture, and with a board id of letters."""
    block = {
        "boardName": "Recipes", "text": "Pin title", "description": "Pin description", "uploadIds": ["up-0"],
        "link": "https://example.com/landing", "altText": "A bowl of soup", "note": "private note",
        "dominantColor": "#aabbcc", "isAiGenerated": True, "thumbnail": "https://example.com/c.jpg",
    }  # fmt: skip
    whole = several({**block, "boardId": None}, FILM)
    assert codes(whole) == {}
    assert set(codes(whole, "warning")) == {"field_unused"}
    page = {
        "boardId": "board_inspiration_feed", "link": "https://example.com/products/new-arrival",
        "altText": "New arrival product shot on white background", "description": "Our latest drop - tap to shop.",
    }  # fmt: skip
    found = codes(draft(page, media=None))
    assert set(found) == {"bad_format", "media_missing"}
    assert codes(draft({**page, "boardId": "123"})) == {}


REFUSALS = [
    (
        401,
        {"code": 3, "message": "Your application does not have access to this restricted feature."},
        Rejected,
        "feature_restricted",
    ),
    (401, {"code": 7, "message": "Not authorized to access board or Pin."}, Rejected, "not_permitted"),
    (401, {"code": 999, "message": "Something new."}, Rejected, "rejected"),
    (400, {"code": 1, "message": "Invalid request: 'x' does not match '^\\\\d+$'"}, Rejected, "bad_id"),
    (400, {"code": 1, "message": "Unable to reach the URL given."}, Rejected, "image_unreachable"),
    (400, {"code": 1, "message": "Give cover_image_url or cover_image_content_type."}, Rejected, "cover_missing"),
    (404, {"code": 404, "message": "Media upload not found"}, Rejected, "media_not_found"),
    (404, {"code": 404, "message": "Pin not found."}, Rejected, "pin_not_found"),
    (
        403,
        {"code": 1, "message": "You've hit a block (Pins) we have in place to combat spam."},
        Rejected,
        "account_blocked",
    ),
    (401, {"code": 2, "message": "Authentication failed."}, NotAuthorized, "token_refused"),
    (401, {"code": 3, "message": "… Missing: ['boards:write']"}, Rejected, "scope_missing"),
    (401, {"code": 3, "message": "Your application consumer type is not supported"}, Rejected, "app_not_approved"),
    (403, {"code": 29, "message": "Apps with Trial access may not create Pins"}, Rejected, "trial_access"),
    (403, {"code": 29, "message": "You are not permitted to access that resource."}, Rejected, "not_permitted"),
    (403, {"code": 233, "message": "Your image is too small."}, Rejected, "image_too_small"),
    (404, {"code": 40, "message": "Board not found."}, Rejected, "board_not_found"),
    (404, {"code": 2031, "message": "Sorry! We couldn't find this board section."}, Rejected, "section_not_found"),
    (429, {"code": 8, "message": "You have exceeded your rate limit."}, RateLimited, "rate_limited"),
    (429, {"code": 9, "message": "Sorry! We blocked this link because it may lead to spam."}, Rejected, "spam_blocked"),
    (400, {"code": 2787, "message": "Sorry! Something went wrong on our end."}, OutcomeUnknown, "outcome_unknown"),
    (400, {"code": 1, "message": "Sorry we could not fetch the image."}, Rejected, "image_unreachable"),
    (400, {"code": 1, "message": "The format of the image is not supported"}, Rejected, "image_format"),
    (400, {"code": 400, "message": "Invalid pins analytics parameters."}, Rejected, "figures_refused"),
    (400, {"code": 77, "message": "Something new."}, Rejected, "rejected"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), REFUSALS)
def test_refusals_are_told_apart_by_code_and_message(
    status: int, body: dict[str, Any], kind: type[PublishError], code: str
) -> None:
    error = Pinterest().classify(httpx.Response(status, json=body, headers={"x-ratelimit-reset": "17"}))
    assert type(error) is kind
    assert error.code == code
    assert error.message == body["message"]
    assert error.platform_code == str(body["code"])
    if isinstance(error, RateLimited):
        assert error.after == timedelta(seconds=17)
    assert error.hint


def test_the_storage_of_videos_speaks_xml() -> None:
    too_large = httpx.Response(400, text="<Error><Code>EntityTooLarge</Code><Message>m</Message></Error>")
    assert type(Pinterest().classify(too_large)) is Rejected
    late = httpx.Response(403, text="<?xml?><Error><Code>AccessDenied</Code><Message>Policy &lt;expired&gt;</Message>")
    error = Pinterest().classify(late)
    assert type(error) is Unavailable
    assert (error.code, error.platform_code) == ("upload_refused", "AccessDenied")
    assert "Policy <expired>" in error.message


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"code": "x"}', b'{"code": 1}'])
def test_a_refusal_that_cannot_be_read_is_left_to_its_status(content: bytes) -> None:
    assert Pinterest().classify(httpx.Response(500, content=content)) is None


@pytest.mark.engine
async def test_a_pin_is_found_again_among_others_and_over_pages(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1), limits={"org_write": (1000, 60)})) as here:
        for number in range(30):
            block = here.adapter.example(here.account.channel, f"{here.sandbox_url}/_sandbox/picture.png")
            await here.post(data={"PINTEREST": block | {"text": f"Pin {number}"}})
        await here.work()
        await here.work()
        live: Any = here.sandbox.live()
        assert len(live["pins"]) == 30
        (pin,) = (pin for pin in live["pins"] if pin["title"] == "Pin 7")
        taken = (await here.rows("select * from deliveries where external_id = %s", pin["id"]))[0]
        made = drafted(
            here.adapter,
            Shared(title="A post"),
            taken["block"],
            path=(),
            account=(await here.accounts.of_team(here.organization_id, here.team_id))[0],
            uploads={},
        )
        session = await here.reading()
        assert made.draft is not None
        found = await here.adapter.find(made.draft, session, datetime.now(UTC) - timedelta(minutes=2))
        assert [published.external_id for published in found] == [pin["id"]]
        assert await here.adapter.find(made.draft, session, datetime.now(UTC) + timedelta(minutes=2)) == []


def test_every_rule_that_refuses_has_its_reason() -> None:
    refusing = {rule.id for rule in Pinterest.rules if rule.severity == "error"}
    assert {name for name in Pinterest.stricter if name.startswith("pinterest.")} == refusing
