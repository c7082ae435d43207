"""`fingerpost demo`: all of it happens, and nothing is left."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from core.embedded.state import default_state
from tests.docs.readme import printed, shape
from tests.server.cli.processes import Process, descendants, until
from tests.server.cli.running import FINGERPOST, environment

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def test_a_post_goes_out_before_your_eyes_and_nothing_is_left(tmp_path: Path) -> None:
    surroundings = environment(XDG_STATE_HOME=str(tmp_path))
    state = default_state(surroundings, uid=os.getuid())
    before = _kept(state)
    seen: set[Process] = set()
    with subprocess.Popen([FINGERPOST, "demo"], env=surroundings, stdout=subprocess.PIPE, text=True) as demo:

        def ended() -> bool:
            seen.update(descendants(demo.pid))
            return demo.poll() is not None

        until(ended, "the demo ends")
        assert demo.stdout is not None
        words = demo.stdout.read()
    assert demo.returncode == 0, words
    told = re.findall(r"✓ (\w+)", words)
    assert sorted(set(told)) == ["POSTED", "accepted", "published", "webhook"]
    assert {"PINTEREST", "DISCORD"} <= set(re.findall(r"published +(\w+)", words))
    assert (told[0], told[-1]) == ("accepted", "POSTED")
    assert shape(words) == shape(printed("make demo")), "the README shows something else"
    assert len(seen) > 5
    assert [process.command for process in seen if process.alive] == []
    assert _kept(state) == before


def _kept(state: Path) -> set[str]:
    return set(os.listdir(state)) if state.exists() else set()
