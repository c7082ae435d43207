"""A stranger's adapter: written by `adapter new`, installed by pip, served like ours; broken ones harm nobody."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.server.cli.processes import until
from tests.server.cli.running import FINGERPOST, environment, said, up

BROKEN = {
    "unimportable": "raise RuntimeError('not today')\n",
    "nameless": (
        "import fingerpost as fp\n"
        "class Nameless(fp.Adapter[fp.Block]):\n"
        "    platform, certainty, hosts = 'NAMELESS', 'none', {'api': 'http://127.0.0.1:1'}\n"
        "    async def publish(self, draft, session): raise NotImplementedError\n"
        "    async def profile(self, session): raise NotImplementedError\n"
        "@fp.hookimpl\n"
        "def fingerpost_adapters(): return [Nameless()]\n"
    ),
    "zcopy": "from adapters.echo import fingerpost_adapters\n",
}
"""Plug-ins that cannot be imported, declare too little, or claim what is taken."""


def run(*words: str | Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    surroundings = environment(**({"PYTHONPATH": str(path)} if path else {}), COLUMNS="200")
    return subprocess.run(words, env=surroundings, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of strangers: one that was installed by pip, and three that are broken."""
    folder = tmp_path_factory.mktemp("strangers")
    made = run(FINGERPOST, "adapter", "new", "acme", "--into", str(folder))
    assert made.returncode == 0, made.stderr
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-index", "--no-deps"]
    done = run(*pip, "--no-build-isolation", "--target", str(target), str(folder / "fingerpost-acme"))
    assert done.returncode == 0, done.stderr
    for name, text in BROKEN.items():
        (target / f"{name}_plugin.py").write_text(text)
        info = target / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[fingerpost.adapters]\n{name} = {name}_plugin\n")
    return folder


def test_a_new_adapter_passes_its_tests_at_once(site: Path) -> None:
    done = run(sys.executable, "-m", "pytest", "-q", str(site / "fingerpost-acme"))
    assert done.returncode == 0, done.stdout
    tests = (site / "fingerpost-acme/tests/test_acme.py").read_text()
    assert len([line for line in tests.splitlines() if line.startswith(("from fingerpost ", "class", "    "))]) == 3


def test_it_is_examined_by_a_command(site: Path) -> None:
    done = run(FINGERPOST, "adapter", "check", "acme", path=site / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ACME: nothing found wrong." in done.stdout
    assert "✗" not in done.stdout
    for words in (("adapter", "check"), ("sandbox",)):
        unknown = run(FINGERPOST, *words, "nameless", path=site / "site")
        assert unknown.returncode == 2
        assert "Nameless declares no `label`" in unknown.stderr


def test_a_name_that_will_not_do_is_refused(site: Path) -> None:
    for name, words in {"Acme": "will not do", "echo": "served here already", "acme": "exists already"}.items():
        done = run(FINGERPOST, "adapter", "new", name, "--into", str(site))
        assert done.returncode == 2
        assert words in done.stderr


def test_it_has_a_page_in_the_handbook(site: Path) -> None:
    done = run(sys.executable, "-m", "docs.generate", str(site / "docs"), path=site / "site")
    assert done.returncode == 0, done.stderr
    assert "`acme.text`" in (site / "docs/platforms/acme.md").read_text()
    assert not (site / "docs/platforms/nameless.md").exists()


def test_it_is_served_and_publishes_and_broken_ones_are_named_and_harm_nobody(site: Path, tmp_path: Path) -> None:
    with up(tmp_path / "state", "--json", PYTHONPATH=os.pathsep.join([str(site / "site")])) as started:
        told = said(started.line())
        for name, why in {"unimportable": "not today", "nameless": "declares no `label`", "zcopy": "already"}.items():
            assert f"the plug-in {name} is broken" in started.errors
            assert why in started.errors
            for log in ("serve", "work", "schedule"):
                assert f'"plugin":"{name}"' in (tmp_path / f"state/logs/{log}.log").read_text()
        with httpx.Client(base_url=told["apiUrl"], headers={"x-api-key": told["apiKey"]}, trust_env=False) as http:
            served = {each["platform"] for each in http.get("/api/v1/platforms").json()}
            assert served >= {"ACME", "ECHO", "PINTEREST"}
            assert "NAMELESS" not in served
            assert "AcmeBlock" in http.get("/schema/openapi.json").text
            _publish(http, told["teamId"])


def _publish(http: httpx.Client, team: str) -> None:
    body: Mapping[str, object] = {
        "teamId": team,
        "title": "Hello",
        "postDate": datetime.now(UTC).isoformat(),
        "status": "SCHEDULED",
        "socialAccountTypes": ["ACME"],
        "data": {"ACME": {"text": "Hello"}},
    }
    post = http.post("/api/v1/post/", json=body).json()
    until(lambda: http.get(f"/api/v1/post/{post['id']}").json()["status"] == "POSTED", "it is published")
