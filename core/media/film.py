"""Films: opened by FFmpeg and looked at, without decoding more than their beginning."""

from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from core.errors import InvalidUpload
from core.media.facts import Details, Probe
from core.media.formats import Format
from core.media.picture import MAX_PIXELS, too_many_pixels

_LOCATION = ("location", "location-eng", "com.apple.quicktime.location.ISO6709")
# A file that names others would have us read them; of a film only its own bytes are read.
_OPTIONS = {"protocol_whitelist": "file", "enable_drefs": "0", "use_absolute_path": "0"}
_FIRST_PACKETS = 2000


def probe_film(path: Path, format: Format) -> Probe:
    """What is in a film. Its first picture is decoded; that it is not cut off is told by its build.

    Raises InvalidUpload with `broken_video`, `video_without_picture` or `too_many_pixels`.
    """
    options = _OPTIONS if format.opener == "mov" else {"protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", format=format.opener, options=options, metadata_errors="replace") as film:
            return _probed(film, format)
    except (InvalidUpload, MemoryError):
        raise
    except (FFmpegError, ArithmeticError, ValueError, AttributeError) as error:
        # What FFmpeg knows nothing of, PyAV gives as None.
        raise _broken(format) from error


def _probed(film: Any, format: Format) -> Probe:
    pictures = [stream for stream in film.streams.video if not _is_cover(stream)]
    if not pictures:
        words = f"The {format.name} file has no pictures that move; it may hold sound alone. Send a film."
        raise InvalidUpload(words, code="video_without_picture")
    stream = pictures[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise too_many_pixels()
    frame = _first_picture(film, stream)
    if frame is None or not width or not height:
        raise _broken(format)
    shape = stream.sample_aspect_ratio
    if shape and shape != 1:
        width = round(width * shape)
    if frame.rotation % 180:
        width, height = height, width
    return Probe(
        kind="video",
        mime=format.mime,
        extension=format.extension,
        width=width,
        height=height,
        seconds=_seconds(film, stream),
        details=_details(film, stream),
    )


def _details(film: Any, stream: Any) -> Details:
    sound = film.streams.audio[0] if film.streams.audio else None
    average, base = stream.average_rate, stream.base_rate
    tags = {name.lower() for name in (*film.metadata, *stream.metadata)}
    return Details(
        frames=stream.frames or 1,
        location=any(name.lower() in tags for name in _LOCATION),
        video_codec=stream.codec_context.name,
        audio_codec=sound.codec_context.name if sound is not None and sound.codec_context else None,
        rate=round(float(average), 3) if average else None,
        variable_rate=bool(average and base and abs(average - base) / average > 0.01),
    )


def _first_picture(film: Any, stream: Any) -> Any:
    stream.codec_context.thread_count = 1
    for count, packet in enumerate(film.demux(stream)):
        for frame in packet.decode():
            return frame
        if count > _FIRST_PACKETS:
            break
    return None


def _seconds(film: Any, stream: Any) -> float:
    if film.duration and film.duration > 0:
        return round(float(film.duration / av.time_base), 3)
    if stream.duration and stream.duration > 0:
        return round(float(stream.duration * stream.time_base), 3)
    # A film that was streamed does not say how long it is: its packets are counted to the end.
    end = 0.0
    for packet in film.demux(stream):
        if packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
    return round(end, 3)


def _is_cover(stream: Any) -> bool:
    """Whether it is a still, such as the cover of a song."""
    return bool(stream.disposition & Disposition.attached_pic)


def _broken(format: Format) -> InvalidUpload:
    return InvalidUpload(
        f"The {format.name} film is damaged, incomplete or coded in a way that cannot be read; export it again as MP4 "
        "with H.264.",
        code="broken_video",
    )
