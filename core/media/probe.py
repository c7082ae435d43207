"""The probe: what a file really is, told by its content; or why it cannot be taken."""

from pathlib import Path

from core.errors import InvalidUpload
from core.media.build import examine
from core.media.facts import Probe
from core.media.film import probe_film
from core.media.formats import HEAD_BYTES, format_of
from core.media.picture import MAX_BYTES, probe_picture


def probe(path: Path) -> Probe:
    """Read a file and say what it is. Raises InvalidUpload, whose code says why it cannot be taken.

    It decodes what strangers made: call it in a process of its own (`core.media.processes`).
    """
    with path.open("rb") as file:
        format = format_of(file.read(HEAD_BYTES))
        size = file.seek(0, 2)
    if format.kind == "video":
        examine(path, format)
        return probe_film(path, format)
    if size > MAX_BYTES:
        words = f"The picture is too large; at most {MAX_BYTES // 1024**2} MB are taken."
        raise InvalidUpload(words, code="file_too_large")
    found = probe_picture(path, format)
    examine(path, format)
    return found
