"""Fitting, carried out: a recipe done to a picture, into a new file."""

import io
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

from core.errors import InvalidUpload
from core.media.formats import HEAD_BYTES, HEIC, JPEG, PNG, Format, format_of
from core.media.picture import MAX_PIXELS, ORIENTATION, broken, open_picture, too_many_pixels, turned
from core.media.recipe import Fitted, Recipe

_QUALITIES = (95, 90, 85, 78)
_STEP = 0.85
_MOST_STEPS = 24


def mend(source: Path, target: Path, recipe: Recipe) -> Fitted:
    """Do `recipe` to the picture at `source`, and write the result to `target`.

    Raises InvalidUpload with `cannot_fit` where the bound cannot be met, and what a probe raises. It decodes what
    strangers made: call it in a process of its own (`core.media.processes`).
    """
    with source.open("rb") as file:
        format = format_of(file.read(HEAD_BYTES))
    if recipe.only_strip and format is JPEG:
        content = _stripped(source.read_bytes())
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as stripped:
            # A picture on its side is as wide as it is seen.
            width, height = stripped.size if turned(stripped) < 5 else stripped.size[::-1]
    else:
        try:
            image = _mended(source, format, recipe)
        except (InvalidUpload, MemoryError):
            raise
        except Exception as error:
            raise broken(format) from error
        content, (width, height) = _saved(image, recipe)
    target.write_bytes(content)
    made = JPEG if recipe.mime == JPEG.mime else PNG
    return Fitted(mime=made.mime, extension=made.extension, bytes=len(content), width=width, height=height)


def _mended(source: Path, format: Format, recipe: Recipe) -> Image.Image:
    with open_picture(source, format) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise too_many_pixels()
        opened.load()
        profile = opened.info.get("icc_profile")
        upright = opened if format is HEIC else ImageOps.exif_transpose(opened)
        image = _in_mode(upright, recipe, profile if recipe.srgb else None)
        if recipe.pixels_max:
            image.thumbnail(recipe.pixels_max, Image.Resampling.LANCZOS)
        return image


def _in_mode(image: Image.Image, recipe: Recipe, profile: bytes | None) -> Image.Image:
    """In a mode that every reader of the target knows, and in sRGB."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey: Pillow would cut the upper half off.
        image = image.point([value // 256 for value in range(65536)], "L") if image.mode == "I;16" else image
    alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    wanted = "RGBA" if alpha and recipe.mime == PNG.mime else "L" if image.mode in ("L", "1") else "RGB"
    if profile and (converted := _by_profile(image, profile, wanted)) is not None:
        return converted
    return image if image.mode == wanted else image.convert(wanted)


def _by_profile(image: Image.Image, profile: bytes, wanted: str) -> Image.Image | None:
    mode = "RGB" if wanted == "L" else wanted
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A broken profile says nothing: the pixels are taken as they are.
        return None


def _saved(image: Image.Image, recipe: Recipe) -> tuple[bytes, tuple[int, int]]:
    """The file, as good as fits into the bound: worse in quality first, then smaller."""
    for _ in range(_MOST_STEPS):
        for quality in _QUALITIES if recipe.mime == JPEG.mime else (None,):
            content = _encoded(image, quality)
            if recipe.bytes_max is None or len(content) <= recipe.bytes_max:
                return content, image.size
        smaller = max(1, int(image.width * _STEP)), max(1, int(image.height * _STEP))
        if smaller == image.size:
            break
        image = image.resize(smaller, Image.Resampling.LANCZOS)
    raise InvalidUpload(
        f"The picture cannot be brought to at most {recipe.bytes_max:,} bytes; send a smaller one.", code="cannot_fit"
    )


def _encoded(image: Image.Image, quality: int | None) -> bytes:
    target = io.BytesIO()
    # Whatever was told beside the pixels goes: Pillow would keep some of it.
    image.info = {}
    if quality is None:
        image.save(target, "PNG", optimize=image.width * image.height < 4_000_000)
    else:
        image.save(target, "JPEG", quality=quality, progressive=True, subsampling="4:4:4" if quality >= 95 else "4:2:0")
    return target.getvalue()


def _stripped(data: bytes) -> bytes:
    """A JPEG without what was told beside the picture, its orientation and its colour profile excepted.

    No pixel changes; what lies behind its end, such as the film of a moving photo, goes as well.
    """
    kept, at = bytearray(data[:2]), 2
    orientation = _orientation_of(data)
    if orientation != 1:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        told = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        kept += b"\xff\xe1" + (len(told) + 2).to_bytes(2, "big") + told
    while at + 4 <= len(data) and data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at : at + size]
        is_profile = segment[1] == 0xE2 and segment[4:15] == b"ICC_PROFILE"
        # JFIF and Adobe say how the colours are kept.
        if not (0xE0 <= segment[1] <= 0xEF or segment[1] == 0xFE) or segment[1] in (0xE0, 0xEE) or is_profile:
            kept += segment
        at += size
    end = data.find(b"\xff\xd9", at)
    return bytes(kept + data[at : end + 2 if end >= 0 else len(data)])


def _orientation_of(data: bytes) -> int:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return turned(image)
