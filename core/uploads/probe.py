"""What a file really is, told by its content: type, size in pixels, frames; or why it cannot be taken."""

import asyncio
from pathlib import Path
from typing import Literal

import msgspec
from PIL import Image, ImageFile

from core.errors import InvalidUpload

Kind = Literal["image", "video", "document"]

MAX_PIXELS = 80_000_000
"""The largest picture that is decoded, in pixels."""

MAX_DECODED_PIXELS = 400_000_000
"""The most that all frames of one animation may hold together, in pixels."""

_ONLY_IMAGES = "Only images can be uploaded: JPEG, PNG, GIF or WebP."
_ORIENTATION = 0x0112
_HEAD_BYTES = 16


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a file: sizes in pixels as seen, after the camera's orientation; seconds for films."""

    kind: Kind
    mime: str
    extension: str
    width: int | None = None
    height: int | None = None
    frames: int = 1
    seconds: float | None = None


class _Format(msgspec.Struct, frozen=True):
    plugin: str
    mime: str
    extension: str


_JPEG = _Format("JPEG", "image/jpeg", "jpg")
_PNG = _Format("PNG", "image/png", "png")
_GIF = _Format("GIF", "image/gif", "gif")
_WEBP = _Format("WEBP", "image/webp", "webp")


class ThreadedProber:
    """Probes in a thread, one file at a time, so that decoding neither blocks the loop nor multiplies its memory."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def __call__(self, path: Path) -> Probe:
        """See `probe`."""
        async with self._turn:
            return await asyncio.to_thread(probe, path)


def probe(path: Path) -> Probe:
    """Read a file and say what it is, by its content and never by its name.

    Every frame is decoded: a file that passes is whole. Needs nothing but the path, and answers and errors
    can be pickled, so that it can run in another process. Raises InvalidUpload with `empty_file`,
    `file_type_not_supported`, `video_not_supported`, `too_many_pixels` or `broken_image`.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise InvalidUpload("The file is empty.", code="empty_file")
    found = _format(head)
    if found is None:
        code = "video_not_supported" if _is_video(head) else "file_type_not_supported"
        raise InvalidUpload(_ONLY_IMAGES, code=code)
    try:
        return _probe_image(path, found)
    except InvalidUpload:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except Exception as error:
        # Pillow's plugins raise whatever a damaged file makes them raise.
        raise InvalidUpload(
            f"The {found.plugin} image is damaged or incomplete; export or upload it again.", code="broken_image"
        ) from error


def _probe_image(path: Path, found: _Format) -> Probe:
    with Image.open(path, formats=(found.plugin,)) as image:
        # Follows a PNG's checksums to its end, which decoding does not; nothing for the other formats.
        image.verify()
    with Image.open(path, formats=(found.plugin,)) as image:
        width, height = image.size
        # A JPEG may carry further pictures (depth maps, thumbnails) behind the first; it shows only one.
        frames = 1 if found is _JPEG else int(getattr(image, "n_frames", 1))
        if width * height > MAX_PIXELS or width * height * frames > MAX_DECODED_PIXELS:
            raise _too_many_pixels()
        if _orientation(image) >= 5:
            width, height = height, width
        _decode(image, frames)
    return Probe(kind="image", mime=found.mime, extension=found.extension, width=width, height=height, frames=frames)


def _decode(image: ImageFile.ImageFile, frames: int) -> None:
    # Lets the JPEG decoder give an eighth of the size: all of the file is read, a fraction of the memory used.
    image.draft(None, (1, 1))
    for frame in range(frames):
        if frames > 1:
            image.seek(frame)
        image.load()


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF's orientation, 1 to 8; values from 5 lie on their side (CIPA DC-008, 4.6.4)."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  broken EXIF does not break the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _format(head: bytes) -> _Format | None:
    if head.startswith(b"\xff\xd8\xff"):
        return _JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _GIF
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _WEBP
    return None


def _is_video(head: bytes) -> bool:
    """MP4 and its kin, Matroska and WebM, AVI, MPEG program and transport streams, Flash video."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    atoms = (b"moov", b"mdat", b"wide", b"free", b"skip")
    return head[4:8] in atoms or head.startswith((b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV"))


def _too_many_pixels() -> InvalidUpload:
    return InvalidUpload(
        f"The image has too many pixels; at most {MAX_PIXELS // 1_000_000} million are taken, "
        f"and {MAX_DECODED_PIXELS // 1_000_000} million over all frames of an animation.",
        code="too_many_pixels",
    )
