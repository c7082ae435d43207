"""The drain: free places are filled, no more than there are, and nothing that is ready waits for others to end."""

import asyncio
from collections import deque
from collections.abc import Callable

import pytest
import structlog.testing

from workers.drain import BATCH, MOMENT_SECONDS, Drain

DEADLINE = 10.0


class Shop:
    """Work that waits in a queue, and each piece of which ends when it is let go."""

    def __init__(self, *waiting: int, in_flight: int = 4, moment_seconds: float = MOMENT_SECONDS) -> None:
        self.waiting = deque(waiting)
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0
        self.takes: list[tuple[int, int]] = []
        self.holds: dict[int, asyncio.Event] = {}
        self.broken: set[int] = set()
        self.away: Exception | None = None
        self.news = asyncio.Event()
        self.drain = Drain(self._take, self._work, in_flight=in_flight, moment_seconds=moment_seconds)

    def holding(self, *items: int) -> "Shop":
        self.holds.update((item, asyncio.Event()) for item in items)
        return self

    def let_go(self, *items: int) -> None:
        for item in items:
            self.holds[item].set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_ended(self, count: int) -> None:
        await self.until(lambda: len(self.ended) == count)

    async def _take(self, limit: int) -> list[int]:
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        taken = [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]
        self.takes.append((limit, len(taken)))
        return taken

    async def _work(self, item: int) -> None:
        self.begun.append(item)
        self.news.set()
        self.most = max(self.most, len(self.begun) - len(self.ended))
        if item in self.holds:
            await self.holds[item].wait()
        self.ended.append(item)
        self.news.set()
        if item in self.broken:
            raise ValueError(item)


async def finish(task: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(DEADLINE):
        await task


async def test_everything_is_carried_out_and_never_more_at_a_time_than_there_are_places() -> None:
    shop = Shop(*range(3 * BATCH), in_flight=5)
    await finish(asyncio.create_task(shop.drain.run()))
    assert sorted(shop.ended) == list(range(3 * BATCH))
    assert shop.most <= 5
    assert all(limit <= 5 for limit, _ in shop.takes)


async def test_many_places_are_filled_by_several_takes() -> None:
    shop = Shop(*range(3 * BATCH), in_flight=2 * BATCH).holding(*range(2 * BATCH))
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 2 * BATCH)
    assert shop.takes == [(BATCH, BATCH)] * 2
    shop.let_go(*range(2 * BATCH))
    await finish(draining)
    assert len(shop.ended) == 3 * BATCH


async def test_places_beside_one_that_hangs_go_on_being_filled() -> None:
    shop = Shop(*range(20), in_flight=2).holding(0)
    draining = asyncio.create_task(shop.drain.run())
    await shop.until_ended(19)
    shop.let_go(0)
    await finish(draining)
    assert shop.ended[-1] == 0


async def test_one_place_of_many_that_has_come_free_does_not_wait_until_others_do() -> None:
    shop = Shop(*range(21), in_flight=20).holding(*range(20))
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 20)
    shop.let_go(0)
    await shop.until(lambda: 20 in shop.ended)
    shop.let_go(*range(1, 20))
    await finish(draining)


async def test_places_that_come_free_together_are_filled_by_one_take() -> None:
    shop = Shop(*range(16), in_flight=8).holding(*range(8))
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 8)
    shop.let_go(*range(8))
    await finish(draining)
    assert [taken for _, taken in shop.takes] == [8, 8, 0]


async def test_places_that_come_free_one_after_the_other_are_filled_when_a_fifth_has() -> None:
    shop = Shop(*range(24), in_flight=20, moment_seconds=2 * DEADLINE).holding(*range(20))
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 20)
    for item in range(4):
        assert len(shop.begun) == 20
        shop.let_go(item)
        await shop.until_ended(item + 1)
    await shop.until(lambda: len(shop.begun) == 24)
    assert [limit for limit, _ in shop.takes][:2] == [20, 4]
    shop.let_go(*range(4, 20))
    await finish(draining)


async def test_the_last_in_hand_waits_for_no_others() -> None:
    shop = Shop(*range(9), in_flight=1, moment_seconds=2 * DEADLINE)
    await finish(asyncio.create_task(shop.drain.run()))
    assert len(shop.ended) == 9


async def test_a_ring_is_heard_at_once_though_nothing_in_hand_ends() -> None:
    shop = Shop(0).holding(0, 1)
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: shop.begun == [0])
    shop.waiting.append(1)
    await shop.drain.run()
    await shop.until(lambda: shop.begun == [0, 1])
    assert not draining.done()
    shop.let_go(0, 1)
    await finish(draining)


async def test_a_ring_while_it_is_looked_for_more_has_it_looked_once_more() -> None:
    shop = Shop()
    draining = asyncio.create_task(shop.drain.run())
    await asyncio.sleep(0)
    await shop.drain.run()
    await finish(draining)
    assert len(shop.takes) == 2


async def test_what_breaks_is_logged_and_holds_up_nothing() -> None:
    shop = Shop(*range(10), in_flight=2)
    shop.broken = {0, 5}
    with structlog.testing.capture_logs() as logs:
        await finish(asyncio.create_task(shop.drain.run()))
    assert len(shop.ended) == 10
    assert [entry["event"] for entry in logs] == ["work_failed"] * 2


async def test_where_nothing_can_be_taken_what_is_in_hand_is_finished_and_the_next_run_goes_on() -> None:
    shop = Shop(0, 1).holding(0, 1)
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 2)
    shop.away = OSError("away")
    shop.let_go(0)
    await shop.until(lambda: 0 in shop.ended)
    assert not draining.done()
    shop.let_go(1)
    with pytest.raises(OSError, match="away"):
        await finish(draining)
    assert shop.ended == [0, 1]
    shop.away = None
    shop.waiting.append(2)
    await finish(asyncio.create_task(shop.drain.run()))
    assert shop.ended == [0, 1, 2]


async def test_who_is_told_to_stop_finishes_what_is_in_hand_and_takes_no_more() -> None:
    shop = Shop(*range(5), in_flight=2).holding(0, 1)
    draining = asyncio.create_task(shop.drain.run())
    await shop.until(lambda: len(shop.begun) == 2)
    shop.drain.stop()
    shop.let_go(0, 1)
    await finish(draining)
    await finish(asyncio.create_task(shop.drain.run()))
    assert (shop.begun, list(shop.waiting)) == ([0, 1], [2, 3, 4])
