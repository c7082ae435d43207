"""Node programs with packages of their own: installed once for a module, run to their end, their answer read."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SECONDS = 240

BUILD_SECONDS = 1200
"""For packages that are built from their source."""


def needed(*names: str) -> str:
    """The path of the first of these programs that is installed; CI has to have one."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{names[0]} is missing, and CI has to have it")
        pytest.skip(f"{names[0]} is not installed")
    return found


def installed(program: Path, folder: Path, *, scripts: bool = False) -> Path:
    """A copy of a program in a new folder, with the packages of its lock file; those with `scripts` are built."""
    npm = needed("npm")
    safe = [] if scripts else ["--ignore-scripts"]
    shutil.copytree(program, folder, ignore=shutil.ignore_patterns("node_modules"))
    seconds = BUILD_SECONDS if scripts else SECONDS
    _run([npm, "ci", "--no-audit", "--no-fund", *safe], folder, os.environ, "", seconds)
    return folder


def answer_of(folder: Path, surroundings: Mapping[str, str], given: str = "") -> Any:
    """What a program prints as JSON when it is run, with `given` on its standard input."""
    return json.loads(_run(["node", "program.mjs"], folder, surroundings, given))


def _run(argv: list[str], folder: Path, surroundings: Mapping[str, str], given: str, seconds: int = SECONDS) -> str:
    done = subprocess.run(
        argv, cwd=folder, env=surroundings, input=given, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiles(folder: Path, source: str) -> None:
    """Fail with the words of the compiler if this TypeScript breaks its types; the folder has the compiler."""
    (folder / "answers.ts").write_text(source, encoding="utf-8")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "answers.ts"]
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
