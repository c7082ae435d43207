"""Odd files, made by Pillow and FFmpeg or byte by byte."""

import io
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageCms
from pillow_heif import from_pillow


def noise(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Something that does not compress to nothing."""
    return Image.effect_noise(size, 80).convert(mode) if mode != "I;16" else Image.new("I;16", size, 40_000)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def exif(orientation: int = 1, *, place: bool = False) -> bytes:
    made = Image.Exif()
    made[0x0112] = orientation
    if place:
        gps = made.get_ifd(0x8825)
        gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 31.0, 12.0), "E", (13.0, 24.0, 17.0)
    return made.tobytes()


def animated(form: str, count: int = 5, mode: str = "RGB") -> bytes:
    frames = [noise(mode) for _ in range(count)]
    return saved(frames[0], form, save_all=True, append_images=frames[1:], duration=50)


def heic(image: Image.Image | None = None, **options: Any) -> bytes:
    target = io.BytesIO()
    from_pillow(image or noise()).save(target, **options)
    return target.getvalue()


def profile(name: str = "LAB") -> bytes:
    """A colour profile that is not sRGB's."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB" if name == "LAB" else "XYZ")).tobytes()


def wide_gamut() -> bytes:
    """A profile of an RGB space that is no sRGB: sRGB's own, under another name and with primaries exchanged."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = made.find("sRGB".encode("utf-16-be"))
    made[at : at + 8] = "WIDE".encode("utf-16-be")
    red, blue = made.find(b"rXYZ") + 4, made.find(b"bXYZ") + 4
    made[red : red + 8], made[blue : blue + 8] = made[blue : blue + 8], made[red : red + 8]
    return bytes(made)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says how large it is and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, part) for kind, part in parts)


def zip_archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("payload.txt", "hello")
    return target.getvalue()


_frame: Any = av.VideoFrame.from_image


def film(
    folder: Path,
    *,
    form: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (96, 64),
    frames: int = 10,
    rate: int = 10,
    sound: str | None = "aac",
    picture: bool = True,
    steps: tuple[int, ...] = (1,),
    rotate: int = 0,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    name: str = "film",
) -> bytes:
    """A film; `steps` are the distances of its frames, in turn."""
    path = folder / f"{name}.{form}"
    container = {"mkv": "matroska"}.get(form, form)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        out.metadata.update(metadata or {})
        stream: Any = out.add_stream(codec, rate=rate) if picture else None
        track: Any = out.add_stream(sound, rate=48_000) if sound else None
        if stream:
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            if rotate:
                stream.set_display_rotation(rotate)
            pts = 0
            for number in range(frames):
                frame = _frame(Image.new("RGB", size, (number * 9 % 256, 80, 160)))
                frame.pts, frame.time_base = pts, Fraction(1, rate)
                pts += steps[number % len(steps)]
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if track:
            tone = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            tone.sample_rate = 48_000
            for plane in tone.planes:
                plane.update(bytes(plane.buffer_size))
            for number in range(max(1, frames * 48_000 // rate // 1024)):
                tone.pts = number * 1024
                out.mux(track.encode(tone))
            out.mux(track.encode(None))
    return path.read_bytes()


def boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes of an MP4 at its top: kind, and the whole box."""
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        found.append((content[at + 4 : at + 8], content[at : at + size]))
        at += size
    return found


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content
