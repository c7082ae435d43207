"""Addresses as Pinterest's rules see them: what is told at a glance is what taking them apart would tell."""

import re
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.block import PinBlock
from adapters.pinterest.sources import FILMS, is_film
from core.post import URL_PATTERN, Draft, Media

PIECES = [
    "http://",
    "https://",
    "a",
    "B",
    ".",
    "@",
    ":",
    "80",
    "[",
    "]",
    "::1",
    "/",
    "?",
    "#",
    "%5B",
    "\u212e",
    "\u2100",
    "-",
]
ENDS = ["", ".mp4", ".MOV", ".m4v", ".mp4?a", ".mov#b", ".m", ".M4V/", "?c.mp4", "\u0130.mp4"]
URLS = st.tuples(
    st.sampled_from(["http://", "https://"]), st.lists(st.sampled_from(PIECES)), st.sampled_from(ENDS)
).map(lambda parts: parts[0] + "".join(parts[1]) + parts[2])


def has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


@given(URLS)
@example("https://[0]/")
@example("https://a@/")
@example("https://\u2100/")
def test_a_link_leads_to_a_host_if_the_standard_library_finds_one(url: str) -> None:
    if re.search(URL_PATTERN, url):
        verdict = Pinterest().leads_to_a_host(Draft(title="", block=PinBlock(link=url)))
        assert verdict is has_host(url)


@given(URLS)
@example("https://e.mov?x")
def test_a_film_is_told_by_the_end_of_its_path(url: str) -> None:
    path = url.partition("?")[0].partition("#")[0].partition("://")[2].partition("/")[2]
    assert is_film(Media(url=url)) is path.lower().endswith(FILMS)
