"""What becomes of a post on either flavour of the stand-in: its text, its files, its warning, and the way back."""

import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from adapters.mastodon.adapter import Mastodon
from adapters.mastodon.instance import facts_of, honours_keys, limits_by
from adapters.mastodon.sandbox import MastodonSandbox
from adapters.mastodon.sandbox.things import written
from adapters.mastodon.words import likeness, plain, read
from core.accounts.introduction import introduce
from core.counting import count
from core.errors import InvalidPost
from core.post import Account
from core.sandbox import running
from tests.core.media.files import film
from tests.world import Clock, Pool, World, world

FAMILY = "👨‍👩‍👧‍👦"
LINK = "https://example.com/a-long-path-that-counts-as-twenty-three"
DESCRIPTION = os.environ.get("MASTODON_OPENAPI", "")

OWN = ["4.6.4", "4.3.0+glitch", "4.5.0-rc.1", "3.5.19", "4.4.0-nightly.2025-05-01", "10.0.0"]
OTHERS = [
    "0.19.1+git-8eb8d4f",
    "2.75 (compatible; snac/2.75)",
    "2.7.2 (compatible; Pleroma 2.5.0)",
    "4.2.1 (compatible; Iceshrimp 1)",
    "",
]


def sandbox(way: str = "mastodon", **options: Any) -> MastodonSandbox:
    return MastodonSandbox(rng=Random(1), way=way, clock=Clock(), **options)


def statuses(here: World) -> list[dict[str, Any]]:
    live: Any = here.sandbox.live()
    return [post["status"] for post in live["posts"]]


async def sent(here: World, **block: Any) -> dict[str, Any]:
    """The status that became of a block."""
    post = await here.post(data={"MASTODON": block})
    await here.to_the_end()
    delivery = await here.delivery(post)
    assert delivery["state"] == "published", delivery["error"]
    (made,) = (status for status in statuses(here) if status["id"] == delivery["external_id"])
    assert made["url"] == delivery["permalink"]
    return made


async def uploaded(here: World, content: Iterable[bytes]) -> str:
    async def chunks() -> Any:
        for piece in content:
            yield piece

    return str((await here.uploads.create(here.organization_id, here.team_id, chunks(), "film.mp4")).id)


def account(**facts: Any) -> Account:
    return Account(id="a", platform="MASTODON", username="ann", external_user="1@a", facts={"id": "1", **facts})


@pytest.mark.parametrize("version", [*OWN, *OTHERS])
def test_a_key_is_trusted_only_where_it_is_honoured(version: str) -> None:
    assert honours_keys(version) == (version in OWN)
    assert Mastodon().certainty_of(account(version=version)) == ("key" if version in OWN else "read-back")


def test_an_instance_says_what_it_allows() -> None:
    told = {
        "version": "4.6.4",
        "configuration": {
            "statuses": {"max_characters": 5000, "characters_reserved_per_url": 30, "max_media_attachments": 8},
            "media_attachments": {"image_size_limit": 1000, "supported_mime_types": ["image/png", "audio/ogg"]},
        },
    }
    limits = Mastodon().limits_of(account(**facts_of(told)))
    (text,) = limits.of_text("text")
    assert (text.most, text.url, text.counter) == (5000, 30, "fediverse")
    assert limits.media.count == (0, 8)
    assert limits.media.image is not None
    assert (limits.media.image.mimes, limits.media.image.bytes_max) == (("image/png",), 1000)
    assert limits.media.video is None
    assert limits_by(facts_of({"version": "0.19"})).of_text("text")[0].counter == "chars"
    assert msgspec.json.decode(msgspec.json.encode(facts_of({}))) == {}


@pytest.mark.parametrize(
    "text",
    ["one\ntwo\n\nthree", f"see {LINK}, and more", "hi @ann@far.example!", "a < b & c > d", "  spaces   are\tlost "],
)
def test_a_status_is_read_as_it_was_written(text: str) -> None:
    assert read(written(text)) == " ".join(text.replace("@far.example", "").split())


@pytest.mark.parametrize(
    "text", ["https://example.com/?a=1&region=eu", "say &amp; done", "&amp;lt;b", "a <b>c", "AT&T"]
)
def test_what_looks_like_an_entity_is_found_again(text: str) -> None:
    assert likeness(plain(text), read(written(text))) is True


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("# **Some** _marks_", "<h1><strong>Some</strong> <em>marks</em></h1>"),
        ("1. one\n2. two", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>"),
        ("see [here](https://example.com/)", '<p>see <a href="https://example.com/">here</a></p>'),
        ("a ![blue](https://example.com/b.png)", '<p>a <img alt="blue" src="https://example.com/b.png" /></p>'),
        ("<b>bold</b>", "<p><b>bold</b></p>"),
        ("a\\*b 🎉", "<p>a*b 🎉</p>"),
    ],
)
def test_a_text_that_was_taken_for_markdown_is_alike(sent: str, found: str) -> None:
    assert likeness(plain(sent), read(found)) is False


@pytest.mark.parametrize(("sent", "found"), [("!!!", "<p>?</p>"), ("Post 1", "<p>Post 2</p>"), ("का", "<p>कि</p>")])
def test_another_text_is_not_alike(sent: str, found: str) -> None:
    assert likeness(plain(sent), read(found)) is None


async def test_a_status_has_its_warning_link_language_and_picture(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox()) as here:
        status = await sent(
            here, text="Grüße", link=LINK, spoiler="Careful", privacy="UNLISTED", sensitive=True, language="de",
            uploadIds=[await here.upload()], altText="Blue",
        )  # fmt: skip
        assert read(status["content"]) == f"Grüße {LINK}"
        assert (status["spoiler_text"], status["visibility"], status["sensitive"]) == ("Careful", "unlisted", True)
        assert (status["language"], status["media_attachments"][0]["description"]) == ("de", "Blue")


async def test_the_server_that_is_at_work_on_a_film_is_come_back_to(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox(looks=3)) as here:
        clip = await uploaded(here, [film(tmp_path)])
        post = await here.post(data={"MASTODON": {"text": "A film", "uploadIds": [clip]}})
        await here.work()
        assert (await here.delivery(post))["state"] == "processing"
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        assert statuses(here)[0]["media_attachments"][0]["type"] == "video"
        assert sum(call.path == "/api/v2/media" for call in here.sandbox.log.calls()) == 1


COUNTED = (
    "a" * 500, "a" * 501, FAMILY * 500, f"{'a' * 476} {LINK}", f"{'a' * 477} {LINK}", FAMILY * 71, FAMILY * 72
)  # fmt: skip


async def test_in_a_warning_every_character_of_a_url_counts(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox()) as here:
        status = await sent(here, text="a" * (500 - len(LINK)), spoiler=LINK)
        assert status["spoiler_text"] == LINK
        with pytest.raises(InvalidPost) as refused:
            await here.post(data={"MASTODON": {"text": "a" * (501 - len(LINK)), "spoiler": LINK}})
        assert [finding.code for finding in refused.value.report.errors] == ["too_long"]


@pytest.mark.parametrize("way", ["mastodon", "gotosocial"])
async def test_the_check_counts_as_the_account_s_server_does(pool: Pool, tmp_path: Path, way: str) -> None:
    async with world(pool, tmp_path, sandbox(way)) as here:
        for text in COUNTED:
            if count(text, "fediverse" if way == "mastodon" else "chars") <= 500:
                await here.post(data={"MASTODON": {"text": text}})
                continue
            with pytest.raises(InvalidPost) as refused:
                await here.post(data={"MASTODON": {"text": text}})
            assert [finding.code for finding in refused.value.report.errors] == ["too_long"]
        await here.to_the_end()
        assert {row["state"] for row in await here.rows("select state from deliveries")} == {"published"}


async def test_the_warning_and_the_link_count_with_the_text(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox()) as here:
        assert await sent(here, text="a" * 470, spoiler="12345", link=LINK)
        with pytest.raises(InvalidPost):
            await here.post(data={"MASTODON": {"text": "a" * 471, "spoiler": "12345", "link": LINK}})


@pytest.mark.parametrize(("way", "creates"), [("mastodon", 2), ("gotosocial", 1)])
async def test_an_unclear_create_is_sent_again_or_looked_up(pool: Pool, tmp_path: Path, way: str, creates: int) -> None:
    async with world(pool, tmp_path, sandbox(way)) as here:
        for number, fault in enumerate(("reset_after", "error_after", "garbage"), start=1):
            await here.fault("POST /api/v1/statuses", fault, times=1, status=500)
            text = f"{fault} @ann@far.example, see {LINK}?a=1&region=eu\n\nand more"
            assert await sent(here, text=text, uploadIds=[await here.upload()])
            assert len(statuses(here)) == number
            calls = [call.path for call in here.sandbox.log.calls() if call.method == "POST"]
            assert calls.count("/api/v1/statuses") == creates * number


async def test_a_key_that_is_older_than_an_hour_is_looked_up(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox(), max_delay=86_400.0) as here:
        await here.fault("POST /api/v1/statuses", "error_after", times=1, status=500)
        await here.post(data={"MASTODON": {"text": "Only once"}})
        await here.work()
        await here.travel(3600)
        await here.to_the_end()
        assert len(statuses(here)) == 1
        assert (await here.rows("select state from deliveries")) == [{"state": "published"}]


async def test_a_status_is_found_among_others_and_over_pages(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox("gotosocial")) as here:
        await here.fill(45, mark="other")
        await here.to_the_end()
        await here.fault("POST /api/v1/statuses", "reset_after", times=1)
        await here.weather(order="shuffled", listLag=2)
        post = await here.post(data={"MASTODON": {"text": "other 4"}})
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        assert len(statuses(here)) == 46


async def test_each_account_publishes_to_its_own_server(pool: Pool, tmp_path: Path) -> None:
    other = sandbox("gotosocial")
    async with world(pool, tmp_path, sandbox()) as here, running(other) as at:
        token, own = other.seed().access_token, {"api": at.url}
        hosts = here.settings.hosts_of(here.adapter, own)
        profile, _ = await introduce(here.adapter, token, hosts=hosts, transport=here.transport)
        assert profile.external_user.endswith(at.url.removeprefix("http://"))
        id = await here.accounts.connect(
            organization_id=here.organization_id, team_id=here.team_id, platform="MASTODON", profile=profile,
            channels=(), access_token=token, hosts=own,
        )  # fmt: skip
        await here.post(data={"MASTODON": {"text": "There", "socialAccountIds": [str(id)]}})
        await here.post(data={"MASTODON": {"text": "Here", "socialAccountIds": [str(here.account.id)]}})
        await here.to_the_end()
        assert [status["content"] for status in statuses(here)] == ["<p>Here</p>"]
        told: Any = other.live()
        assert [post["text"] for post in told["posts"]] == ["There"]


async def test_refusals_keep_the_server_s_own_words(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, sandbox()) as here:
        words = "Gültigkeitsprüfung ist fehlgeschlagen"
        await here.fault("POST /api/v1/statuses", "error", times=1, status=422, body={"error": words})
        post = await here.post(data={"MASTODON": {"text": "No"}})
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("failed", "status_refused")
        assert delivery["error"]["message"] == words


@pytest.mark.skipif(not DESCRIPTION, reason="MASTODON_OPENAPI names no description of the API")
async def test_every_request_fits_the_description(pool: Pool, tmp_path: Path) -> None:
    document: Any = json.loads(await asyncio.to_thread(Path(DESCRIPTION).read_text))
    registry: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))
    schemas = [{"$ref": f"urn:api#/components/schemas/{name}"} for name in ("TextStatus", "MediaStatus")]
    judge = OAS31Validator({"anyOf": schemas}, registry=registry)
    async with world(pool, tmp_path, sandbox("gotosocial")) as here:
        await here.fault("POST /api/v1/statuses", "reset_after", times=1)
        await sent(here, text="Words")
        await sent(
            here, text="More", spoiler="!", privacy="DIRECT", sensitive=True, language="de",
            uploadIds=[await here.upload()], altText="Blue",
        )  # fmt: skip
        calls = here.sandbox.log.calls()
    assert len(calls) > 4
    for call in calls:
        path, _, query = call.path.partition("?")
        operation = document["paths"][_template(document, path)][call.method.lower()]
        declared = {parameter.get("name") for parameter in operation.get("parameters", ())}
        assert {part.partition("=")[0] for part in query.split("&") if part} <= declared
        if path == "/api/v1/statuses":
            assert [error.message for error in judge.iter_errors(call.body)] == []


def _template(document: Any, path: str) -> str:
    steps = path.split("/")
    (fitting, *_) = (
        template
        for template in sorted(document["paths"])
        if len(parts := template.split("/")) == len(steps)
        and all(part == step or part.startswith("{") for part, step in zip(parts, steps, strict=True))
        and ("{" not in template or path not in document["paths"])
    )
    return str(fitting)
