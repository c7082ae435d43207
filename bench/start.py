"""Starting: all that `fingerpost up` starts beside the bare servers, and what importing the public face takes."""

import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.place import PATIENCE_SECONDS, ROOT, Place
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from core.embedded.account import server_account
from core.embedded.binaries import find_programs
from core.embedded.postgres import Postgres
from core.embedded.site import Site
from core.embedded.sockets import socket_folder
from core.embedded.state import State
from core.embedded.supervisor import Supervisor
from core.embedded.valkey import Valkey
from server.serve import bound

UP, BARE = "fingerpost up", "PostgreSQL, Valkey and an empty Litestar app, in turn"
FACE, PYTHON = "import fingerpost", "Python itself"
IMPORTS = 5
"""How many times an import is tried in a round; the median counts."""


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure warm starts, from states that were made before, and imports."""
    full, bare = place.folder / "up", place.folder / "bare"
    contestants: dict[str, Callable[[], float]] = {
        UP: lambda: _up(place, full),
        BARE: lambda: _bare(place, bare),
        FACE: lambda: _import("import fingerpost"),
        PYTHON: lambda: _import("pass"),
    }
    say(f"start: making the states ({contestants[UP]():,.0f} and {contestants[BARE]():,.0f} ms)")
    found = interleaved(plan.rounds, contestants, say=say, words=lambda ms: f"{ms:,.0f} ms")
    over = [face - python for face, python in zip(found[FACE], found[PYTHON], strict=True)]
    return [
        compared("warm start", "ms", found[UP], found[BARE], against=BARE, goal=Goal(of="ratio", sense="≤", bound=2.5)),
        compared(
            "import of the public face, over Python itself",
            "ms",
            over,
            found[PYTHON],
            against=PYTHON,
            goal=Goal(of="value", sense="≤", bound=150.0),
        ),
    ]


def _up(place: Place, state: Path) -> float:
    """Milliseconds until `fingerpost up` says that all is ready."""
    argv = [sys.executable, "-m", "server.cli", "up", "--state", str(state), "--port", "0", "--json"]
    with (place.folder / "up.log").open("ab") as log:
        start = time.perf_counter()
        process = subprocess.Popen(argv, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 2 * PATIENCE_SECONDS)
        if not ready or not process.stdout.readline():
            raise RuntimeError(f"`fingerpost up` was not ready:\n{(place.folder / 'up.log').read_text()[-2000:]}")
        return 1000 * (time.perf_counter() - start)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(2 * PATIENCE_SECONDS)


def _bare(place: Place, folder: Path) -> float:
    """Milliseconds until each of them is ready, added up."""
    supervisor, state = Supervisor(), State(folder)
    account = server_account()
    with ExitStack() as stack:
        lock = stack.enter_context(state.held())
        site = Site(
            state=state,
            lock=lock,
            sockets=stack.enter_context(socket_folder(state, account, Postgres.name, Valkey.name)),
            programs=find_programs(account),
            account=account,
            supervisor=supervisor,
        )
        start = time.perf_counter()
        for server in (Postgres(site, durable=True), Valkey(site)):
            server.prepare()
            child = server.start()
            stack.callback(supervisor.stop, child, signal.SIGINT, PATIENCE_SECONDS)
            server.wait_ready(child)
        listener = stack.enter_context(bound("127.0.0.1", 0))
        stack.enter_context(place.process("empty", "bench.baselines.empty", listener=listener))
        return 1000 * (time.perf_counter() - start)


def _import(code: str) -> float:
    """Milliseconds that a new Python takes for it."""
    times = []
    for _ in range(IMPORTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=_environment(), check=True)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _environment() -> Mapping[str, str]:
    """Ours, without what would make it use other servers or a place of its own, or compile every module anew."""
    foreign = ("DATABASE_URL", "REDIS_URL", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items()
            if name not in foreign and not name.startswith("FINGERPOST_")}  # fmt: skip
