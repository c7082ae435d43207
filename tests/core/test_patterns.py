"""Patterns that adapters bound their texts by."""

import re

import pytest

from core.patterns import free_of

PATTERN = free_of("bot", "admin", never=("all", "none")).pattern or ""


@pytest.mark.parametrize("text", ["Anna", "all of us", "bo t", "nonesuch", "\nhere", "x" * 500])
def test_a_text_without_reserved_words_fits(text: str) -> None:
    assert re.search(PATTERN, text)


@pytest.mark.parametrize("text", ["a robot", "ADMIN", "two\nBots", "all", " None\n", "", " \t\n"])
def test_a_text_with_a_reserved_word_or_none_at_all_does_not(text: str) -> None:
    assert not re.search(PATTERN, text)


def test_what_is_expected_is_said_in_words() -> None:
    assert free_of("bot", never=("all",)).extra == {
        "expects": "a text that has no 'bot' in it, and is neither blank nor just 'all'"
    }
