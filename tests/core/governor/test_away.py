"""Redis away: nobody hangs, workers keep to their shares, and the log begins anew when it is back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from core.clock import elapsed
from core.governor.asks import Answer, Window
from core.governor.governor import Governor
from core.governor.journal import Journal
from tests.governor.brittle_redis import BrittleRedis

pytestmark = pytest.mark.engine

APP = "ECHO:default"
CALL_SECONDS = 0.3
WINDOWS = (Window(name="w", calls=6, seconds=0.5),)


@pytest.fixture
def brittle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrittleRedis]:
    with BrittleRedis(tmp_path_factory.mktemp("r")) as server:
        yield server


@pytest.fixture
async def pair(pool: AsyncConnectionPool[Any], brittle: BrittleRedis) -> AsyncIterator[tuple[Governor, Governor]]:
    """Two workers that have both used the allowance."""
    both = [Governor(brittle.url, Journal(pool, worker=True), call_seconds=CALL_SECONDS, worker=True) for _ in range(2)]
    for number, governor in enumerate(both):
        name = f"first {number}"
        assert (await governor.go(APP, WINDOWS, name)).delay == 0
        governor.ended(APP, WINDOWS, name)
        await governor._journal.beat()
    yield both[0], both[1]
    for governor in both:
        await governor.aclose()


def long_ago(database_url: str) -> None:
    """Redis answered everybody last a good while ago."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update processes set redis_at = now() - interval '1 minute'")


async def until_open(governor: Governor, prefix: str) -> Answer:
    """Ask until a call may go, after the waits that are answered."""
    async with asyncio.timeout(30):
        while (answer := await governor.go(APP, WINDOWS, f"{prefix} first")).delay > 0:  # noqa: ASYNC110 - Redis is away
            await asyncio.sleep(answer.again or answer.delay)
    return answer


async def as_many_as_go(governor: Governor, prefix: str) -> int:
    answers = [await governor.go(APP, WINDOWS, f"{prefix} {number}") for number in range(10)]
    return sum(answer.delay == 0 for answer in answers)


async def test_workers_that_lost_redis_share_the_allowance(
    pair: tuple[Governor, Governor], brittle: BrittleRedis, database_url: str
) -> None:
    one, other = pair
    brittle.kill()
    long_ago(database_url)
    began = elapsed()
    denied = await asyncio.gather(*(governor.go(APP, WINDOWS, "early") for governor in pair))
    assert elapsed() - began < 10, "the wait for Redis is bounded"
    assert all(answer.delay > 0 for answer in denied), "who knows what was used before"
    for governor, prefix in ((one, "one"), (other, "other")):
        await until_open(governor, prefix)
        assert 1 + await as_many_as_go(governor, prefix) == 3


async def test_a_worker_that_goes_leaves_its_share_unused(
    pair: tuple[Governor, Governor], brittle: BrittleRedis, database_url: str
) -> None:
    one, _ = pair
    brittle.kill()
    long_ago(database_url)
    await one.go(APP, WINDOWS, "early")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update processes set worker = false where id <> %s", [one._journal.id])
    await until_open(one, "one")
    assert 1 + await as_many_as_go(one, "one") == 3, "the other has used its part a moment ago"


async def test_who_alone_lost_redis_waits(
    pool: AsyncConnectionPool[Any], pair: tuple[Governor, Governor], brittle: BrittleRedis, tmp_path: Path
) -> None:
    one, _ = pair
    cut_off = Governor(f"unix://{tmp_path}/none", Journal(pool, worker=True), call_seconds=CALL_SECONDS, worker=True)
    await cut_off._journal.beat()
    answer = await cut_off.go(APP, WINDOWS, "a")
    assert answer.delay == answer.again == 2.0
    await asyncio.sleep(1.0)
    assert (await cut_off.go(APP, WINDOWS, "b")).delay == 2.0
    assert (await one.go(APP, WINDOWS, "c")).delay == 0
    await cut_off.aclose()


async def test_when_redis_is_back_the_log_begins_anew(
    pair: tuple[Governor, Governor], brittle: BrittleRedis, database_url: str
) -> None:
    one, other = pair
    brittle.kill()
    long_ago(database_url)
    await until_open(one, "away")
    brittle.start()
    await asyncio.sleep(0.6)
    answer = await one.go(APP, WINDOWS, "back")
    assert answer.delay > 0.3
    assert answer.delay <= CALL_SECONDS + WINDOWS[0].seconds
    await asyncio.sleep(answer.delay)
    assert await as_many_as_go(other, "back") == 6
    assert not one._alone


async def test_what_is_told_while_redis_is_away_neither_hangs_nor_piles_up(
    pair: tuple[Governor, Governor], brittle: BrittleRedis, database_url: str
) -> None:
    one, _ = pair
    brittle.kill()
    for number in range(300):
        one.ended(APP, WINDOWS, f"e{number}")
    async with asyncio.timeout(20):
        while one._telling:
            await asyncio.wait(set(one._telling))
    assert len(one._alone[APP]._calls["w"]) == 300
    long_ago(database_url)
    await until_open(one, "one")
    # The last of them may still count when the window opens.
    await asyncio.sleep(WINDOWS[0].seconds)
    await one.go(APP, WINDOWS, "one more")
    assert set(one._alone[APP]._calls["w"]) <= {"one first", "one more"}
