"""Programs that hold embedded servers, and are gone when the test is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.embedded.holding import Holder, nobody_holds, until


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def start(*options: str, state: Path = tmp_path / "state", **env: str) -> Holder:
        holders.append(Holder(state, *options, **env))
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()
    until(lambda: all(nobody_holds(holder.state) for holder in holders), "the servers of killed holders are gone")
