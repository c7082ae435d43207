"""A host's own clock decides nothing: what is due, leased or late is told by the database's."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.ledger.control import Control
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


@pytest.mark.engine
async def test_a_post_is_moved_by_the_databases_clock(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(hours=1)

    async with world(pool, tmp_path, PinterestSandbox(rng=Random(1))) as here:
        post = await here.post(postDate="2031-01-01T00:00:00Z")
        monkeypatch.setattr("core.ledger.control.datetime", Ahead)
        date = datetime.now(UTC) + timedelta(minutes=30)
        control = Control(here.pool, here.ledger.notices, patience=60.0)
        await control.reschedule(here.organization_id, post.id, date, date.isoformat())
        delivery = await here.delivery(post)
        assert abs(delivery["due_at"] - date) < timedelta(seconds=1)
