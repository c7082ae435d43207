"""Each counter counts what its platform counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.counting import COUNTERS, Counter, count, graphemes
from core.limits import TextLimit
from core.texts import shorten, text_findings

FAMILY = "👨‍👩‍👧‍👦"
LINK = "https://example.com/a-path-that-is-longer-than-what-counts"


@pytest.mark.parametrize(
    ("text", "counter", "number"),
    [
        (FAMILY, "chars", 7),
        (FAMILY, "graphemes", 1),
        (FAMILY, "utf16", 11),
        (FAMILY, "bytes", 25),
        (FAMILY, "x-weighted", 2),
        (FAMILY, "fediverse", 1),
        ("\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}", "chars", 2),
        ("\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}", "graphemes", 1),
        ("\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT}", "x-weighted", 1),
        ("日本", "x-weighted", 4),
        ("Grüße – “so”", "x-weighted", 12),
        ("1\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}", "x-weighted", 2),
        ("©", "x-weighted", 1),
        ("🇩🇪🇫🇷", "graphemes", 2),
        ("a\r\nb", "graphemes", 3),
        ("a\nb", "graphemes", 3),
        (LINK, "x-weighted", 23),
        (f"({LINK}).", "fediverse", 23 + 3),
        ("http://x.example", "fediverse", 23),
        ("example.com", "fediverse", 11),
        ("hi @ann@server.example.", "fediverse", len("hi @ann.")),
        ("mail ann@server.example", "fediverse", len("mail ann@server.example")),
        ("", "fediverse", 0),
    ],
)
def test_a_text_is_as_long_as_its_platform_says(text: str, counter: Counter, number: int) -> None:
    assert count(text, counter) == number


def test_what_a_url_counts_is_the_limits_to_say() -> None:
    assert count(LINK, "fediverse", url=32) == 32
    assert TextLimit(field="text", most=1, counter="fediverse", url=5).count(LINK) == 5


@given(st.text(max_size=200))
def test_any_text_can_be_counted_by_all(text: str) -> None:
    counted = {counter: count(text, counter) for counter in COUNTERS}
    assert counted["graphemes"] <= counted["chars"] <= counted["utf16"] <= counted["bytes"]
    assert len(graphemes(text)) == counted["graphemes"]
    assert "".join(graphemes(text)) == text


def test_several_limits_of_a_text_all_hold() -> None:
    limits = (TextLimit(field="text", most=3, counter="graphemes"), TextLimit(field="text", most=50, counter="bytes"))
    assert list(text_findings(limits, FAMILY * 2, ("text",))) == []
    (by_bytes,) = text_findings(limits, FAMILY * 3, ("text",))
    assert (by_bytes.code, by_bytes.path) == ("too_long", ("text",))
    assert "75 bytes" in by_bytes.message
    assert "shorten it by 25" in by_bytes.message
    assert len(list(text_findings(limits, FAMILY * 4, ("text",)))) == 2


@pytest.mark.parametrize(
    ("text", "most", "shorter"),
    [
        ("short", 5, "short"),
        ("one two three", 9, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two three", 7, "one tw…"),
        ("a" * 20, 5, "aaaa…"),
        (f"see {LINK}", 20, "see…"),
        (FAMILY * 5, 3, FAMILY * 2 + "…"),
        ("anything", 0, ""),
    ],
)
def test_a_text_is_cut_between_words_and_never_within_a_character(text: str, most: int, shorter: str) -> None:
    limit = TextLimit(field="text", most=most, counter="graphemes")
    assert shorten(text, lambda cut: limit.count(cut) <= most) == shorter


@given(st.text(max_size=100), st.integers(0, 60), st.sampled_from(COUNTERS))
def test_what_was_cut_fits(text: str, most: int, counter: Counter) -> None:
    limit = TextLimit(field="text", most=most, counter=counter)
    assert limit.count(shorten(text, lambda cut: limit.count(cut) <= most)) <= most
