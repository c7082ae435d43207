"""How media files are built: where each ends by its own account, what is cut off, and what hides behind the end."""

import mmap
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, overload

from core.errors import InvalidUpload
from core.media.formats import Build, Format


class Bytes(Protocol):
    """The content of a file, as far as it is looked at here."""

    def __len__(self) -> int:
        """How many bytes there are."""
        ...

    @overload
    def __getitem__(self, at: int, /) -> int: ...
    @overload
    def __getitem__(self, at: slice, /) -> bytes: ...


_BOTH_BYTES = 1024 * 1024
_TAIL_BYTES = 65_557  # a ZIP's last record with the longest comment
_START_BYTES = 1024  # where readers of PDF and browsers look
_ZIP_END = b"PK\x05\x06"
_MARKUP = re.compile(rb"(?i)<!doctype html|<html[\s>]|<script[\s>]|<\?php|<svg[\s>]")
_ARCHIVE = re.compile(rb"%PDF-|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x7fELF[\x01\x02]")
_MARKERS_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_MOST_BOXES = 100_000


def examine(path: Path, format: Format) -> None:
    """Look through the build of a file without decoding it.

    Raises InvalidUpload with `file_cut_off` where it ends before its own end, and `two_kinds_of_file` where it is
    also something that a browser or another program would run or open.
    """
    with _opened(path, format) as data:
        end = _ENDS[format.build](data)
        if end is None:
            raise InvalidUpload(
                f"The {format.name} file ends too early, or is damaged; upload or export it again.",
                code="file_cut_off",
            )
        if _is_another(data, end):
            raise InvalidUpload(
                f"The file is a {format.name} and at the same time something else (a page, a script, a document or "
                "an archive); save it anew with a program for pictures or films.",
                code="two_kinds_of_file",
            )


class _Film:
    """The content of a film, which may be larger than what a process may address: read piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, at: Any) -> Any:
        start, stop, _ = (at if isinstance(at, slice) else slice(at, at + 1)).indices(self._size)
        self._file.seek(start)
        found = self._file.read(max(0, stop - start))
        return found if isinstance(at, slice) else found[0]


@contextmanager
def _opened(path: Path, format: Format) -> Iterator[Bytes]:
    with path.open("rb") as file:
        if format.kind == "video":
            yield _Film(file)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _is_another(data: Bytes, end: int) -> bool:
    start, behind = data[:_START_BYTES], data[end : end + _BOTH_BYTES]
    if _MARKUP.search(start) or b"%PDF-" in start:
        return True
    if behind.strip(b"\0") and (_MARKUP.search(behind) or _ARCHIVE.search(behind)):
        return True
    tail = data[max(0, len(data) - _TAIL_BYTES) :]
    at = tail.rfind(_ZIP_END)
    # By chance the signature alone may stand anywhere; that its comment then leads to the very end, hardly.
    return 0 <= at <= len(tail) - 22 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)


def _end_of_jpeg(data: mmap.mmap) -> int | None:
    """ITU T.81, annex B: segments with their lengths, then coded data up to the marker of the end."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker in _MARKERS_ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:
            end = data.find(b"\xff\xd9", at)
            return end + 2 if end >= 0 else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _end_of_png(data: Bytes) -> int | None:
    at = 8
    while at + 12 <= len(data):
        kind = data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND":
            return at if at <= len(data) else None
    return None


def _end_of_gif(data: Bytes) -> int | None:
    """GIF89a, 17 to 27: a screen, then blocks, each a chain of pieces, up to the trailer."""
    if len(data) < 13:
        return None
    at = 13 + _palette(data[10])
    while at < len(data):
        mark = data[at]
        if mark == 0x3B:
            return at + 1
        if mark == 0x21:
            at = _behind_pieces(data, at + 2)
        elif mark == 0x2C and at + 10 < len(data):
            at = _behind_pieces(data, at + 11 + _palette(data[at + 9]))
        else:
            return None
    return None


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_pieces(data: Bytes, at: int) -> int:
    size = len(data)
    while at < size and (piece := data[at]):
        at += piece + 1
    return at + 1


def _end_of_webp(data: Bytes) -> int | None:
    end = 8 + int.from_bytes(data[4:8], "little")
    return end if end <= len(data) else None


def _end_of_boxes(data: Bytes) -> int | None:
    """ISO 14496-12, 4.2: boxes with their sizes; 1 means 64 bits of it, 0 means up to the end."""
    at, seen = 0, set[bytes]()
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            break
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = len(data) if size == 0 else at + size
        if end > len(data) or end < at + head:
            # Behind a whole film there may lie what is no box at all.
            return at if {b"moov", b"mdat"} <= seen else None
        seen.add(kind)
        at = end
    return at if seen & {b"moov", b"meta"} else None


def _end_of_ebml(data: Bytes) -> int | None:
    """RFC 8794: the header, then the segment; one that was streamed does not say how long it is."""
    at = 0
    for _ in range(2):
        start = at + (4 if at + 4 <= len(data) else 0)
        if start == at or start >= len(data) or not data[start]:
            return None
        length = 9 - data[start].bit_length()
        size = int.from_bytes(data[start : start + length], "big") & ((1 << 7 * length) - 1)
        at = len(data) if size == (1 << 7 * length) - 1 else start + length + size
    return at if at <= len(data) else None


# Pictures are mapped, films are read; of a mapped file more can be asked.
_ENDS: dict[Build, Callable[[Any], int | None]] = {
    "jpeg": _end_of_jpeg,
    "png": _end_of_png,
    "gif": _end_of_gif,
    "webp": _end_of_webp,
    "boxes": _end_of_boxes,
    "ebml": _end_of_ebml,
}
