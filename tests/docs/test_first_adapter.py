"""The handbook's way from nothing to a working adapter can be gone: every block of it is carried out."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.readme import ROOT
from tests.server.cli.running import FINGERPOST

PAGE = (ROOT / "docs/adapters.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def outcome_of(package: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-q", str(package), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


def apply(change: str, path: Path) -> None:
    """Carry out a block that shows lines taken out and the lines put in their place."""
    text = path.read_text(encoding="utf-8")
    for old, new in re.findall(r"^-(.*)\n((?:\+.*\n)+)", change, re.MULTILINE):
        put_in = "\n".join(line[1:] for line in new.splitlines())
        assert text.count(old) == 1, old
        text = text.replace(old, put_in)
    path.write_text(text, encoding="utf-8")


def test_each_step_leads_to_where_it_says(tmp_path: Path) -> None:
    (commands,) = blocks("sh")
    prepare, new, install, run = commands.splitlines()
    assert (prepare, new, install, run) == (
        "pip install /path/to/fingerpost pytest",
        "fingerpost adapter new acme", "pip install -e fingerpost-acme", "pytest fingerpost-acme",
    )  # fmt: skip
    subprocess.run([FINGERPOST, *new.split()[1:]], cwd=tmp_path, check=True, capture_output=True)
    package = tmp_path / "fingerpost-acme"
    (shown,) = blocks("python")
    assert (package / "tests/test_acme.py").read_text().partition("\n\n")[2] == shown
    shorter, stricter, refusal = blocks("diff")
    apply(shorter, package / "fingerpost_acme/__init__.py")
    failed = outcome_of(package, "-k", "platform")
    assert failed.returncode == 1
    assert "`text`, 281 characters of emoji: taken by the platform" in failed.stdout
    apply(stricter, package / "fingerpost_acme/sandbox.py")
    apply(refusal, package / "fingerpost_acme/__init__.py")
    passed = outcome_of(package)
    assert passed.returncode == 0, passed.stdout


@pytest.mark.parametrize("name", ["pip", "pytest"])
def test_what_its_commands_need_is_there(name: str) -> None:
    assert shutil.which(name, path=str(Path(sys.executable).parent))
