"""What becomes of a post on the stand-in: its texts, their active places, its pictures, its thread, its tokens."""

from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.bluesky.adapter import tid
from adapters.bluesky.facets import facets
from adapters.bluesky.sandbox import BlueskySandbox
from adapters.bluesky.sandbox.people import PASSWORD
from core.accounts.apps import Apps
from core.accounts.introduction import stranger_session
from core.connect import Tokens
from core.errors import InvalidPost, NotAuthorized
from tests.world import Pool, World, world
from workers.tokens import Refresher

FAMILY = "👨‍👩‍👧‍👦"


def records(here: World) -> list[dict[str, Any]]:
    live: Any = here.sandbox.live()
    return [post["record"] for post in live["posts"]]


async def sent(here: World, **block: Any) -> dict[str, Any]:
    """The delivery of a block, carried out."""
    post = await here.post(data={"BLUESKY": block})
    await here.to_the_end()
    delivery = await here.delivery(post)
    assert delivery["state"] == "published", delivery["error"]
    return delivery


def sandbox_of(here: World) -> BlueskySandbox:
    assert isinstance(here.sandbox, BlueskySandbox)
    return here.sandbox


def active(record: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What each facet covers, and what it means."""
    text = record["text"].encode()
    return [
        (
            text[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(),
            {k: v for k, v in facet["features"][0].items() if k != "$type"},
        )
        for facet in record["facets"]
    ]


def test_a_record_s_key_is_the_delivery_s() -> None:
    one, other = "0197a2b4-7c00-7000-8000-000000000001", "0197a2b4-7c00-7000-8000-000000000002"
    assert tid(one, 0) == tid(one, 0)
    keys = {tid(one, 0), tid(one, 1), tid(other, 0), tid("no uuid", 0)}
    assert len(keys) == 4
    assert all(len(key) == 13 and key[0] in "234567abcdefghij" for key in keys)
    assert tid(one, 0) < tid(one, 1) < tid("0197a2b4-7c01-7000-8000-000000000001", 0), "later ones sort behind"


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("see https://a.example/x?y=1#z.", ["https://a.example/x?y=1#z"]),
        ("(https://a.example)", ["https://a.example"]),
        ("#one #2two #34 a#b #drei!", ["#one", "#2two", "#drei"]),
        ("hi @ann.test, mail bob@ann.test", ["@ann.test"]),
        ("@nobody.test", []),
        ("https://a.example/#no @ann.test", ["https://a.example/#no", "@ann.test"]),
    ],
)
def test_active_places_are_found_and_others_left_plain(text: str, covered: list[str]) -> None:
    found = facets(text, {"ann.test": "did:plc:ann"})
    places = [(facet["index"]["byteStart"], facet["index"]["byteEnd"]) for facet in found]
    assert [text.encode()[start:end].decode() for start, end in places] == covered


async def test_a_post_has_its_active_places_pictures_labels_and_tags(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        friend = sandbox_of(here).people.add()
        text = f"{FAMILY} hält @{friend.handle} für #schön: https://example.com/ä"
        picture = await here.upload()
        delivery = await sent(
            here, text=text, uploadIds=[picture], altText="Blue", tags=["more"], labels=["nudity"], languages=["de"]
        )
        (record,) = records(here)
        assert active(record) == [
            (f"@{friend.handle}", {"did": friend.did}),
            ("#schön", {"tag": "schön"}),
            ("https://example.com/ä", {"uri": "https://example.com/ä"}),
        ]
        (image,) = record["embed"]["images"]
        assert image["alt"] == "Blue"
        assert image["aspectRatio"].keys() == {"width", "height"}
        assert (record["tags"], record["langs"]) == (["more"], ["de"])
        assert record["labels"]["values"] == [{"val": "nudity"}]
        did, _, rkey = delivery["external_id"].removeprefix("at://").split("/")
        assert delivery["permalink"].endswith(f"/profile/{did}/post/{rkey}")


async def test_a_thread_answers_itself_and_another(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        first = (await sent(here, text="first"))["external_id"]
        answer = (await sent(here, text="answer", replyTo=first, thread=["and", "so on"]))["external_id"]
        await sent(here, text="look", quoteUri=answer)
        posts = {record["text"]: record for record in records(here)}
        assert posts["answer"]["reply"]["root"]["uri"] == posts["answer"]["reply"]["parent"]["uri"] == first
        assert posts["and"]["reply"]["parent"]["uri"] == answer
        assert posts["so on"]["reply"]["root"]["uri"] == first
        assert posts["look"]["embed"]["record"]["uri"] == answer


async def test_a_thread_whose_middle_nobody_saw_goes_on_behind_it(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        await here.fault("POST /xrpc/com.atproto.repo.putRecord", "reset_after", times=1, match={"nth": 2})
        await sent(here, text="one", thread=["two", "three"])
        assert [record["text"] for record in records(here)] == ["one", "two", "three"]


async def test_the_shared_link_becomes_a_card_and_public_media_are_fetched(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        await here.post(text="Shared", link="https://example.com/", data={})
        await here.to_the_end()
        (card,) = records(here)
        assert card["embed"]["external"]["uri"] == "https://example.com/"
        await sent(here, text="By URL", mediaUrls=[f"{here.sandbox_url}/_sandbox/picture.png"])
        record = records(here)[-1]
        assert record["embed"]["images"][0]["image"]["mimeType"] == "image/png"
        assert len(await here.rows("select id from uploads")) == 1


async def test_what_cannot_be_fetched_is_told(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        post = await here.post(data={"BLUESKY": {"text": "x", "mediaUrls": [f"{here.sandbox_url}/_sandbox/log"]}})
        await here.to_the_end()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("failed", "file_type_not_supported")
        assert records(here) == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [("a" * 300, 0), ("a" * 301, 1), (FAMILY * 120, 0), (FAMILY * 121, 1), (FAMILY * 301, 2), ("é" * 300, 0)],
)
async def test_the_check_and_the_platform_count_alike(pool: Pool, tmp_path: Path, text: str, faults: int) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        if not faults:
            await sent(here, text=text)
            return
        with pytest.raises(InvalidPost) as refused:
            await here.post(data={"BLUESKY": {"text": text}})
        assert [finding.code for finding in refused.value.report.errors] == ["too_long"] * faults


async def test_a_session_is_renewed_when_the_platform_says_that_it_ended(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        sandbox, hosts = sandbox_of(here), here.settings.hosts_of(here.adapter)
        person = sandbox.people.add()
        session = stranger_session(here.adapter, "", hosts=hosts, transport=here.transport)
        tokens = await here.adapter.sign_in({"handle": f"@{person.handle}", "password": PASSWORD}, session)
        assert (tokens.expires_in, tokens.refresh_expires_in) == (7200.0, 7_776_000.0)
        await joined(here, tokens)
        sandbox.people.end(person.did)
        post = await here.post(data={"BLUESKY": {"text": "late"}})
        await here.work()
        delivery = await here.delivery(post)
        assert (delivery["state"], delivery["error"]["code"]) == ("deferred", "token_refreshing")
        await refreshing(here)
        await here.to_the_end()
        assert (await here.delivery(post))["state"] == "published"
        sandbox.people.end(person.did, refreshing=True)
        await here.post(data={"BLUESKY": {"text": "never"}})
        await here.work()
        await refreshing(here)
        ((grant),) = await here.rows("select state from grants where external_user = %s", person.did)
        assert grant["state"] == "needs_reauth"


async def test_a_wrong_password_is_told(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        hosts = here.settings.hosts_of(here.adapter)
        session = stranger_session(here.adapter, "", hosts=hosts, transport=here.transport)
        with pytest.raises(NotAuthorized, match="Invalid identifier or password"):
            await here.adapter.sign_in({"handle": "sandbox-1.test", "password": "wrong"}, session)


async def test_a_place_that_is_taken_cannot_be_created_again(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, BlueskySandbox(rng=Random(1))) as here:
        delivery = await sent(here, text="here")
        did, collection, rkey = delivery["external_id"].removeprefix("at://").split("/")
        body = {"repo": did, "collection": collection, "rkey": rkey, "record": records(here)[0]}
        headers = {"Authorization": f"Bearer {here.account.token}"}
        async with httpx.AsyncClient(base_url=f"{here.sandbox_url}/xrpc", headers=headers) as client:
            assert (await client.post("/com.atproto.repo.createRecord", json=body)).status_code == 500
            assert (await client.post("/com.atproto.repo.putRecord", json=body)).status_code == 200
        assert len(records(here)) == 1


async def joined(here: World, tokens: Tokens) -> None:
    """In the place of the world's account one that signed in."""
    hosts = here.settings.hosts_of(here.adapter)
    session = stranger_session(here.adapter, tokens.access_token, hosts=hosts, transport=here.transport)
    profile = await here.adapter.profile(session)
    await here.accounts.remove(here.organization_id, here.account.id)
    await here.accounts.join(here.organization_id, here.team_id, "BLUESKY", profile, (), tokens, "default")


async def refreshing(here: World) -> None:
    apps = Apps(here.pool, here.vault, here.settings)
    await Refresher(
        grants=here.accounts.grants, apps=apps, registry=here.registry, settings=here.settings,
        transport=here.transport, notices=here.ledger.notices,
    ).drain()  # fmt: skip
