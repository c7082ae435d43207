"""A state folder is held by one supervisor, and what an earlier one left running is ended first."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.embedded import state as state_module
from core.embedded.state import Running, State
from core.embedded.supervisor import Child, Supervisor
from core.errors import Misconfigured
from tests.core.embedded.holding import runs

SOCKETS = "/tmp/fp-00000000"


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    started = Supervisor()
    yield started
    started.stop_all(started.running, signal.SIGKILL, 5)


def leave_running(supervisor: Supervisor, state: State, word: str) -> Child:
    """A process that has the servers' lock, as the server of a supervisor that is gone."""
    with state.held() as lock:
        script = "while :; do /bin/sleep 0.01; done"
        child = supervisor.spawn("left", ["/bin/sh", "-c", script, word], env={}, pass_fds=[lock.descriptor])
    state.write_running(Running(sockets=SOCKETS, pids=(child.pid,)))
    return child


def test_a_server_that_nobody_ended_is_interrupted(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "GRACE_SECONDS", 0.0)
    left = leave_running(supervisor, State(tmp_path), SOCKETS)
    with State(tmp_path).held():
        pass
    assert left.poll() == -signal.SIGINT


def test_a_stranger_with_the_pid_of_a_server_is_let_be(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(state_module, "PATIENCE_SECONDS", 0.2)
    stranger = leave_running(supervisor, State(tmp_path), "/tmp/fp-11111111")
    with pytest.raises(Misconfigured, match="Servers of an earlier run"), State(tmp_path).held():
        pass
    assert runs(stranger.pid)


def test_a_state_can_be_held_once_in_a_process_too(tmp_path: Path) -> None:
    with (
        State(tmp_path).held(),
        pytest.raises(Misconfigured, match=f"in use by the process {os.getpid()}"),
        State(tmp_path).held(),
    ):
        pass
    with State(tmp_path).held():
        pass


def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "some.log").write_bytes(b"x" * 1_000_001)
    os.close(State(tmp_path).open_log("some.log"))
    assert (tmp_path / "some.log").stat().st_size == 0
    assert (tmp_path / "some.log.old").stat().st_size == 1_000_001
