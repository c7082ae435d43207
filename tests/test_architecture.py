"""The house holds: who may import whom, and where the names of platforms and frameworks may stand."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.registry import Registry

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "adapters", "server", "workers")
OURS = {*ROOMS, "fingerpost"}

MAY_IMPORT = {
    "fingerpost": {"core"},
    "core": {"core"},
    "adapters": {"fingerpost", "adapters"},
    "server": {"core", "server"},
    "workers": {"core", "workers"},
}
"""Of our own top-level names. Server and workers meet adapters through the registry, each other through PostgreSQL."""

AT_HOME = {"litestar": {"server"}, "dramatiq": {"workers"}, "uvicorn": {"server"}, "pluggy": {"core"}}
"""Frameworks, and the only rooms that know them."""


LINES = {"echo": 40, "discord": 150, "bluesky": 350, "mastodon": 350}
"""Of an adapter at the most, without its sandbox: every line of its modules counts, blank ones and words too."""


def modules() -> Iterator[tuple[str, Path]]:
    yield "fingerpost", ROOT / "fingerpost.py"
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield room, path


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_each_room_imports_only_what_lies_below_it(room: str) -> None:
    for home, path in modules():
        if home == room:
            tops = {name.partition(".")[0] for name in imports(path)} & OURS
            assert tops <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {tops - MAY_IMPORT[room]}"


def test_adapters_do_not_know_each_other() -> None:
    for home, path in modules():
        if home != "adapters" or path.parent == ROOT / "adapters":
            continue
        folder = path.relative_to(ROOT / "adapters").parts[0]
        others = {name for name in imports(path) if name.startswith("adapters.")}
        assert all(name.split(".")[1] == folder for name in others), path


def test_frameworks_stay_at_home() -> None:
    for home, path in modules():
        for name in imports(path):
            homes = AT_HOME.get(name.partition(".")[0])
            assert homes is None or home in homes, f"{path.relative_to(ROOT)} imports {name}"


def test_no_platform_is_named_outside_adapters() -> None:
    names = re.compile(rf"(?i)\b({'|'.join(Registry.installed().keys() - {'ECHO'})})\b")
    for home in ("core", "server", "workers"):
        for path in (ROOT / home).rglob("*"):
            if path.suffix in {".py", ".sql", ".lua", ".html"}:
                found = names.search(path.read_text())
                assert found is None, f"{path.relative_to(ROOT)} names {found and found[0]}"


def test_there_is_no_import_cycle() -> None:
    known = {name_of(path): path for _, path in modules()}
    graph = {
        name: {other for other in imports(path) if other in known and other != name} for name, path in known.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in graph[name]:
                # A package's face imports its own modules, and they may import each other past it.
                if not name.startswith(f"{other}."):
                    visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_nothing_happens_at_import() -> None:
    watch = (
        "import sys, threading, socket\n"
        "def no(*a, **k): raise SystemExit('a socket was opened at import')\n"
        "socket.socket.connect = no\n"
        f"for name in {sorted(name_of(path) for _, path in modules() if not name_of(path).endswith('__main__'))!r}:\n"
        "    __import__(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_modules_and_functions_stay_small() -> None:
    for _, path in modules():
        text = path.read_text()
        assert text.count("\n") <= 400, f"{path.relative_to(ROOT)} has grown too long"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= 40, f"{path.relative_to(ROOT)}: {node.name} has {lines} lines"


def test_every_module_says_what_it_is_for() -> None:
    for _, path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_sql_stands_in_sql_files() -> None:
    statement = re.compile(r"(?i)\b(insert into|delete from|update \w+ set)\b")
    for home, path in modules():
        if home in ("core", "server", "workers") and "migrate" not in path.name:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert not statement.search(node.value), f"{path}: {node.value[:80]}"


@pytest.mark.parametrize("adapter", LINES)
def test_an_adapter_is_short(adapter: str) -> None:
    home = ROOT / "adapters" / adapter
    mine = [path for path in home.rglob("*.py") if path.relative_to(home).parts[0] not in ("sandbox", "sandbox.py")]
    count = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in mine)
    assert mine
    assert count <= LINES[adapter], f"{adapter} has {count} lines; what makes it long belongs in the kit"
