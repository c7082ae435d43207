"""A start is not held up by a search for garbage, and what follows it is searched as ever."""

import gc
from collections.abc import Iterator

import pytest

from core.startup import settling


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """The tests themselves stay searched."""
    yield
    gc.unfreeze()


def test_nothing_is_searched_meanwhile_and_everything_is_afterwards() -> None:
    assert gc.isenabled()
    with settling():
        assert not gc.isenabled()
        with settling():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_is_left_out_of_later_searches_and_what_is_made_then_is_not() -> None:
    with settling():
        made: list[list[object]] = [[] for _ in range(100)]
    assert gc.get_freeze_count() >= len(made)
    later: list[object] = []
    later.append(later)
    assert any(found is later for found in gc.get_objects())
    assert not any(found is made for found in gc.get_objects())


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ValueError, match="planted"), settling():
        raise ValueError("planted")
    assert gc.isenabled()
