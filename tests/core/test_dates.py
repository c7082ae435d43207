"""Dates as clients write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dates import parse_date
from core.findings import Finding

PATH = ("postDate",)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-14T10:00:00Z", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("2026-05-14T10:00:00.000Z", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("2026-05-14t10:00:00z", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("  2026-05-14T10:00Z ", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("2026-05-14 10:00:00+00:00", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("2026-05-14T10:00:00+0200", datetime(2026, 5, 14, 8, tzinfo=UTC)),
        ("2026-05-14T10:00:00-03", datetime(2026, 5, 14, 13, tzinfo=UTC)),
        ("2026-05-14T10:00:00,5+05:30", datetime(2026, 5, 14, 4, 30, 0, 500_000, tzinfo=UTC)),
        ("20260514T100000Z", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("2026-W20-4T10:00:00Z", datetime(2026, 5, 14, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_iso_8601_with_an_offset_is_a_moment(text: str, moment: datetime) -> None:
    parsed = parse_date(text, PATH)
    assert parsed == moment
    assert isinstance(parsed, datetime)
    assert parsed.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["2026-05-14T10:00:00", "2026-05-14", "2026-05-14 10:00", "20260514"])
def test_without_an_offset_the_moment_is_not_certain(text: str) -> None:
    finding = parse_date(text, PATH)
    assert isinstance(finding, Finding)
    assert (finding.code, finding.path) == ("date_without_offset", PATH)
    advice = finding.message.partition("write ")[2].partition(" for UTC")[0]
    assert isinstance(parse_date(advice, PATH), datetime)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-14T10:00:00 Europe/Berlin",
        "2026-05-14T10:00:00+02:00[Europe/Berlin]",
        "2026-05-14T10:00:00 PST",
        "2026-05-14T10:00:00UTC",
        "2026-05-14 10:00 America/Argentina/Buenos_Aires",
    ],
)
def test_a_zone_by_name_is_told_apart_from_nonsense(text: str) -> None:
    finding = parse_date(text, PATH)
    assert isinstance(finding, Finding)
    assert finding.code == "date_unknown_zone"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "soon", "tomorrow", "1747216800", "2026-02-30T10:00:00Z", "2026-05-14T25:00:00Z",
        "2026-05-14T10:00:60Z", "2026-05-14T10:00:00+99:00", "14.05.2026 10:00Z", "Thu, 14 May 2026 10:00:00 +0000",
        "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "２０２６-05-14T10:00:00Z",
        "2026-05-14\N{NULL}10:00:00Z", "2026-05-14x10:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_date_is_told(text: str) -> None:
    finding = parse_date(text, PATH)
    assert isinstance(finding, Finding)
    assert finding.code == "date_invalid"


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_moment_comes_back(moment: datetime) -> None:
    assert parse_date(moment.isoformat(), PATH) == moment


@given(st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    assert isinstance(parse_date(text, PATH), datetime | Finding)
