"""Concurrent looks share a statement, and nobody is told what was read before the question was put."""

import asyncio
from collections.abc import Collection

import pytest

from core.database.lookup import GroupLookup


class Reader:
    """Answers numbers with how often was read by then; a negative one is not there, zero breaks the look."""

    def __init__(self) -> None:
        self.reads: list[set[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, keys: Collection[int]) -> dict[int, int]:
        self.reads.append(set(keys))
        number = len(self.reads)
        await self.open.wait()
        if 0 in keys:
            raise ValueError("zero")
        return {key: number for key in keys if key > 0}


@pytest.fixture
def reader() -> Reader:
    return Reader()


async def test_what_is_asked_while_a_look_is_under_way_is_read_by_the_next(reader: Reader) -> None:
    lookup = GroupLookup(reader)
    reader.open.clear()
    first = asyncio.create_task(lookup.get(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reader.reads == [{1}], "a lone one does not wait for company"
    later = [asyncio.create_task(lookup.get(key)) for key in (1, 2, 2, -3)]
    await asyncio.sleep(0)
    reader.open.set()
    assert (await first, await asyncio.gather(*later)) == (1, [2, 2, 2, None])
    assert reader.reads == [{1}, {1, 2, -3}]
    assert await lookup.get(1) == 3, "nothing is remembered"


async def test_a_look_that_fails_fails_for_those_who_asked_together(reader: Reader) -> None:
    lookup = GroupLookup(reader)
    results = await asyncio.gather(lookup.get(0), lookup.get(1), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError]
    assert await lookup.get(1) == 2


async def test_who_goes_away_takes_nobody_along(reader: Reader) -> None:
    lookup = GroupLookup(reader)
    reader.open.clear()
    gone, stays = (asyncio.create_task(lookup.get(1)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    reader.open.set()
    assert await stays == 1
    assert gone.cancelled()
