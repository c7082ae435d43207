"""Children are started, watched and stopped, and never outlive their supervisor."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.embedded.supervisor import Child, Supervisor, signals_ignored
from core.errors import Misconfigured
from tests.core.embedded.holding import REPOSITORY, runs, until

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    started = Supervisor()
    yield started
    started.stop_all(started.running, signal.SIGKILL, 5)


def shell(supervisor: Supervisor, script: str, *, stdout: int | None = None, stderr: int | None = None) -> Child:
    return supervisor.spawn("shell", ["/bin/sh", "-c", script], env=ENV, stdout=stdout, stderr=stderr)


def trapping(supervisor: Supervisor, action: str) -> Child:
    """A shell that does something when it is asked to end, and has said that it will."""
    reader, writer = os.pipe()
    child = shell(supervisor, f"trap '{action}; exit 0' TERM; echo; while :; do sleep 0.01; done", stdout=writer)
    os.close(writer)
    assert os.read(reader, 1) == b"\n"
    os.close(reader)
    return child


def test_a_child_that_ended_is_told_once(supervisor: Supervisor) -> None:
    quick, slow = shell(supervisor, "exit 3"), shell(supervisor, "exec sleep 600")
    assert supervisor.wait_any(timeout_seconds=10) is quick
    assert quick.poll() == 3
    assert supervisor.wait_any(timeout_seconds=0) is None
    assert supervisor.running == (slow,)


def test_a_child_that_was_stopped_is_not_told(supervisor: Supervisor) -> None:
    child = shell(supervisor, "exec sleep 600")
    assert supervisor.stop(child, signal.SIGTERM, 10) == -signal.SIGTERM
    assert supervisor.wait_any(timeout_seconds=0) is None


def test_a_child_that_will_not_end_is_killed_with_its_children(supervisor: Supervisor, tmp_path: Path) -> None:
    written = tmp_path / "pid"
    tell = f"echo $! > {written}.new; mv {written}.new {written}"
    child = shell(supervisor, f"trap '' TERM; sleep 600 & {tell}; while :; do wait; done")
    until(written.exists, "the child has a child")
    grandchild = int(written.read_text())
    assert supervisor.stop(child, signal.SIGTERM, 0.1) == -signal.SIGKILL
    until(lambda: not runs(grandchild), "the child's child has ended")


def test_all_are_asked_before_any_is_waited_for(supervisor: Supervisor, tmp_path: Path) -> None:
    met = tmp_path / "met"
    os.mkfifo(met)
    # Each ends only when the other one has been asked as well: a fifo opens when both ends are there.
    one = trapping(supervisor, f": > {met}")
    two = trapping(supervisor, f": < {met}")
    assert supervisor.stop_all([one, two], signal.SIGTERM, 10) == [0, 0]


def test_a_child_gets_the_environment_given_and_nothing_else(supervisor: Supervisor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as stream:
        supervisor.spawn("env", ["/usr/bin/env"], env={"ONLY": "this"}, stdout=stream.fileno())
        assert supervisor.wait_any(timeout_seconds=10) is not None
    assert out.read_text() == "ONLY=this\n"


def test_a_child_takes_signals_though_we_ignore_them(supervisor: Supervisor) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a job that a shell put into the background
    try:
        child = shell(supervisor, "exec sleep 600")
    finally:
        signal.signal(signal.SIGINT, before)
    assert supervisor.stop(child, signal.SIGINT, 10) == -signal.SIGINT


def test_a_child_can_only_be_started_from_the_main_thread(supervisor: Supervisor) -> None:
    refused: list[RuntimeError] = []

    def start() -> None:
        try:
            shell(supervisor, "exit")
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(refused) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_gets_sigint_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    written = tmp_path / "said"
    script = f"trap 'echo interrupted > {written}; exit' INT; echo; while :; do sleep 0.01; done"
    program = (
        "import signal, sys; from core.embedded.supervisor import Supervisor;"
        f"Supervisor().spawn('child', ['/bin/sh', '-c', {script!r}], env={ENV!r}); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"\n"
    parent.kill()
    parent.communicate()
    until(written.exists, "the child was interrupted")


def test_a_child_that_ends_before_it_is_ready_is_told_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        child = shell(supervisor, "echo no such luck >&2; exit 7", stderr=stream.fileno())
    with pytest.raises(Misconfigured, match=r"shell did not start: it ended with code 7\.[^$]*no such luck"):
        supervisor.wait_ready(child, lambda: False, log=log, patience_seconds=10)


def test_a_program_that_is_not_there_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(FileNotFoundError):
        supervisor.spawn("nothing", ["/no/such/program"], env={})
    assert supervisor.running == ()


def test_handlers_of_signals_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with signals_ignored():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
