"""A start is not held up by a search for garbage, and what follows it is searched as ever; files may be opened."""

import gc
import subprocess
import sys
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


@pytest.mark.parametrize(("before", "most", "after"), [(256, 3000, 3000), (3000, 3000, 3000), (256, 256, 256)])
def test_as_many_files_may_be_open_as_the_host_allows(before: int, most: int, after: int) -> None:
    code = f"""
import resource
from core.startup import open_files
resource.setrlimit(resource.RLIMIT_NOFILE, ({before}, {most}))
open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(after), str(most)]
