"""Videos come in as at Pinterest: registered, uploaded as its storage wants them, worked at, and shown with a cover."""

import hashlib
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(5000)


async def registered(ann: Any) -> Any:
    status, made, _ = await ann.call("POST", "/v5/media", json={"media_type": "video"})
    assert status == 201
    return made


async def sent(
    http: Any, slot: Any, fields: Mapping[str, str] | None = None, *, file: bytes | None = FILM, **options: Any
) -> tuple[int, str]:
    """Status and S3's code of an upload; the fields are the slot's own unless given."""
    form = aiohttp.FormData()
    for name, value in (slot["upload_parameters"] if fields is None else fields).items():
        form.add_field(name, value)
    if file is not None:
        form.add_field("file", file, filename="a.mp4", content_type="video/mp4")
    else:
        form.add_field("other", b"", filename="x")
    async with http.post(slot["upload_url"], data=form, **options) as answer:
        text = await answer.text()
        return answer.status, text.partition("<Code>")[2].partition("</Code>")[0]


async def status_of(ann: Any, slot: Any) -> str:
    return str((await ann.get(f"/v5/media/{slot['media_id']}"))["status"])


def video(slot: Any, **cover: Any) -> dict[str, Any]:
    return {"source_type": "video_id", "media_id": slot["media_id"], **cover}


@pytest.mark.parametrize("options", [{"media_seconds": 20.0}])
async def test_a_video_takes_its_time_and_becomes_a_pin(ann: Any, http: Any, sandbox: Any, clock: Any) -> None:
    slot = await registered(ann)
    assert set(slot["upload_parameters"]) == {
        "x-amz-date", "x-amz-signature", "x-amz-security-token", "x-amz-algorithm", "key", "policy",
        "x-amz-credential", "Content-Type",
    }  # fmt: skip
    assert await status_of(ann, slot) == "registered"
    assert await sent(http, slot) == (204, "")
    assert await status_of(ann, slot) == "processing"
    source = video(slot, cover_image_key_frame_time=3)
    assert (await ann.pin(media_source=source))[0] == 400
    clock.now += 20
    assert await status_of(ann, slot) == "succeeded"
    status, made, _ = await ann.pin(media_source=source)
    assert (status, made["creative_type"], made["media"]["media_type"]) == (201, "VIDEO", "video")
    assert made["media"]["duration"] is None
    (film,) = sandbox.sandbox.live()["media"]
    assert (film["bytes"], film["sha256"]) == (len(FILM), hashlib.sha256(FILM).hexdigest())
    assert [each["media_id"] for each in (await ann.get("/v5/media"))["items"]] == [slot["media_id"]]


@pytest.mark.parametrize("options", [{"media_seconds": 0.0}])
async def test_a_video_needs_a_cover(ann: Any, http: Any, pictures: str) -> None:
    slot = await registered(ann)
    await sent(http, slot)
    status, body, _ = await ann.pin(media_source=video(slot))
    assert (status, "cover_image_url or cover_image_content_type" in body["message"]) == (400, True)
    for second in (-1, "3", True):
        assert (await ann.pin(media_source=video(slot, cover_image_key_frame_time=second)))[0] == 400
    status, body, _ = await ann.pin(media_source=video(slot, cover_image_url=f"{pictures}/WEBP/300/300"))
    assert (status, body["message"]) == (400, "The format of the image is not supported")
    assert (await ann.pin(media_source=video(slot, cover_image_url=f"{pictures}/PNG/300/300")))[0] == 201


@pytest.mark.parametrize("options", [{"media_seconds": 0.0}])
async def test_nobody_uses_or_sees_anothers_video(ann: Any, account: Any, http: Any) -> None:
    slot = await registered(ann)
    await sent(http, slot)
    bob = account()
    for status, body, _ in (
        await bob.call("GET", f"/v5/media/{slot['media_id']}"),
        await bob.pin(media_source=video(slot, cover_image_key_frame_time=0)),
        await ann.call("GET", "/v5/media/1"),
    ):
        assert (status, body["message"]) == (404, "Media upload not found")


async def test_the_upload_is_as_strict_as_s3(ann: Any, http: Any, clock: Any) -> None:
    slot = await registered(ann)
    good = slot["upload_parameters"]
    assert await sent(http, slot, headers={"Authorization": "Bearer x"}) == (400, "InvalidArgument")
    assert await sent(http, slot, file=None) == (400, "InvalidArgument")
    assert await sent(http, slot, {}) == (403, "AccessDenied")
    assert await sent(http, slot, {**good, "x-amz-signature": "0" * 64}) == (403, "SignatureDoesNotMatch")
    assert await sent(http, slot, {**good, "policy": "e30="}) == (403, "SignatureDoesNotMatch")
    assert await sent(http, slot, {**good, "Content-Type": "video/mp4"}) == (403, "AccessDenied")
    assert await sent(http, slot, {**good, "acl": "public-read"}) == (403, "AccessDenied")
    assert await sent(http, slot, {name: good[name] for name in good if name != "x-amz-date"}) == (403, "AccessDenied")
    assert await sent(http, slot, file=b"") == (400, "EntityTooSmall")
    async with http.post(slot["upload_url"], json={}) as answer:
        assert answer.status == 412
    async with http.post(
        slot["upload_url"], data=b"nonsense", headers={"Content-Type": "multipart/form-data; boundary=b"}
    ) as answer:
        assert answer.status == 400
    assert await status_of(ann, slot) == "registered"
    clock.now += 3601
    assert await sent(http, slot) == (403, "AccessDenied")


async def test_what_comes_after_the_file_is_not_read(ann: Any, http: Any) -> None:
    slot = await registered(ann)
    form = aiohttp.FormData()
    form.add_field("file", FILM, filename="a.mp4", content_type="video/mp4")
    for name, value in slot["upload_parameters"].items():
        form.add_field(name, value)
    async with http.post(slot["upload_url"], data=form) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("options", [{"media_seconds": 0.0}])
async def test_media_may_fail_or_take_longer(ann: Any, http: Any, clock: Any) -> None:
    bad = await registered(ann)
    await sent(http, bad, file=b"no film at all")
    assert await status_of(ann, bad) == "failed"
    for fault, after in (("media_failed", "failed"), ("media_slow", "processing")):
        body = {"on": "POST /media-upload/", "fault": fault, "times": 1, "seconds": 50}
        async with http.post("/_sandbox/faults", json=body) as answer:
            assert answer.status == 201
        slot = await registered(ann)
        assert await sent(http, slot) == (204, "")
        assert await status_of(ann, slot) == after
    clock.now += 50
    assert await status_of(ann, slot) == "succeeded"


@pytest.mark.parametrize("options", [{"media_seconds": 0.0, "videos": False}])
async def test_it_can_be_like_pinterests_own_sandbox_which_makes_no_video_pins(ann: Any, http: Any) -> None:
    slot = await registered(ann)
    await sent(http, slot)
    status, body, _ = await ann.pin(media_source=video(slot, cover_image_key_frame_time=0))
    assert (status, body["code"]) == (400, 1)


@pytest.mark.parametrize("options", [{"most_pins": 2, "most_boards": 4}])
async def test_an_account_holds_so_many_pins_and_boards(ann: Any, account: Any) -> None:
    assert [(await ann.pin())[0] for _ in range(3)] == [201, 201, 403]
    assert (await account().pin())[0] == 201
    made = [(await ann.call("POST", "/v5/boards", json={"name": name}))[0] for name in ("a", "b")]
    assert made == [201, 403]


async def test_what_ai_had_a_part_in_is_disclosed(ann: Any) -> None:
    given = {"values": ["AI_MODIFIED"]}
    assert (await ann.pin(ai_disclosures=given))[1]["ai_disclosures"] == given
    wrong: list[Any] = [{}, {"values": "AI_MODIFIED"}, {"values": ["OTHER"]}, []]
    for bad in wrong:
        assert (await ann.pin(ai_disclosures=bad))[0] == 400
