"""A server that is restarted, or killed, has kept its log: nobody waits for it, and nothing of it is forgotten."""

import signal
from pathlib import Path

import pytest

from core.database.pool import open_pool
from core.governor.asks import Window
from core.governor.governor import Governor
from core.governor.journal import Journal
from tests.chaos.ground import ground

APP = "ECHO:default"
FULL = Window(name="full:60", calls=1, seconds=60.0)
DAY = Window(name="day:86400", calls=1, seconds=86_400.0)
FREE = Window(name="free:60", calls=9, seconds=60.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_log_that_was_written_down_goes_on_after_a_restart(tmp_path: Path, number: signal.Signals) -> None:
    async with ground(tmp_path) as here, open_pool(here.servers.database_url, size=2, name="tests") as pool:
        one = Governor(here.servers.redis_url, Journal(pool, worker=True), call_seconds=2.0)
        assert (await one.go(APP, (FULL, DAY), "a")).delay == 0
        one.ended(APP, (FULL, DAY), "a")
        await here.end("valkey", number, down=0.0)
        assert (await one.go(APP, (FREE,), "b")).delay == 0, "what is free is free"
        assert (await one.go(APP, (FULL,), "c")).delay > 30, "what was used is known"
        assert (await one.go(APP, (DAY,), "d")).delay > 80_000
        await one.aclose()
