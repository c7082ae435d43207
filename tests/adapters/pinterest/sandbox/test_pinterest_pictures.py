"""Pictures are really fetched and really looked at."""

import base64
import hashlib
from typing import Any

import pytest

from adapters.pinterest.sandbox.gallery import Gallery
from adapters.pinterest.sandbox.things import Picture

BROKEN = (403, 235, "Sorry, this image is broken. Please pick a different image.")
SMALL = (403, 233, "Your image is too small. Please choose a larger image and try again.")
FORMAT = (400, 1, "The format of the image is not supported")
UNFETCHABLE = (400, 1, "Sorry we could not fetch the image.")


def in_request(data: bytes, content_type: str = "image/png") -> dict[str, str]:
    encoded = base64.b64encode(data).decode()
    return {"source_type": "image_base64", "content_type": content_type, "data": encoded}


def at_url(url: str) -> dict[str, str]:
    return {"source_type": "image_url", "url": url}


async def refusal(ann: Any, source: Any) -> tuple[int, int, str]:
    status, body, _ = await ann.pin(media_source=source)
    assert (await ann.get("/v5/pins"))["items"] == []
    return status, body["code"], body["message"]


@pytest.mark.parametrize("path", ["/PNG/640/960", "/JPEG/640/960"])
async def test_a_picture_is_fetched(ann: Any, pictures: str, path: str) -> None:
    status, made, _ = await ann.pin(media_source=at_url(pictures + path))
    assert status == 201
    assert made["media"]["images"]["originals"]["height"] == 960
    assert made["media"]["images"]["600x"]["height"] == 900


async def test_a_redirect_is_followed(ann: Any, pictures: str) -> None:
    assert (await ann.pin(media_source=at_url(f"{pictures}/moved")))[0] == 201


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/WEBP/300/300", FORMAT),
        ("/GIF/300/300", FORMAT),
        ("/PNG/99/300", SMALL),
        ("/JPEG/300/99", SMALL),
        ("/garbage", BROKEN),
        ("/cut", BROKEN),
        ("/missing", UNFETCHABLE),
        ("/huge", UNFETCHABLE),
    ],
)
async def test_a_picture_that_is_no_good_is_refused(ann: Any, pictures: str, path: str, answer: Any) -> None:
    assert await refusal(ann, at_url(pictures + path)) == answer


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.png", "file:///etc/hostname", "a.png", "", "http://"])
async def test_a_url_that_leads_nowhere_is_refused(ann: Any, url: str) -> None:
    assert await refusal(ann, at_url(url)) == UNFETCHABLE


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
async def test_a_picture_comes_in_the_request(ann: Any, sandbox: Any, picture: Any, kind: str) -> None:
    data = picture(kind)
    status, _, _ = await ann.pin(media_source=in_request(data, f"image/{kind.lower()}"))
    assert status == 201
    [pin] = sandbox.sandbox.live()["pins"]
    assert pin["pictures"][0]["sha256"] == hashlib.sha256(data).hexdigest()


async def test_a_picture_in_the_request_is_looked_at_too(ann: Any, picture: Any) -> None:
    assert await refusal(ann, in_request(b"not a picture")) == BROKEN
    assert await refusal(ann, in_request(picture("WEBP"))) == FORMAT
    assert await refusal(ann, in_request(picture("PNG", (99, 99)))) == SMALL
    assert await refusal(ann, {**in_request(b""), "data": "A"}) == BROKEN


@pytest.mark.parametrize("data", ["data:image/png;base64,AAAA", "AA-_", "AA AA", ""])
async def test_base64_has_one_alphabet(ann: Any, data: str) -> None:
    status, code, words = await refusal(ann, {**in_request(b""), "data": data})
    assert (status, code) == (400, 1)
    assert words == f"Invalid request: {data!r} does not match '^[a-zA-Z0-9+/=]+$'"


async def test_a_message_does_not_repeat_megabytes(ann: Any) -> None:
    _, _, words = await refusal(ann, {**in_request(b""), "data": "-" * 1_000_000})
    assert len(words) < 3000


async def test_only_jpeg_and_png_are_named_in_a_request(ann: Any, picture: Any) -> None:
    status, code, words = await refusal(ann, in_request(picture("WEBP"), "image/webp"))
    assert (status, code) == (400, 1)
    assert words == "Invalid request: 'image/webp' is not one of ['image/jpeg', 'image/png']"


async def test_a_carousel_has_2_to_5_pictures(ann: Any, pictures: str, picture: Any) -> None:
    item = {"url": f"{pictures}/PNG/300/300", "title": "One", "link": "https://a.example"}
    for count in (1, 6):
        status, _, words = await refusal(ann, {"source_type": "multiple_image_urls", "items": [item] * count})
        assert status == 400
        assert "Items=" in words
    status, made, _ = await ann.pin(media_source={"source_type": "multiple_image_urls", "items": [item] * 5})
    assert (status, made["media"]["media_type"], made["creative_type"]) == (201, "multiple_images", "CAROUSEL")
    assert [slot["title"] for slot in made["media"]["items"]] == ["One"] * 5
    items = [in_request(picture()), in_request(picture("JPEG"), "image/jpeg")]
    status, made, _ = await ann.pin(media_source={"source_type": "multiple_image_base64", "items": items})
    assert (status, len(made["media"]["items"])) == (201, 2)


async def test_one_bad_picture_spoils_a_carousel(ann: Any, pictures: str) -> None:
    items = [{"url": f"{pictures}/PNG/300/300"}, {"url": f"{pictures}/missing"}]
    assert await refusal(ann, {"source_type": "multiple_image_urls", "items": items}) == UNFETCHABLE


def test_a_full_gallery_drops_what_was_unused_the_longest() -> None:
    gallery = Gallery(room=10)
    facts = {name: Picture(sha256=name, mime="image/png", size=4, width=1, height=1, color="#000000") for name in "abc"}
    gallery.keep(facts["a"], b"1234")
    gallery.keep(facts["b"], b"1234")
    gallery.keep(facts["b"], b"1234")
    assert gallery.find("a") == (facts["a"], b"1234")
    gallery.keep(facts["c"], b"1234")
    assert gallery.find("b") is None
    assert gallery.find("a") is not None
    assert gallery.find("c") is not None


async def test_a_picture_used_again_is_kept_again(ann: Any, sandbox: Any, picture: Any) -> None:
    await ann.pin(media_source=in_request(picture()))
    await ann.pin(media_source=in_request(picture()))
    first, second = sandbox.sandbox.live()["pins"]
    assert first["pictures"] == second["pictures"]
