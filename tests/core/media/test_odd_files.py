"""Odd files, each in the process that is made for them: probed right, or refused with a code; and nothing hurt."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidUpload, Unready
from core.media.facts import Probe
from core.media.processes import MediaProcesses
from tests.core.media.files import (
    animated,
    box,
    boxes,
    exif,
    film,
    heic,
    noise,
    png_of,
    saved,
    wide_gamut,
    zip_archive,
)

JPEG = saved(noise(), "JPEG")
PNG = saved(noise(), "PNG")
SEEN_THROUGH = noise("RGBA")
SEEN_THROUGH.putalpha(100)
GIF = saved(noise("P"), "GIF")

PICTURES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "cmyk jpeg": (saved(noise("CMYK"), "JPEG"), {"mime": "image/jpeg", "colour": "CMYK"}),
    "grey jpeg": (saved(noise("L"), "JPEG"), {"colour": "grey"}),
    "progressive jpeg": (saved(noise(), "JPEG", progressive=True), {"colour": "sRGB"}),
    "jpeg with a foreign profile": (saved(noise(), "JPEG", icc_profile=wide_gamut()), {"colour_is_not": "sRGB"}),
    "jpeg with a broken profile": (saved(noise(), "JPEG", icc_profile=b"no profile" * 20), {"colour": "sRGB"}),
    "jpeg on its side": (saved(noise(), "JPEG", exif=exif(6)), {"orientation": 6, "size": (48, 64)}),
    "jpeg mirrored": (saved(noise(), "JPEG", exif=exif(2)), {"orientation": 2, "size": (64, 48)}),
    "jpeg with a place": (saved(noise(), "JPEG", exif=exif(place=True)), {"location": True}),
    "jpeg with a moving photo behind": (JPEG + box(b"ftyp", b"mp42") + bytes(500), {"mime": "image/jpeg"}),
    "jpeg with a second picture": (
        saved(noise(), "MPO", save_all=True, append_images=[noise()]),
        {"mime": "image/jpeg", "frames": 1},
    ),
    "jpeg of one pixel": (saved(noise(size=(1, 1)), "JPEG"), {"size": (1, 1)}),
    "jpeg of one line": (saved(noise(size=(4000, 1)), "JPEG"), {"size": (4000, 1)}),
    "png of sixteen bits": (saved(noise("I;16"), "PNG"), {"mime": "image/png", "colour": "grey"}),
    "png of one bit": (saved(noise("1"), "PNG"), {"colour": "grey"}),
    "png with alpha": (saved(noise("RGBA"), "PNG"), {"alpha": True}),
    "png with a see-through palette": (saved(noise("P"), "PNG", transparency=0), {"alpha": True}),
    "png of one pixel": (saved(noise(size=(1, 1)), "PNG"), {"size": (1, 1)}),
    "animated png": (animated("PNG"), {"frames": 5}),
    "png called jpg": (PNG, {"mime": "image/png"}),
    "gif": (GIF, {"mime": "image/gif", "frames": 1}),
    "animated gif": (animated("GIF", mode="P"), {"frames": 5}),
    "webp": (saved(noise(), "WEBP"), {"mime": "image/webp"}),
    "lossless webp with alpha": (saved(SEEN_THROUGH, "WEBP", lossless=True), {"alpha": True}),
    "animated webp": (animated("WEBP"), {"frames": 5}),
    "heic": (heic(), {"mime": "image/heic", "size": (64, 48)}),
    "heic with a place": (heic(exif=exif(place=True)), {"mime": "image/heic", "location": True}),
    "avif": (saved(noise(), "AVIF"), {"mime": "image/avif", "size": (64, 48)}),
    "jpeg padded with zeros": (JPEG + bytes(5000), {"mime": "image/jpeg"}),
}

REFUSED: dict[str, tuple[bytes, set[str]]] = {
    "nothing": (b"", {"empty_file"}),
    "text": (b"hello", {"file_type_not_supported"}),
    "pdf": (b"%PDF-1.7\n%%EOF", {"file_type_not_supported"}),
    "zip called png": (zip_archive(), {"file_type_not_supported"}),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"file_type_not_supported"}),
    "m3u8 that names other files": (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", {"file_type_not_supported"}),
    "concat list": (b"ffconcat version 1.0\nfile /etc/passwd\n", {"file_type_not_supported"}),
    "avi": (b"RIFF\x00\x00\x00\x00AVI LIST", {"video_not_supported"}),
    "png of 30,000 × 30,000": (png_of(30_000, 30_000), {"too_many_pixels"}),
    "png of more pixels than there are atoms": (png_of(2**31 - 1, 2**31 - 1), {"too_many_pixels"}),
    "jpeg cut in half": (JPEG[: len(JPEG) // 2], {"broken_image", "file_cut_off"}),
    "png cut in half": (PNG[: len(PNG) // 2], {"broken_image", "file_cut_off"}),
    "gif cut in half": (GIF[: len(GIF) // 2], {"broken_image", "file_cut_off"}),
    "webp cut in half": (saved(noise(), "WEBP")[:300], {"broken_image", "file_cut_off"}),
    "heic cut in half": (heic()[: len(heic()) // 2], {"broken_image", "file_cut_off"}),
    "avif cut in half": (saved(noise(), "AVIF")[:400], {"broken_image", "file_cut_off"}),
    "jpeg of zeros": (b"\xff\xd8\xff" + bytes(5000), {"broken_image"}),
    "jpeg and zip": (JPEG + zip_archive(), {"two_kinds_of_file"}),
    "png and page": (PNG + b"<html><script>alert(1)</script></html>", {"two_kinds_of_file"}),
    "gif and script": (b"GIF89a" + GIF[6:] + b"<?php system('id'); ?>", {"two_kinds_of_file"}),
    "jpeg with a script in it": (saved(noise(), "JPEG", comment=b"<script>x()</script>"), {"two_kinds_of_file"}),
    "jpeg and pdf": (JPEG + b"%PDF-1.7\n", {"two_kinds_of_file"}),
    "jpeg with a pdf in its comment": (saved(noise(), "JPEG", comment=b"%PDF-1.7"), {"two_kinds_of_file"}),
    "matroska of zeros": (b"\x1aE\xdf\xa3" + bytes(5000), {"broken_video", "file_cut_off"}),
    "ogg": (b"OggS" + bytes(100), {"video_not_supported"}),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("films")
    plain = film(folder)
    by_kind = boxes(plain)
    moov = next(whole for kind, whole in by_kind if kind == b"moov")
    return {
        "mp4": plain,
        "mp4, moov first": film(folder, options={"movflags": "faststart"}, name="fast"),
        "mp4 in fragments": film(folder, options={"movflags": "frag_keyframe+empty_moov"}, name="fragments"),
        "mp4 without sound": film(folder, sound=None, name="mute"),
        "mp4 of a variable rate": film(folder, frames=12, steps=(1, 1, 1, 9), name="variable"),
        "mp4 on its side": film(folder, rotate=90, name="turned"),
        "mp4 with a place": film(folder, form="mov", metadata={"location": "+52.5+013.4/"}, name="place"),
        "mp4 with odd atoms": plain + box(b"free", bytes(100)) + box(b"XYZW", b"nonsense"),
        "mp4 with junk behind": plain + b"junk that is no atom at all",
        "mov": film(folder, form="mov", name="mov"),
        "mov of one frame": film(folder, form="mov", frames=1, sound=None, name="one"),
        "m4v": b"".join(box(b"ftyp", b"M4V " + whole[12:]) if kind == b"ftyp" else whole for kind, whole in by_kind),
        "webm": film(folder, form="webm", codec="libvpx-vp9", sound="libopus", name="webm"),
        "mkv": film(folder, form="mkv", name="mkv"),
        "mpeg4 part 2": film(folder, codec="mpeg4", name="old"),
        "mp4 cut in half": plain[: len(plain) // 2],
        "mp4 without its moov": b"".join(whole for kind, whole in by_kind if kind != b"moov"),
        "mp4 without its mdat": b"".join(whole for kind, whole in by_kind if kind != b"mdat"),
        "mp4 of sound alone": film(folder, picture=False, name="song"),
        "mp4 with a moov of noise": plain.replace(moov, box(b"moov", os.urandom(len(moov) - 8))),
        "mp4 with a size of zero inside": plain.replace(b"trak", b"\0\0\0\0"),
        "mp4 and zip": plain + zip_archive(),
        "fast mp4, cut": film(folder, options={"movflags": "faststart"}, name="fast2")[:-200],
        "webm, cut": film(folder, form="webm", codec="libvpx-vp9", sound=None, frames=30, name="webm2")[:700],
    }


FILMS: dict[str, dict[str, Any]] = {
    "mp4": {"mime": "video/mp4", "size": (96, 64), "video_codec": "h264", "audio_codec": "aac", "rate": 10.0},
    "mp4, moov first": {"mime": "video/mp4"},
    "mp4 in fragments": {"mime": "video/mp4", "size": (96, 64)},
    "mp4 without sound": {"audio_codec": None},
    "mp4 of a variable rate": {"variable_rate": True},
    "mp4 on its side": {"size": (64, 96)},
    "mp4 with a place": {"location": True},
    "mp4 with odd atoms": {"mime": "video/mp4"},
    "mp4 with junk behind": {"mime": "video/mp4"},
    "mov": {"mime": "video/quicktime"},
    "mov of one frame": {"mime": "video/quicktime"},
    "m4v": {"mime": "video/x-m4v"},
    "webm": {"mime": "video/webm", "video_codec": "vp9", "audio_codec": "opus"},
    "mkv": {"mime": "video/x-matroska"},
    "mpeg4 part 2": {"video_codec": "mpeg4"},
}
BROKEN_FILMS = {
    "mp4 cut in half": {"file_cut_off"},
    "mp4 without its moov": {"file_cut_off", "broken_video"},
    "mp4 without its mdat": {"broken_video"},
    "mp4 of sound alone": {"video_without_picture"},
    "mp4 with a moov of noise": {"broken_video", "video_without_picture"},
    "mp4 with a size of zero inside": {"broken_video", "video_without_picture"},
    "mp4 and zip": {"two_kinds_of_file"},
    "fast mp4, cut": {"file_cut_off"},
    "webm, cut": {"file_cut_off", "broken_video"},
}


@pytest.fixture
async def processes() -> AsyncIterator[MediaProcesses]:
    opened = MediaProcesses(1)
    yield opened
    await opened.aclose()


def held(probe: Probe, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        match name:
            case "mime":
                assert probe.mime == value
            case "size":
                assert (probe.width, probe.height) == value
            case "colour_is_not":
                assert probe.details.colour != value
            case _:
                assert getattr(probe.details, name) == value, name


async def refusal(processes: MediaProcesses, path: Path) -> str:
    with pytest.raises(InvalidUpload) as refused:
        await processes.probe(path)
    assert len(refused.value.message) > 15
    assert str(path) not in refused.value.message
    return refused.value.code


async def code_of(processes: MediaProcesses, path: Path) -> str | None:
    try:
        await processes.probe(path)
    except InvalidUpload as error:
        return error.code
    return None


async def test_odd_pictures_are_probed_right(processes: MediaProcesses, tmp_path: Path) -> None:
    for name, (content, expected) in PICTURES.items():
        path = tmp_path / "holiday.jpg"
        path.write_bytes(content)
        try:
            held(await processes.probe(path), expected)
        except (AssertionError, InvalidUpload) as error:
            raise AssertionError(name) from error


async def test_what_cannot_be_taken_is_refused_with_a_code(processes: MediaProcesses, tmp_path: Path) -> None:
    for name, (content, codes) in REFUSED.items():
        path = tmp_path / "holiday.jpg"
        path.write_bytes(content)
        assert await refusal(processes, path) in codes, name


async def test_odd_films_are_probed_right(processes: MediaProcesses, tmp_path: Path, films: dict[str, bytes]) -> None:
    for name, expected in FILMS.items():
        path = tmp_path / "film.txt"
        path.write_bytes(films[name])
        found = await processes.probe(path)
        held(found, expected)
        assert found.kind == "video"
        assert found.seconds is not None, name
        assert found.seconds > 0, name


async def test_broken_films_are_refused_with_a_code(
    processes: MediaProcesses, tmp_path: Path, films: dict[str, bytes]
) -> None:
    for name, codes in BROKEN_FILMS.items():
        path = tmp_path / "film.mp4"
        path.write_bytes(films[name])
        assert await refusal(processes, path) in codes, name


async def test_a_film_damaged_anywhere_is_taken_or_refused_and_never_a_crash(
    processes: MediaProcesses, tmp_path: Path, films: dict[str, bytes]
) -> None:
    codes = set()
    for name in ("mp4", "mov", "webm"):
        content = films[name]
        for position in range(0, len(content), max(1, len(content) // 60)):
            damaged = bytearray(content)
            damaged[position] ^= 0xFF
            path = tmp_path / "damaged"
            path.write_bytes(damaged)
            codes.add(await code_of(processes, path))
    assert codes <= {None, "broken_video", "file_cut_off", "file_type_not_supported", "video_without_picture"}
    assert None in codes


async def test_a_file_that_wants_too_much_memory_is_refused_and_the_next_one_is_not(tmp_path: Path) -> None:
    """The system's own bound: a picture of 79 million pixels, where 350 MB are allowed."""
    bomb, good = tmp_path / "bomb", tmp_path / "good"
    bomb.write_bytes(saved(noise("RGBA", (1, 1)).resize((8900, 8900)), "PNG"))
    good.write_bytes(PNG)
    processes = MediaProcesses(1, memory=350 * 1024**2)
    try:
        assert await refusal(processes, bomb) == "media_too_costly"
        assert (await processes.probe(good)).mime == "image/png"
    finally:
        await processes.aclose()


async def test_a_file_that_takes_too_long_ends_its_process_and_no_other(tmp_path: Path) -> None:
    slow, good = tmp_path / "slow", tmp_path / "good"
    good.write_bytes(PNG)
    os.mkfifo(slow)  # nobody ever writes into it
    processes = MediaProcesses(2, seconds=1.5)
    try:
        await processes.probe(good)
        stuck = asyncio.create_task(refusal(processes, slow))
        assert (await processes.probe(good)).mime == "image/png"
        assert await stuck == "media_too_costly"
        assert (await processes.probe(good)).mime == "image/png"
    finally:
        await processes.aclose()


async def test_a_process_that_was_killed_says_nothing_of_the_next_file(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_bytes(PNG)
    processes = MediaProcesses(1)
    try:
        await processes.probe(good)
        (process,) = processes._idle
        process._popen.kill()
        process._popen.wait()
        assert (await processes.probe(good)).mime == "image/png"
    finally:
        await processes.aclose()


async def test_a_process_that_does_not_come_up_is_no_fault_of_the_file(
    processes: MediaProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tmp_path / "good"
    good.write_bytes(PNG)
    with monkeypatch.context() as broken:
        broken.setattr("sys.path", [])
        broken.setattr("sys.executable", "/bin/false")
        with pytest.raises(Unready) as told:
            await processes.probe(good)
    assert told.value.code == "media_process_away"
    assert (await processes.probe(good)).mime == "image/png"


async def test_no_secret_reaches_the_process(
    processes: MediaProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINGERPOST_MASTER_KEYS", "1:secret")
    good = tmp_path / "good"
    good.write_bytes(PNG)
    await processes.probe(good)
    (process,) = processes._idle
    surroundings = Path(f"/proc/{process._popen.pid}/environ")
    if surroundings.exists():  # noqa: ASYNC240 - not on macOS
        assert b"FINGERPOST" not in surroundings.read_bytes()  # noqa: ASYNC240


async def test_whoever_gives_up_waiting_leaves_the_process_to_others(processes: MediaProcesses, tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_bytes(saved(noise(size=(3000, 3000)), "PNG"))
    start = time.monotonic()
    waiting = asyncio.create_task(processes.probe(good))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await processes.probe(good)).width == 3000
    assert time.monotonic() >= start
