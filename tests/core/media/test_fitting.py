"""Fitting: the plan tells what will be done, and doing it does that and loses nothing else."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.errors import InvalidUpload
from core.limits import FileLimits
from core.media.facts import Details
from core.media.fitting import Plan, plan
from core.media.mending import mend
from core.media.probe import probe
from core.media.recipe import Recipe
from core.post import Media
from tests.core.media.files import animated, exif, heic, noise, saved, wide_gamut

BOTH = FileLimits(mimes=("image/jpeg", "image/png"), bytes_max=20_000_000)


def media(content: bytes, path: Path) -> Media:
    path.write_bytes(content)
    found = probe(path)
    return Media(
        upload_id="u",
        kind=found.kind,
        mime=found.mime,
        bytes=len(content),
        width=found.width,
        height=found.height,
        details=found.details,
    )


def planned(content: bytes, tmp_path: Path, limits: FileLimits = BOTH) -> Plan | None:
    return plan(media(content, tmp_path / "file"), limits)


def fitted(content: bytes, tmp_path: Path, limits: FileLimits = BOTH) -> tuple[Image.Image, Media]:
    """The picture that comes of it; what was planned is what it is."""
    made = planned(content, tmp_path, limits)
    assert made is not None
    target = tmp_path / "made"
    result = mend(tmp_path / "file", target, made.recipe)
    found = probe(target)
    assert (found.mime, found.width, found.height) == (made.media.mime, result.width, result.height)
    assert result.bytes == target.stat().st_size
    assert not found.details.location
    assert plan(media(target.read_bytes(), tmp_path / "again"), limits) is None, "what was made to fit does not fit"
    return Image.open(io.BytesIO(target.read_bytes())), made.media


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_what_fits_is_left_as_it_is(form: str, tmp_path: Path) -> None:
    assert planned(saved(noise(), form), tmp_path) is None


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (saved(noise(), "WEBP"), "JPEG"),
        (saved(noise(), "AVIF"), "JPEG"),
        (heic(), "JPEG"),
        (saved(noise("P"), "GIF"), "PNG"),
    ],
)
def test_stills_of_other_types_become_what_the_platform_takes(content: bytes, form: str, tmp_path: Path) -> None:
    image, _ = fitted(content, tmp_path)
    assert (image.format, image.size) == (form, (64, 48))
    original = Image.open(io.BytesIO(content)) if form == "PNG" else None
    if original is not None:
        assert image.convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_what_can_be_seen_through_stays_so(tmp_path: Path) -> None:
    seen_through = noise("RGBA")
    seen_through.putalpha(100)
    image, _ = fitted(saved(seen_through, "WEBP", lossless=True), tmp_path)
    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.getpixel((5, 5)) == seen_through.getpixel((5, 5))
    only_jpeg = FileLimits(mimes=("image/jpeg",))
    assert planned(saved(seen_through, "WEBP", lossless=True), tmp_path, only_jpeg) is None


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_picture_is_turned_as_the_camera_was_held(orientation: int, tmp_path: Path) -> None:
    upright = Image.new("RGB", (60, 40), "white")
    upright.paste("red", (0, 0, 20, 20))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    lying = upright.transpose(Image.Transpose(undo[orientation]))
    image, sent = fitted(saved(lying, "JPEG", quality=100, exif=exif(orientation, place=True)), tmp_path)
    assert image.size == (sent.width, sent.height) == (60, 40)
    corner: Any = image.convert("RGB").getpixel((5, 5))
    assert corner[0] > 200
    assert corner[1] < 60
    assert image.getexif().get(0x0112, 1) == 1


def test_colours_come_into_srgb(tmp_path: Path) -> None:
    cmyk, _ = fitted(saved(noise("CMYK"), "JPEG"), tmp_path)
    assert cmyk.mode == "RGB"
    red = Image.new("RGB", (40, 40), "red")
    image, _ = fitted(saved(red, "JPEG", quality=100, icc_profile=wide_gamut()), tmp_path)
    pixel: Any = image.getpixel((5, 5))
    assert pixel != red.getpixel((5, 5))
    assert "icc_profile" not in image.info


def test_the_place_goes_and_no_pixel_changes(tmp_path: Path) -> None:
    content = saved(noise(), "JPEG", exif=exif(place=True), comment=b"at home") + b"\0" * 10
    image, _ = fitted(content, tmp_path)
    assert image.tobytes() == Image.open(io.BytesIO(content)).tobytes()
    assert not image.getexif()
    assert b"at home" not in (tmp_path / "made").read_bytes()
    kept, _ = fitted(saved(noise(), "PNG", exif=exif(place=True)), tmp_path)
    assert (kept.format, bool(kept.getexif())) == ("PNG", False)


def test_too_many_bytes_are_made_fewer(tmp_path: Path) -> None:
    content = saved(noise(size=(800, 600)), "PNG")
    image, _ = fitted(content, tmp_path, FileLimits(mimes=("image/jpeg", "image/png"), bytes_max=100_000))
    assert image.format == "JPEG"
    assert (tmp_path / "made").stat().st_size <= 100_000
    only_png = FileLimits(mimes=("image/png",), bytes_max=100_000)
    smaller, _ = fitted(content, tmp_path, only_png)
    assert smaller.width < 800
    with pytest.raises(InvalidUpload) as refused:
        mend(tmp_path / "file", tmp_path / "made", Recipe(mime="image/png", bytes_max=20))
    assert refused.value.code == "cannot_fit"


def test_too_many_pixels_are_made_fewer_and_the_shape_stays(tmp_path: Path) -> None:
    limits = FileLimits(mimes=("image/jpeg",), pixels_max=(400, 400))
    image, sent = fitted(saved(noise(size=(801, 603)), "JPEG"), tmp_path, limits)
    assert image.size == (sent.width, sent.height) == (400, 301)


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_is_left_alone(form: str, tmp_path: Path) -> None:
    assert planned(animated(form, mode="P" if form == "GIF" else "RGB"), tmp_path) is None


def test_a_film_and_a_public_url_are_left_alone() -> None:
    film = Media(upload_id="u", kind="video", mime="video/webm", width=10, height=10, bytes=1 << 40)
    assert plan(film, BOTH) is None
    assert plan(Media(url="https://example.com/p.webp"), BOTH) is None


def test_every_change_is_told_and_equal_recipes_have_equal_names() -> None:
    picture = Media(
        upload_id="u",
        kind="image",
        mime="image/webp",
        width=900,
        height=900,
        bytes=10,
        details=Details(orientation=6, colour="Display P3", location=True),
    )
    limits = FileLimits(mimes=("image/jpeg",), pixels_max=(300, 300))
    made, again = plan(picture, limits), plan(picture, limits)
    assert made is not None
    assert again is not None
    assert len(made.notes) == 5
    assert made.recipe.key == again.recipe.key
    assert made.recipe.key != Recipe(mime="image/jpeg").key
