"""A host's own clock decides nothing: what is due, leased or late is told by the database's."""

import ast
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from tests.chaos.tally import all_out, record, tally
from tests.chaos.test_kills import BOUNDLESS
from tests.chaos.test_unclear import CREATE
from tests.fleet import ended, process, running_world, until
from tests.world import Pool, world

ROOT = Path(__file__).parents[2]
DECIDES = ("core/ledger", "core/posts", "core/webhooks", "core/events", "core/database", "workers")
"""Where it is decided what happens when."""

WALL = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}
"""The calls that read the wall clock of the host."""


def readings(source: str) -> Iterator[str]:
    """Every call of a source that reads the host's wall clock, or a name by which it could."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in WALL:
                yield f"{owner}.{node.attr} in line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{name.name} in line {node.lineno}" for name in node.names if name.name == "time")


def test_the_readings_of_a_source_are_seen() -> None:
    assert len(list(readings("import time\nfrom time import time\ntime.time()\ndatetime.datetime.now(UTC)"))) == 3
    assert list(readings("import time\ntime.monotonic()\nloop.time()")) == []


@pytest.mark.parametrize("folder", DECIDES)
def test_nothing_that_decides_reads_the_hosts_clock(folder: str) -> None:
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    found = {str(path.relative_to(ROOT)): list(readings(path.read_text("utf-8"))) for path in sources}
    assert {path: calls for path, calls in found.items() if calls} == {}


async def test_a_post_is_moved_by_the_databases_clock(pool: Pool, tmp_path: Path) -> None:
    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await here.post(postDate="2031-01-01T00:00:00Z")
        date = datetime.now(UTC) + timedelta(minutes=30)
        await here.changing.change(here.organization_id, post.id, {"postDate": date.isoformat()})
        delivery = await here.delivery(post)
        assert abs(delivery["due_at"] - date) < timedelta(seconds=1)


UNCLEAR = ("error_after", "error", "reset_after")


def host(library: Path, ahead: int) -> dict[str, str]:
    """The environment of a host whose clock is off."""
    return {"LD_PRELOAD": str(library), "HOST_CLOCK_AHEAD": str(ahead)}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What sets a process's clock off; skipped without a C compiler, or on a system that has no such loader."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("setting a clock off needs Linux and a C compiler")
    made = tmp_path_factory.mktemp("clock") / "host_clock.so"
    source = Path(__file__).with_name("host_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    now = subprocess.check_output(
        [sys.executable, "-c", "import time; print(time.time())"], env=os.environ | host(made, 30), text=True
    )
    assert 20 < float(now) - time.time() < 40, "the clock is off"
    return made


async def disagree(
    pool: Pool, folder: Path, database_url: str, redis_url: str, library: Path, *, deliveries: int, least: float
) -> None:
    """A scheduler whose clock is ahead, workers whose clocks are ahead and behind, and creates of unclear outcome."""
    sandbox = PinterestSandbox(rng=Random(1), limits=BOUNDLESS)
    settings: dict[str, Any] = {"lease": 5.0, "readback": "0.5,1,2", "request_seconds": 2.0, "in_flight": 8}
    async with running_world(pool, folder, sandbox, database_url, redis_url, **settings) as (here, environment):
        for nth in range(2, deliveries, 4):
            # Never three in a row: what waits for the breaker's probe would tell nothing of clocks.
            await here.fault(CREATE, UNCLEAR[nth % 3], status=500, match={"nth": nth})
        log = folder / "log"
        ahead, behind = (environment | host(library, seconds) for seconds in (30, -30))
        with process("schedule", ahead, log), process("work", behind, log), process("work", ahead, log):
            date = datetime.now(UTC) + timedelta(seconds=least)
            for number in range(deliveries):
                await here.say(f"Post {number}", postDate=date.isoformat())
            await until(lambda: ended(here), patience=900.0)
        found = await tally(here)
        (sent,) = await here.rows(
            "select min(started_at) as first, max(started_at) filter (where fence = 1) as last from attempts"
        )
    record("hosts' clocks 30 s ahead and behind, every fourth create unclear", runs=1, found=found)
    assert found == all_out(deliveries)
    assert date <= sent["first"], "not before it is due"
    assert sent["last"] < date + timedelta(seconds=25), "and not by a clock that is behind"


async def test_hosts_whose_clocks_disagree_send_neither_early_nor_twice(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, library: Path
) -> None:
    await disagree(pool, tmp_path, database_url, redis_url, library, deliveries=12, least=2.0)


@pytest.mark.big
async def test_hosts_whose_clocks_disagree_send_much_neither_early_nor_twice(
    pool: Pool, tmp_path: Path, database_url: str, redis_url: str, library: Path
) -> None:
    await disagree(pool, tmp_path, database_url, redis_url, library, deliveries=400, least=10.0)
