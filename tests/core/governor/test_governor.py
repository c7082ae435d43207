"""The governor on a real Redis and a real PostgreSQL: what is let go, booked, denied, and known after a loss."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg_pool import AsyncConnectionPool

from core.governor.asks import AHEAD_SECONDS, Window, book
from core.governor.desk import RENEWAL_SECONDS
from core.governor.governor import SLACK_SECONDS, Governor
from core.governor.journal import Journal

pytestmark = pytest.mark.engine

APP = "ECHO:default"
CALL_SECONDS = 2.0


def window(calls: int, seconds: float = 60.0, name: str = "w") -> Window:
    return Window(name=f"{name}:{seconds:g}", calls=calls, seconds=seconds)


@pytest.fixture
async def governor(pool: AsyncConnectionPool[Any], redis_url: str) -> AsyncIterator[Governor]:
    one = Governor(redis_url, Journal(pool, worker=True), call_seconds=CALL_SECONDS)
    yield one
    await one.aclose()


async def told(governor: Governor) -> None:
    """Wait until what was told in the background has arrived."""
    while governor._telling:
        await asyncio.wait(set(governor._telling))


async def test_the_allowance_is_let_go_and_no_more(governor: Governor) -> None:
    windows = (window(3),)
    answers = [await governor.go(APP, windows, f"c{number}") for number in range(5)]
    assert [answer.delay == 0 for answer in answers] == [True, True, True, False, False]
    assert not answers[3].held


async def test_every_window_of_a_call_has_to_be_free(governor: Governor) -> None:
    wide, narrow = window(10, name="wide"), window(1, name="narrow")
    assert (await governor.go(APP, (wide, narrow), "a")).delay == 0
    assert (await governor.go(APP, (wide, narrow), "b")).delay > 0
    assert (await governor.go(APP, (wide,), "c")).delay == 0
    readings = await governor.look(APP, [wide, narrow])
    assert [(reading.used, reading.booked) for reading in readings] == [(2, 0), (1, 0)]


async def test_a_denied_call_is_booked_for_the_moment_at_which_one_leaves(governor: Governor) -> None:
    windows = (window(1, seconds=1.0),)
    assert (await governor.go(APP, windows, "a")).delay == 0
    under_way = await governor.go(APP, windows, "b", later="b2")
    assert not under_way.held, "nobody knows yet when the call under way will end"
    governor.ended(APP, windows, "a")
    await told(governor)
    await asyncio.sleep(0.6)
    booked = await governor.go(APP, windows, "b", later="b2")
    assert booked.held
    assert 0 < booked.delay <= 0.5
    assert not (await governor.go(APP, windows, "c", later="c2")).held, "the place is b's"
    await asyncio.sleep(booked.delay)
    assert not (await governor.go(APP, windows, "c")).held, "and stays b's when its moment has come"
    assert (await governor.go(APP, windows, "b2")).delay == 0


async def test_a_call_counts_until_a_window_after_its_end(governor: Governor) -> None:
    windows = (window(1, seconds=0.3),)
    await governor.go(APP, windows, "slow")
    await asyncio.sleep(0.5)
    assert (await governor.go(APP, windows, "b")).delay > 0, "it is still under way"
    governor.ended(APP, windows, "slow")
    await told(governor)
    assert (await governor.go(APP, windows, "b")).delay > 0
    await asyncio.sleep(0.3)
    assert (await governor.go(APP, windows, "b")).delay == 0


async def test_a_call_that_nobody_ends_has_ended_at_its_bound(governor: Governor) -> None:
    windows = (window(1, seconds=0.2),)
    await governor.go(APP, windows, "lost")
    await asyncio.sleep(2.1)
    assert (await governor.go(APP, windows, "b")).delay > 0
    await asyncio.sleep(0.2)
    assert (await governor.go(APP, windows, "b")).delay == 0


async def test_calls_are_booked_together_and_a_denial_ends_the_turn_of_its_group(governor: Governor) -> None:
    windows = (window(3),)
    asks = [book(windows, ["a1", "a2"], "a"), book(windows, ["a3", "a4"], "a"), book(windows, ["a5"], "a")]
    asks.append(book(windows, ["b1"], "b"))
    first, second, third, other = await governor.ask(APP, asks)
    assert first.held
    assert not second.held
    assert third.skipped
    assert other.held
    assert (await governor.go(APP, windows, "a1")).delay == 0
    assert (await governor.go(APP, windows, "stranger")).delay > 0
    governor.back(APP, windows, ["a2"])
    await told(governor)
    assert (await governor.go(APP, windows, "stranger")).delay == 0


async def test_more_calls_than_a_window_has_never_go(governor: Governor) -> None:
    (answer,) = await governor.ask(APP, [book((window(2),), ["a", "b", "c"], "g")])
    assert not answer.held
    assert answer.delay > 0


async def test_the_platforms_word_shuts_a_window_for_everybody(
    governor: Governor, pool: AsyncConnectionPool[Any], redis_url: str
) -> None:
    windows = (window(10),)
    await governor.shut(APP, windows, 30.0)
    other = Governor(redis_url, Journal(pool, worker=True), call_seconds=2.0)
    answer = await other.go(APP, windows, "a")
    assert not answer.held
    assert 29 < answer.delay <= 30
    await other.aclose()


async def test_what_the_platform_says_remains_counts(governor: Governor) -> None:
    (one,) = windows = (window(10),)
    await governor.go(APP, windows, "a")
    governor.learn(APP, one, remaining=2, reset=5.0)
    await told(governor)
    (reading,) = await governor.look(APP, windows)
    assert (reading.limit, reading.used) == (3, 1)
    governor.learn(APP, one, remaining=9, reset=5.0)
    await told(governor)
    assert (await governor.look(APP, windows))[0].limit == 10
    governor.learn(APP, one, remaining=0, reset=5.0)
    await told(governor)
    assert 4 < (await governor.go(APP, windows, "b")).delay <= 60


async def test_after_a_loss_a_short_window_stays_shut_until_all_calls_of_before_have_left_it(
    governor: Governor, redis_url: str
) -> None:
    windows = (window(5, seconds=3.0),)
    assert (await governor.go(APP, windows, "a")).delay == 0
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    answer = await governor.go(APP, windows, "b")
    assert 4 < answer.delay <= 5


async def test_a_log_that_was_never_used_begins_open(governor: Governor) -> None:
    assert (await governor.go(APP, (window(1), window(1, seconds=86_400.0, name="day")), "a")).delay == 0


async def test_after_a_loss_a_long_window_knows_what_was_spent(
    governor: Governor, redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = (window(5, seconds=86_400.0),)
    for name in ("a", "b"):
        assert (await governor.go(APP, windows, name)).delay == 0
        governor.ended(APP, windows, name)
    await told(governor)
    await governor._journal.beat()
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        assert 14 < (await governor.go(APP, windows, "c")).delay <= 15, "until every live process has written"
        server, since, used = client.get(f"fp:{{{APP}}}:epoch").decode().split()
        client.set(f"fp:{{{APP}}}:epoch", f"{server} {int(since) - 16_000_000} {used}")
    assert (await governor.go(APP, windows, "c")).delay == 0
    (reading,) = await governor.look(APP, windows)
    assert reading.used == 3
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute("select sum(calls) from window_uses").fetchone() == (2,)


async def test_concurrent_asks_share_a_call(governor: Governor) -> None:
    windows = (window(1000),)
    await governor.go(APP, windows, "first")
    before = governor.calls
    answers = await asyncio.gather(*(governor.go(APP, windows, uuid4().hex) for _ in range(200)))
    assert all(answer.delay == 0 for answer in answers)
    assert governor.calls - before <= 3


async def test_memory_is_bounded_by_the_quota(governor: Governor, redis_url: str) -> None:
    windows = (window(10, seconds=2.0),)
    for number in range(100):
        await governor.go(APP, windows, f"c{number}", later=f"l{number}")
    with redis.Redis.from_url(redis_url) as client:
        log = f"fp:{{{APP}}}:{windows[0].name}"
        assert client.zcard(log) <= 20
        assert 0 < client.pttl(log) <= 1000 * (2 + CALL_SECONDS + RENEWAL_SECONDS + AHEAD_SECONDS + SLACK_SECONDS)


async def test_a_log_that_was_emptied_goes_by_itself_like_any_other(governor: Governor, redis_url: str) -> None:
    windows = (window(10),)
    with redis.Redis.from_url(redis_url) as client:
        log = f"fp:{{{APP}}}:{windows[0].name}"
        for name in ("a", "b"):
            assert (await governor.go(APP, windows, name)).delay == 0
            assert client.pttl(log) > 0
            governor.back(APP, windows, [name])
            await told(governor)
            assert not client.exists(log)
        governor.ended(APP, windows, "b")
        await told(governor)
        assert client.pttl(log) > 0


async def test_the_loss_of_a_log_that_rested_forgets_no_long_window(
    governor: Governor, redis_url: str, database_url: str
) -> None:
    windows = (window(2, seconds=86_400.0),)
    for name in ("a", "b"):
        assert (await governor.go(APP, windows, name)).delay == 0
        governor.ended(APP, windows, name)
    await told(governor)
    await governor._journal.beat()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update processes set apps = '{}'")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    answer = await governor.go(APP, windows, "c")
    assert answer.delay > 80_000
    (reading,) = await governor.look(APP, windows)
    assert reading.used == 2


async def test_a_log_that_a_restart_has_kept_is_not_counted_twice(
    governor: Governor, redis_url: str, database_url: str
) -> None:
    windows = (window(9, seconds=86_400.0),)
    for name in ("a", "b"):
        assert (await governor.go(APP, windows, name)).delay == 0
        governor.ended(APP, windows, name)
    await told(governor)
    await governor._journal.beat()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update processes set apps = '{}'")
        connection.execute("update window_uses set used_at = used_at - interval '1 minute'")
    with redis.Redis.from_url(redis_url) as client:
        _, since, used = client.get(f"fp:{{{APP}}}:epoch").decode().split()
        client.set(f"fp:{{{APP}}}:epoch", f"another {since} {used}")
    (reading,) = await governor.look(APP, windows)
    assert reading.used == 2


async def test_a_long_wait_that_the_platform_asked_for_outlives_calls_that_end_meanwhile(
    governor: Governor, redis_url: str
) -> None:
    windows = (window(5, seconds=300.0),)
    assert (await governor.go(APP, windows, "a")).delay == 0
    await governor.shut(APP, windows, 3600.0)
    governor.ended(APP, windows, "a")
    await told(governor)
    with redis.Redis.from_url(redis_url) as client:
        assert client.pttl(f"fp:{{{APP}}}:{windows[0].name}:word") > 3_500_000


async def test_apps_that_are_first_used_at_the_same_time_are_all_noted(pool: AsyncConnectionPool[Any]) -> None:
    journal = Journal(pool, worker=True)
    apps = [f"PLATFORM_{number}:default" for number in range(8)]
    await asyncio.gather(*(journal.use(app) for app in apps))
    assert [await journal.used_ago(app) is not None for app in apps] == [True] * len(apps)
