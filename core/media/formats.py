"""Formats of media files, told by their first bytes and never by their names."""

from typing import Literal

import msgspec

from core.errors import InvalidUpload
from core.limits import MediaKind

HEAD_BYTES = 4096
"""How much of a file's beginning tells its format."""

TAKEN = "JPEG, PNG, GIF, WebP, HEIC and AVIF pictures, and films as MP4, MOV, M4V, WebM or Matroska"

Build = Literal["jpeg", "png", "gif", "webp", "boxes", "ebml"]


class Format(msgspec.Struct, frozen=True):
    """A format: its name, how it is built, and what opens it (a plugin of Pillow, a demuxer of FFmpeg)."""

    name: str
    kind: MediaKind
    mime: str
    extension: str
    build: Build
    opener: str


JPEG = Format("JPEG", "image", "image/jpeg", "jpg", "jpeg", "JPEG")
PNG = Format("PNG", "image", "image/png", "png", "png", "PNG")
GIF = Format("GIF", "image", "image/gif", "gif", "gif", "GIF")
WEBP = Format("WebP", "image", "image/webp", "webp", "webp", "WEBP")
HEIC = Format("HEIC", "image", "image/heic", "heic", "boxes", "HEIF")
AVIF = Format("AVIF", "image", "image/avif", "avif", "boxes", "AVIF")
MP4 = Format("MP4", "video", "video/mp4", "mp4", "boxes", "mov")
M4V = Format("M4V", "video", "video/x-m4v", "m4v", "boxes", "mov")
MOV = Format("MOV", "video", "video/quicktime", "mov", "boxes", "mov")
WEBM = Format("WebM", "video", "video/webm", "webm", "ebml", "matroska")
MATROSKA = Format("Matroska", "video", "video/x-matroska", "mkv", "ebml", "matroska")

FORMATS = (JPEG, PNG, GIF, WEBP, HEIC, AVIF, MP4, M4V, MOV, WEBM, MATROSKA)

EXTENSIONS = {format.mime: format.extension for format in FORMATS}
"""How a file of a type is called."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_FOREIGN_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"crx ", b"jp2 ", b"jpx "})
_OLD_MOV_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_OTHER_FILMS = (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV", b"\x30\x26\xb2\x75", b"OggS")


def format_of(head: bytes) -> Format:
    """The format of the file that begins with `head`, some kilobytes of it.

    Raises InvalidUpload with `empty_file`, `video_not_supported` or `file_type_not_supported`.
    """
    if not head:
        raise InvalidUpload("The file is empty.", code="empty_file")
    found = _picture(head) or _boxes(head) or _ebml(head)
    if found is not None:
        return found
    if head.startswith(_OTHER_FILMS) or (head.startswith(b"RIFF") and head[8:12] == b"AVI "):
        words = f"This kind of film is not taken; save it as MP4 with H.264. Taken are {TAKEN}."
        raise InvalidUpload(words, code="video_not_supported")
    words = f"This is no picture or film that can be read, whatever its name says. Taken are {TAKEN}."
    raise InvalidUpload(words, code="file_type_not_supported")


def _picture(head: bytes) -> Format | None:
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    return WEBP if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def _boxes(head: bytes) -> Format | None:
    """ISO base media files (ISO 14496-12), by their brands, and QuickTime files from before there were any."""
    if head[4:8] != b"ftyp":
        return MOV if head[4:8] in _OLD_MOV_ATOMS else None
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, size - 3, 4))}
    if major in _AVIF_BRANDS or (major in _HEIC_BRANDS and brands & _AVIF_BRANDS):
        return AVIF
    if major in _HEIC_BRANDS:
        return HEIC
    if major in _FOREIGN_BRANDS:
        return None
    if major == b"qt  ":
        return MOV
    return M4V if major.startswith(b"M4V") else MP4


def _ebml(head: bytes) -> Format | None:
    if not head.startswith(b"\x1aE\xdf\xa3"):
        return None
    return WEBM if b"webm" in head[:64] else MATROSKA
