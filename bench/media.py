"""Probing media: a large JPEG and a large film, beside Pillow and PyAV called directly in the same run."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from bench.place import Place
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from core.errors import InvalidUpload
from core.media.probe import probe
from core.media.processes import MediaProcesses

JPEG_BYTES, FILM_BYTES = 10_000_000, 100_000_000
OURS, THROUGH, DIRECT, HOP = "probe", "probe through its process", "directly", "nothing through the process"
REPEATS = 5


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure both files."""
    folder = Path(place.folder)
    picture, film, text = folder / "large.jpg", folder / "large.mp4", folder / "text"
    say(f"media: making a JPEG of {_make_jpeg(picture):,} bytes and a film of {_make_film(film):,}")
    text.write_text("no picture")
    results: list[Result] = []
    with asyncio.Runner() as runner:
        processes = MediaProcesses(1)
        for name, path, direct in (("10 MB JPEG", picture, _pillow), ("100 MB MP4", film, _pyav)):

            def through(path: Path = path) -> float:
                return runner.run(_timed_through(processes, path))

            contestants: dict[str, Callable[[], float]] = {
                OURS: lambda path=path: _timed(lambda: probe(path)),  # type: ignore[misc]
                THROUGH: through,
                DIRECT: lambda path=path, direct=direct: _timed(lambda: direct(path)),  # type: ignore[misc]
                HOP: lambda: through(text),
            }
            found = interleaved(plan.rounds, contestants, say=say, words=lambda ms: f"{ms:.2f} ms")
            results += _results(name, found)
        runner.run(processes.aclose())
    return results


def _results(name: str, found: dict[str, list[float]]) -> list[Result]:
    goal = Goal(of="ratio", sense="≤", bound=1.3)
    against = "Pillow" if "JPEG" in name else "PyAV"
    without_hop = [max(0.001, whole - hop) for whole, hop in zip(found[THROUGH], found[HOP], strict=True)]
    return [
        compared(f"probe of a {name}", "ms", found[OURS], found[DIRECT], against=against, goal=goal),
        compared(
            f"the same in its process, less the hop of {sorted(found[HOP])[len(found[HOP]) // 2]:.2f} ms",
            "ms",
            without_hop,
            found[DIRECT],
            against=against,
            goal=goal,
        ),
    ]


def _timed(call: Callable[[], object]) -> float:
    """Milliseconds, the best of a few: the file is in memory, and nobody else's minute counts."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


async def _timed_through(processes: MediaProcesses, path: Path) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with contextlib.suppress(InvalidUpload):
            await processes.probe(path)
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def _pillow(path: Path) -> object:
    """What anyone would do who wants to know a picture's size, and that it is whole, as cheaply as Pillow can."""
    with Image.open(path) as image:
        image.draft(None, (1, 1))
        image.load()
        return image.size


def _pyav(path: Path) -> object:
    """The same of a film: its streams, and its first picture."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frame = next(film.decode(stream))
        return film.duration, stream.codec_context.name, frame.width


def _make_jpeg(path: Path) -> int:
    side = 2400
    while not path.exists() or path.stat().st_size < JPEG_BYTES:
        Image.merge("RGB", [Image.effect_noise((side, side), 60) for _ in range(3)]).save(path, "JPEG", quality=92)
        side += 200
    return path.stat().st_size


def _make_film(path: Path) -> int:
    """One second of noise, its packets put in again and again."""
    picture_of: Any = av.VideoFrame.from_image
    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        stream: Any = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "12", "g": "30"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.codec_context.max_b_frames = 0
        packets = []
        for number in range(30):
            frame = picture_of(Image.effect_noise((1280, 720), 70).convert("RGB"))
            frame.pts, frame.time_base = number, Fraction(1, 30)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        contents = [(bytes(packet), packet.is_keyframe) for packet in packets]
        count = size = 0
        while size < FILM_BYTES:
            for content, is_keyframe in contents:
                packet = av.Packet(content)
                packet.stream, packet.pts, packet.dts = stream, count, count
                packet.time_base, packet.is_keyframe = Fraction(1, 30), is_keyframe
                out.mux(packet)
                count, size = count + 1, size + len(content)
    return path.stat().st_size
