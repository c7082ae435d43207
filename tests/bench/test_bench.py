"""The harness of the measurements: it runs, what it compares is comparable, and what it writes can be read."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from bench.__main__ import BENCHES
from bench.baselines.serving import OPTIONS
from bench.place import nowhere
from bench.results import Goal, compared
from bench.rounds import interleaved
from core.registry import Registry
from core.settings import Settings
from core.vault import Vault
from server.serve import serve

ROOT = Path(__file__).parent.parent.parent
FIELDS = {"name": str, "value": float, "unit": str, "baseline": float, "ratio": float}


UNITS = {
    "accept": ["/s"] * 3 + ["ms"] * 4,
    "check": ["/s"] * 2,
    "governor": ["/s"] * 10,
    "publish": ["/s", "/s", "ms", "ms", "/s", "MB"],
    "schedule": ["ms"] * 4 + ["/s"],
    "webhooks": ["/s", "ms"],
    "media": ["ms"] * 4,
    "lists": ["ms"] * 10 + ["pages"] * 9,
    "start": ["ms"] * 2,
}
"""What each bench measures, in which units."""


@pytest.mark.parametrize(
    "name", [name if name == "check" else pytest.param(name, marks=pytest.mark.big) for name in UNITS]
)
def test_a_quick_run_measures_everything_and_writes_what_can_be_read(name: str, tmp_path: Path) -> None:
    out = tmp_path / "results" / "quick.json"
    argv = [sys.executable, "-m", "bench", name, "--quick", "--out", str(out)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results: list[dict[str, Any]] = json.loads(out.read_text())
    assert [result["unit"] for result in results] == UNITS[name]
    for result in results:
        assert all(isinstance(result[field], kind) and result[field] for field, kind in FIELDS.items()), result
        assert (result["goal"] is None) == (result["met"] is None)
        assert result["spread"][0] <= result["ratio"] <= result["spread"][1]
        assert result["name"].split(",")[0].split(" ")[0] in done.stdout
        assert result["date"]
        assert result["machine"]["cores"] == len(os.sched_getaffinity(0))
        assert result["versions"]["postgresql"]
    if any(result["goal"] for result in results):
        assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in out.with_suffix(".svg").read_text()


def test_every_bench_has_a_quick_run() -> None:
    assert UNITS.keys() == BENCHES.keys()


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal(of="ratio", sense="≥", bound=2.0), True),
        (Goal(of="ratio", sense="≥", bound=2.1), False),
        (Goal(of="value", sense="≤", bound=20.0), True),
        (Goal(of="value", sense="≤", bound=19.0), False),
        (None, None),
    ],
)
def test_a_result_has_the_medians_of_its_rounds_and_says_whether_the_goal_is_met(
    goal: Goal | None, met: bool | None
) -> None:
    result = compared("speed", "/s", [10.0, 20.0, 90.0], [10.0, 10.0, 30.0], against="nothing", goal=goal)
    assert (result.value, result.baseline, result.ratio) == (20.0, 10.0, 2.0)
    assert result.spread == (1.0, 3.0)
    assert result.met is met
    assert result.bound == goal


@pytest.mark.parametrize(
    ("goal", "standing"),
    [
        (Goal(of="ratio", sense="≥", bound=4.0), 0.5),
        (Goal(of="ratio", sense="≤", bound=4.0), 2.0),
        (Goal(of="value", sense="≥", bound=5.0), 2.0),
        (Goal(of="value", sense="≤", bound=5.0), 0.5),
    ],
)
def test_a_chart_shows_how_far_from_its_goal_a_result_is(goal: Goal, standing: float) -> None:
    assert goal.standing(value=10.0, ratio=2.0) == standing


def test_everyone_has_a_turn_in_each_round_and_goes_first_in_turn() -> None:
    order: list[str] = []

    def contestant(name: str) -> str:
        order.append(name)
        return name.upper()

    found = interleaved(3, {name: partial(contestant, name) for name in "abc"}, say=order.append, words=str)
    assert found == {name: [name.upper()] * 3 for name in "abc"}
    assert "".join(name for name in order if len(name) == 1) == "abcbcacab"


def test_no_platform_is_reached_from_a_measurement() -> None:
    settings = Settings(database_url="", redis_url="", master_keys="", hosts=nowhere())
    hosts = [settings.hosts_of(adapter) for adapter in Registry.installed().values()]
    assert len(hosts) > 1
    assert {url for named in hosts for url in named.values()} == {"http://127.0.0.1:9"}


def test_the_baselines_run_with_the_options_of_the_real_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    class Enough(Exception): ...

    def config(app: object, **options: Any) -> None:
        seen.update(options)
        raise Enough

    monkeypatch.setattr(uvicorn, "Config", config)
    settings = Settings(
        database_url="postgresql://", redis_url="redis://", master_keys=Vault.generate(), state=str(tmp_path)
    )
    with socket.socket() as listener, pytest.raises(Enough):
        serve(settings, Registry(), listener=listener)
    assert seen == OPTIONS
