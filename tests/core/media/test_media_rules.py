"""Media rules: what stands against a file is told, with what to do, from the bounds and nothing else."""

from typing import Any

import pytest

from core.limits import FileLimits, MediaLimits
from core.media.facts import Details
from core.media.rules import count_findings, file_findings
from core.post import Media

LIMITS = MediaLimits(
    count=(1, 4),
    image=FileLimits(mimes=("image/jpeg",), pixels_min=(10, 10), pixels_max=(1000, 1000), ratio_advised=(2, 3)),
    video=FileLimits(
        count_max=1,
        mimes=("video/mp4",),
        bytes_max=1000,
        ratio=(0.5, 1.91),
        seconds=(4, 900),
        video_codecs=("h264",),
        audio_codecs=("aac",),
    ),
)
PICTURE: dict[str, Any] = {"kind": "image", "mime": "image/jpeg", "bytes": 10, "width": 200, "height": 300}
FILM: dict[str, Any] = {
    "kind": "video",
    "mime": "video/mp4",
    "bytes": 10,
    "width": 100,
    "height": 100,
    "seconds": 10.0,
    "details": Details(video_codec="h264", audio_codec="aac"),
}


def codes(media: Media, limits: MediaLimits = LIMITS) -> list[str]:
    findings = list(file_findings(limits, media, ("at",)))
    assert all(finding.path == ("at",) and len(finding.message) > 20 for finding in findings)
    return [finding.code + ("?" if finding.severity == "warning" else "") for finding in findings]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"mime": "image/webp"}, ["media_type"]),
        ({"mime": "image/gif", "details": Details(frames=9)}, ["media_animated"]),
        ({"width": 4, "height": 6}, ["media_too_small"]),
        ({"width": 2000, "height": 3000}, ["media_too_many_pixels"]),
        ({"width": 300, "height": 300}, ["media_shape?"]),
        ({"width": None, "height": None, "bytes": None}, []),
    ],
)
def test_pictures(change: dict[str, Any], expected: list[str]) -> None:
    assert codes(Media(upload_id="u", **(PICTURE | change))) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"mime": "video/webm"}, ["media_type"]),
        ({"bytes": 1001}, ["media_too_large"]),
        ({"width": 300}, ["media_ratio"]),
        ({"seconds": 3.9}, ["media_too_brief"]),
        ({"seconds": 901.0}, ["media_too_lengthy"]),
        ({"details": Details(video_codec="vp9", audio_codec="aac")}, ["media_codec"]),
        ({"details": Details(video_codec="h264", audio_codec="opus")}, ["media_codec"]),
        ({"details": Details(video_codec="h264")}, []),
        ({"details": Details(video_codec="h264", location=True)}, ["media_location?"]),
    ],
)
def test_films(change: dict[str, Any], expected: list[str]) -> None:
    assert codes(Media(upload_id="u", **(FILM | change))) == expected


def test_a_kind_without_bounds_is_not_taken_and_nothing_is_said_of_a_url() -> None:
    no_films = MediaLimits(count=(0, 1), image=FileLimits())
    assert codes(Media(upload_id="u", **FILM), no_films) == ["media_kind"]
    assert codes(Media(url="https://example.com/x")) == []
    assert codes(Media(upload_id="u", **FILM), MediaLimits()) == []


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ([], ["media_missing"]),
        ([PICTURE] * 4, []),
        ([PICTURE] * 5, ["media_too_many"]),
        ([FILM], []),
        ([FILM, FILM], ["media_too_many"]),
        ([PICTURE, FILM], ["media_mixed"]),
    ],
)
def test_files_are_counted_together_and_by_kind(media: list[dict[str, Any]], expected: list[str]) -> None:
    files = tuple(Media(upload_id=str(number), **one) for number, one in enumerate(media))
    assert [finding.code for finding in count_findings(LIMITS, files, ())] == expected
