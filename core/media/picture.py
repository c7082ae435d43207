"""Pictures: opened by Pillow and looked at, frame by frame."""

import io
import re
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageFile

from core.errors import InvalidUpload
from core.media.facts import SRGB, Details, Probe
from core.media.formats import HEIC, JPEG, Format

MAX_BYTES = 100 * 1024**2
"""The largest file of a picture that is taken, in bytes."""

MAX_PIXELS = 80_000_000
"""The largest picture that is decoded, in pixels."""

MAX_DECODED_PIXELS = 400_000_000
"""The most that all frames of one animation may hold together, in pixels."""

ORIENTATION = 0x0112
GPS = 0x8825

_COLOURS = {"CMYK": "CMYK", "YCCK": "CMYK", "L": "grey", "LA": "grey", "1": "grey", "LAB": "LAB"}


def probe_picture(path: Path, format: Format) -> Probe:
    """What is in a picture; every frame is decoded, so that a file which passes is whole.

    Raises InvalidUpload with `too_many_pixels` or `broken_image`.
    """
    try:
        return _probed(path, format)
    except (InvalidUpload, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_many_pixels() from None
    except Exception as error:
        # Pillow's plugins raise whatever a damaged file makes them raise.
        raise broken(format) from error


def open_picture(path: Path, format: Format) -> ImageFile.ImageFile:
    """The picture, by the plugin of its format and no other."""
    if format is HEIC:
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False, decode_threads=1)
    return Image.open(path, formats=(format.opener,))


def broken(format: Format) -> InvalidUpload:
    """The refusal of a picture that cannot be decoded to its end."""
    return InvalidUpload(
        f"The {format.name} image is damaged or incomplete; export or upload it again.", code="broken_image"
    )


def too_many_pixels() -> InvalidUpload:
    """The refusal of a picture that would unfold beyond all measure."""
    return InvalidUpload(
        f"The image has too many pixels; at most {MAX_PIXELS // 1_000_000} million are taken, "
        f"and {MAX_DECODED_PIXELS // 1_000_000} million over all frames of an animation.",
        code="too_many_pixels",
    )


def turned(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; values from 5 lie on their side (CIPA DC-008, 4.6.4)."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001  broken EXIF does not break the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def colour_of(image: Image.Image) -> str:
    """The colour space: by the profile, or by how the pixels are kept."""
    if image.mode in ("CMYK", "YCCK"):
        return "CMYK"
    profile = image.info.get("icc_profile")
    if profile and (name := _name_of(profile)) and "srgb" not in name.lower():
        return _COLOURS.get(image.mode, name)
    return "grey" if image.mode.startswith("I") else _COLOURS.get(image.mode, SRGB)


def has_location(image: Image.Image) -> bool:
    """Whether EXIF or XMP tell where the picture was taken."""
    try:
        if image.getexif().get_ifd(GPS):
            return True
    except Exception:  # noqa: BLE001  broken EXIF tells nothing
        return False
    xmp: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return bool(re.search(rb"GPSL(at|ong)itude", xmp.encode() if isinstance(xmp, str) else bytes(xmp)))


def has_alpha(image: Image.Image) -> bool:
    """Whether the picture can be seen through."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _probed(path: Path, format: Format) -> Probe:
    if format.name == "PNG":
        with open_picture(path, format) as image:
            # Follows the checksums to the end, which decoding does not.
            image.verify()
    with open_picture(path, format) as image:
        width, height = image.size
        # A JPEG may carry further pictures (depth maps, thumbnails) behind the first; it shows only one.
        frames = 1 if format in (JPEG, HEIC) else int(getattr(image, "n_frames", 1))
        if width * height > MAX_PIXELS or width * height * frames > MAX_DECODED_PIXELS:
            raise too_many_pixels()
        # pillow-heif turns the pixels by itself, and keeps what EXIF said of them.
        orientation = 1 if format is HEIC else turned(image)
        details = Details(
            frames=frames,
            orientation=orientation,
            colour=colour_of(image),
            alpha=has_alpha(image),
            location=has_location(image),
        )
        _decode(image, frames)
    if orientation >= 5:
        width, height = height, width
    return Probe(
        kind="image", mime=format.mime, extension=format.extension, width=width, height=height, details=details
    )


def _decode(image: ImageFile.ImageFile, frames: int) -> None:
    # Lets the JPEG decoder give an eighth of the size: all of the file is read, a fraction of the memory used.
    image.draft(None, (1, 1))
    for frame in range(frames):
        if frames > 1:
            image.seek(frame)
        image.load()


def _name_of(profile: bytes) -> str:
    try:
        found = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except Exception:  # noqa: BLE001  a broken profile says nothing
        return ""
    return str(found).strip()[:80]
