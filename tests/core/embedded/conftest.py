"""Programs that hold embedded servers, and are gone when the test is."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.embedded.sockets import socket_folder
from core.embedded.state import State
from core.errors import Misconfigured
from tests.conftest import roomy_memory
from tests.core.embedded.holding import Holder, nobody_holds, until


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A private folder, in memory where there is room: most of what happens here is to make small files."""
    with tempfile.TemporaryDirectory(prefix="fingerpost-tests-", dir=roomy_memory()) as folder:
        yield Path(folder)


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
    for state in {holder.state for holder in holders if holder.state.exists()}:
        with suppress(Misconfigured), State(state).held(), socket_folder(State(state), None):
            pass  # as the next start would: it removes the sockets that a killed one left
