"""What comes in is counted once, by whichever process, and no more than there is room for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from core.governor import tally
from core.governor.asks import Window
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.governor.line import Away
from core.governor.tally import Tally

pytestmark = pytest.mark.engine

APP = "fingerpost:test"


@pytest.fixture
async def governors(pool: AsyncConnectionPool[Any], redis_url: str) -> AsyncIterator[list[Governor]]:
    async with AsyncExitStack() as stack:
        made = [Governor(redis_url, Journal(pool, worker=False), call_seconds=2.0) for _ in range(2)]
        for each in made:
            stack.push_async_callback(each.aclose)
        yield made


def window(calls: int, seconds: float = 60.0, name: str = "key") -> Window:
    return Window(name=f"{name}:{seconds:g}", calls=calls, seconds=seconds)


async def test_so_many_count_as_there_is_room_for_over_all_processes(governors: list[Governor]) -> None:
    tallies = [Tally(governor, APP) for governor in governors]
    told = await asyncio.gather(*(tallies[number % 2].count(window(7)) for number in range(20)))
    assert sum(admitted for admitted, _ in told) == 7
    admitted, reading = await tallies[0].count(window(7))
    assert not admitted
    assert (reading.limit, reading.used, reading.booked) == (7, 7, 0)
    assert 50 < reading.free_in <= 60


async def test_what_comes_at_the_same_time_is_asked_for_together(governors: list[Governor]) -> None:
    counted = Tally(governors[0], APP)
    await counted.count(window(100))
    before = governors[0].calls
    await asyncio.gather(*(counted.count(window(100, name=name)) for name in "abab" for _ in range(10)))
    assert governors[0].calls - before == 1
    readings = await governors[0].look(APP, [window(100, name="a"), window(100, name="b")])
    assert [reading.used for reading in readings] == [20, 20]


async def test_a_crowd_is_counted_in_parts(governors: list[Governor]) -> None:
    counted = Tally(governors[0], APP)
    number = 2 * tally.MOST + 1
    told = await asyncio.gather(*(counted.count(window(number)) for _ in range(number)))
    assert all(admitted for admitted, _ in told)
    assert not (await counted.count(window(number)))[0]


async def test_there_is_room_again_when_the_first_have_left(governors: list[Governor]) -> None:
    counted = Tally(governors[0], APP)
    short = window(1, seconds=0.2)
    await counted.count(short)
    _, reading = await counted.count(short)
    await asyncio.sleep(reading.free_in + 0.01)
    assert (await counted.count(short))[0]


async def test_everybody_is_told_that_redis_is_away(pool: AsyncConnectionPool[Any]) -> None:
    governor = Governor("redis://127.0.0.1:9", Journal(pool, worker=False), call_seconds=2.0)
    counted = Tally(governor, APP)
    told = await asyncio.gather(*(counted.count(window(1)) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in told] == [Away] * 3
    await governor.aclose()
