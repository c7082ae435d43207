"""A forked child is a process of its own: nothing of its parent's is in it but what has been imported."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.core.embedded.holding import PATIENCE_SECONDS, REPOSITORY, runs, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux alone")


def started(what: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.core.embedded.forker", what, str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    )


def came_of(what: str, folder: Path) -> Any:
    with started(what, folder) as process:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0
        return json.loads(said)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("returns", 0),
        ("leaves", 3),
        ("leaves_with_words", 1),
        ("signalled", -signal.SIGTERM),
        ("killed", -signal.SIGKILL),
    ],
)
def test_it_ends_with_the_code_that_says_how(what: str, code: int, tmp_path: Path) -> None:
    assert came_of(what, tmp_path) == code


def test_an_error_stands_in_its_log_and_nothing_of_the_parent_goes_on_in_it(tmp_path: Path) -> None:
    code, log = came_of("fails", tmp_path)
    assert code == 1
    assert log.count("ValueError: planted") == 1
    assert log.endswith("ValueError: planted\n")


def test_it_has_its_own_environment_folder_session_and_name_and_no_file_that_it_was_not_given(tmp_path: Path) -> None:
    found, handed = came_of("surroundings", tmp_path)
    log = str(tmp_path / "child.log")
    assert found["env"] == {"GIVEN": "this"}
    assert (found["cwd"], found["leads"], found["title"]) == ("/", True, "fingerpost a child")
    assert found["threads"] == 1
    files = found["files"]
    assert set(files) == {"0", "1", "2", str(handed)}
    assert (files["0"], files["1"], files["2"]) == (os.devnull, log, log)
    assert files[str(handed)].startswith("socket:")


def test_its_end_is_told_once(tmp_path: Path) -> None:
    assert came_of("told_once", tmp_path) == [True, 5, True]


def test_it_is_interrupted_when_its_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    with started("orphaned", tmp_path) as process:
        assert process.stdout is not None
        child = json.loads(process.stdout.readline())
        until(lambda: log.read_text() == "sleeping\n", "the child sleeps")
        process.kill()
    until(lambda: log.read_text() == "sleeping\ninterrupted\n", "the child was interrupted")
    until(lambda: not runs(child), "the child has ended")


def test_a_process_with_another_thread_is_not_forked(tmp_path: Path) -> None:
    assert came_of("threads", tmp_path) == [True, False]
