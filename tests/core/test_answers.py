"""What platforms write into the headers that say when to come back."""

import math
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.answers import reset_in, retry_after

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


def answer(text: str, *, date: str | None = NOW) -> httpx.Response:
    headers = {"x-reset": text, "retry-after": text} | ({"date": date} if date else {})
    return httpx.Response(429, headers=headers)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("1792567710", 30.0),
        ("1792567710.25", 30.25),
        ("2026-10-21T07:28:30Z", 30.0),
        ("2026-10-21T07:28:30.500Z", 30.5),
        ("2026-10-21T09:28:30+02:00", 30.0),
        ("2026-10-21T07:28:30", 30.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("2026-10-21T07:27:00Z", 0.0),
        ("1", 1.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("99999999999999999999", None),
    ],
)
def test_a_reset_is_read_however_it_is_written(text: str, seconds: float | None) -> None:
    assert reset_in(answer(text), "x-reset") == seconds


def test_retry_after_takes_from_a_second_to_a_day() -> None:
    assert retry_after(answer("0")) == timedelta(seconds=1)
    assert retry_after(answer("100000")) == timedelta(days=1)
    assert retry_after(answer("Wed, 21 Oct 2026 07:29:00 GMT")) == timedelta(seconds=60)
    assert retry_after(answer("never"), timedelta(seconds=7)) == timedelta(seconds=7)


@given(
    text=some.text(alphabet=some.characters(min_codepoint=32, max_codepoint=126), max_size=40), dated=some.booleans()
)
def test_no_header_makes_it_raise(text: str, dated: bool) -> None:
    seconds = reset_in(answer(text, date=NOW if dated else None), "x-reset")
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
