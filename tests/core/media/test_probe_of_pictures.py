"""The probe: files are what their content says, and what is damaged, huge or foreign is refused with words."""

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.errors import InvalidUpload
from core.media.picture import MAX_DECODED_PIXELS, MAX_PIXELS
from core.media.probe import probe


def picture(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Something that does not compress to nothing."""
    noise = Image.effect_noise(size, 80)
    return noise.convert(mode) if mode != "I;16" else Image.new("I;16", size, 40_000)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture(), "JPEG", exif=exif)


def animated(form: str, count: int = 5) -> bytes:
    frames = [picture("P" if form == "GIF" else "RGB") for _ in range(count)]
    return saved(frames[0], form, save_all=True, append_images=frames[1:], duration=50)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, part) for kind, part in parts)


def gif(width: int, height: int, frames: int) -> bytes:
    """An animation of single dots on a screen of the given size."""
    dot = b"\x21\xf9\x04\x00\x05\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    return b"GIF89a" + screen + dot * frames + b"\x3b"


IMAGES = {
    "jpeg": (saved(picture(), "JPEG"), "image/jpeg", "jpg", 64, 48, 1),
    "progressive jpeg": (saved(picture(), "JPEG", progressive=True), "image/jpeg", "jpg", 64, 48, 1),
    "cmyk jpeg": (saved(picture("CMYK"), "JPEG"), "image/jpeg", "jpg", 64, 48, 1),
    "grey jpeg": (saved(picture("L"), "JPEG"), "image/jpeg", "jpg", 64, 48, 1),
    "jpeg on its side": (turned(6), "image/jpeg", "jpg", 48, 64, 1),
    "jpeg on its other side, mirrored": (turned(5), "image/jpeg", "jpg", 48, 64, 1),
    "jpeg upside down": (turned(3), "image/jpeg", "jpg", 64, 48, 1),
    "jpeg of no known orientation": (turned(99), "image/jpeg", "jpg", 64, 48, 1),
    "jpeg of several pictures": (
        saved(picture(), "MPO", save_all=True, append_images=[picture()]), "image/jpeg", "jpg", 64, 48, 1
    ),
    "png": (saved(picture(), "PNG"), "image/png", "png", 64, 48, 1),
    "png with alpha": (saved(picture("RGBA"), "PNG"), "image/png", "png", 64, 48, 1),
    "png with a palette": (saved(picture("P"), "PNG"), "image/png", "png", 64, 48, 1),
    "png of 16 bits": (saved(picture("I;16"), "PNG"), "image/png", "png", 64, 48, 1),
    "png of one pixel": (saved(picture(size=(1, 1)), "PNG"), "image/png", "png", 1, 1, 1),
    "animated png": (animated("PNG"), "image/png", "png", 64, 48, 5),
    "gif": (saved(picture("P"), "GIF"), "image/gif", "gif", 64, 48, 1),
    "animated gif": (animated("GIF"), "image/gif", "gif", 64, 48, 5),
    "webp": (saved(picture(), "WEBP"), "image/webp", "webp", 64, 48, 1),
    "lossless webp with alpha": (saved(picture("RGBA"), "WEBP", lossless=True), "image/webp", "webp", 64, 48, 1),
    "animated webp": (animated("WEBP"), "image/webp", "webp", 64, 48, 5),
}  # fmt: skip


def stored(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path) -> InvalidUpload:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidUpload) as raised:
            probe(path)
    return raised.value


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    content, mime, extension, width, height, frames = IMAGES[name]
    found = probe(stored(tmp_path, content, "holiday.txt"))
    assert (found.kind, found.mime, found.extension) == ("image", mime, extension)
    assert (found.width, found.height, found.details.frames, found.seconds) == (width, height, frames, None)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
# Behind the first picture of several there may be any loss: it is the one that is shown.
@pytest.mark.parametrize("name", [name for name in IMAGES if name != "jpeg of several pictures"])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str, share: float) -> None:
    content = IMAGES[name][0]
    error = refusal(stored(tmp_path, content[: int(len(content) * share)]))
    assert error.code in ("broken_image", "file_cut_off")
    assert "damaged" in error.message


def code_of(path: Path) -> str | None:
    try:
        probe(path)
    except InvalidUpload as error:
        return error.code
    return None


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize("name", IMAGES)
def test_an_image_damaged_anywhere_is_refused_or_whole_and_never_a_crash(tmp_path: Path, name: str) -> None:
    content = IMAGES[name][0]
    codes = set()
    for position in range(0, len(content), max(1, len(content) // 60)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        codes.add(code_of(stored(tmp_path, bytes(damaged))))
    assert codes <= {None, "broken_image", "file_cut_off", "file_type_not_supported", "too_many_pixels"}
    assert codes != {None}


@pytest.mark.parametrize(
    "content",
    [
        png(30_000, 30_000),
        png(2**31 - 1, 2**31 - 1),
        png(MAX_PIXELS // 8000 + 1, 8000),
        gif(65_535, 65_535, 1),
        gif(8000, 8000, MAX_DECODED_PIXELS // 64_000_000 + 1),
    ],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, content: bytes) -> None:
    error = refusal(stored(tmp_path, content))
    assert error.code == "too_many_pixels"
    assert "80 million" in error.message


def test_the_largest_picture_allowed_is_not_called_a_bomb(tmp_path: Path) -> None:
    """It fails only for its missing pixels."""
    assert refusal(stored(tmp_path, png(MAX_PIXELS // 8000, 8000))).code == "broken_image"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"Just some text.\n", "file_type_not_supported"),
        (b"x", "file_type_not_supported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "file_type_not_supported"),
        (b"<!doctype html><script>alert(1)</script>", "file_type_not_supported"),
        (b"%PDF-1.7\n", "file_type_not_supported"),
        (b"PK\x03\x04" + bytes(30), "file_type_not_supported"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(16), "broken_image"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(16), "broken_image"),
        (b"\x00\x00\x00\x18ftypM4A " + bytes(16), "file_type_not_supported"),
        (b"BM" + bytes(30), "file_type_not_supported"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "file_type_not_supported"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(16), "file_cut_off"),
        (b"\x00\x00\x00\x14ftypqt  " + bytes(16), "file_cut_off"),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x08mdat", "file_cut_off"),
        (b"\x1aE\xdf\xa3" + bytes(16), "file_cut_off"),
        (b"FLV\x01", "video_not_supported"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video_not_supported"),
    ],
)
def test_what_is_no_image_is_refused_whatever_it_is_called(tmp_path: Path, content: bytes, code: str) -> None:
    error = refusal(stored(tmp_path, content, "holiday.jpg"))
    assert error.code == code
    assert error.message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refusal(stored(tmp_path, b"")).code == "empty_file"


@pytest.mark.parametrize("head", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\x00\x00\x00WEBP"])
def test_a_head_without_an_image_is_a_broken_image(tmp_path: Path, head: bytes) -> None:
    for rest in (b"", b"/* not pixels */" * 20, bytes(500)):
        assert refusal(stored(tmp_path, head + rest)).code == "broken_image"
