"""The feed: nothing is passed over and nothing comes twice, in whatever order transactions begin and end."""

import asyncio
from collections import Counter
from random import Random
from uuid import UUID

import pytest
from psycopg_pool import AsyncConnectionPool

from core.events.events import Event, record
from core.events.feed import BEGINNING, Cursor, Feed, Told, Wanted, parse_cursor
from core.ids import new_id
from core.tenants.callers import Reach
from tests.core.webhooks.house import House

pytestmark = pytest.mark.engine
DEADLINE = 30


@pytest.fixture
async def house(pool: AsyncConnectionPool) -> House:
    return await House(pool).settle_in()


@pytest.fixture
def feed(pool: AsyncConnectionPool) -> Feed:
    return Feed(pool)


async def rest(feed: Feed, house: House, after: Cursor = BEGINNING, limit: int = 3) -> list[Told]:
    """Everything behind a cursor, page by page."""
    found: list[Told] = []
    while page := await feed.read(house.organization, after, limit):
        found += page
        after = page[-1].cursor
    return found


async def visible(feed: Feed, house: House, after: Cursor, count: int) -> list[Told]:
    """So many events behind a cursor. Transactions of other databases on the server hold the feed up for a moment."""
    async with asyncio.timeout(DEADLINE):
        while len(found := await rest(feed, house, after)) < count:
            continue
    return found


async def test_what_began_first_and_ends_last_is_not_passed_over(house: House, feed: Feed) -> None:
    early, late = await house.post(), await house.post()
    async with house.pool.connection() as connection:
        await connection.execute("select from posts where id = %s for update", [early])
        await record(connection, [house.event(early)])
        await house.happened(house.event(late))
        # It is there, and is not told of yet: what is still open goes before it.
        assert await rest(feed, house) == []
        await connection.commit()
    found = await visible(feed, house, BEGINNING, 2)
    assert [told.subject for told in found] == [early, late]
    assert await rest(feed, house, found[-1].cursor) == []


async def test_what_is_rolled_back_holds_nothing_up_and_is_never_told(house: House, feed: Feed) -> None:
    one, two = await house.post(), await house.post()
    async with house.pool.connection() as connection:
        await connection.execute("select from posts where id = %s for update", [one])
        await record(connection, [house.event(one)])
        await house.happened(house.event(two))
        await connection.rollback()
    assert [told.subject for told in await visible(feed, house, BEGINNING, 1)] == [two]


async def test_whoever_begins_now_hears_of_what_is_still_open(house: House, feed: Feed) -> None:
    before, during = await house.post(), await house.post()
    await house.happened(house.event(before))
    await visible(feed, house, BEGINNING, 1)
    async with house.pool.connection() as connection:
        await connection.execute("select from posts where id = %s for update", [during])
        await record(connection, [house.event(during)])
        now = await feed.now()
    assert [told.subject for told in await visible(feed, house, now, 1)] == [during]


async def test_events_of_one_transaction_keep_their_order_over_pages(house: House, feed: Feed) -> None:
    post = await house.post()
    await house.happened(*[house.event(post) for _ in range(20)])
    found = await visible(feed, house, BEGINNING, 20)
    assert [told.sequence for told in found] == list(range(1, 21))
    assert [told.previous_sequence for told in found] == [None, *range(1, 20)]


async def test_writers_that_overlap_at_random_lose_nothing_to_a_reader(house: House, feed: Feed) -> None:
    random, written, over = Random(7), [0], asyncio.Event()

    async def write(posts: list[UUID]) -> None:
        for _ in range(25):
            async with house.pool.connection() as connection:
                await connection.execute("select pg_current_xact_id()")
                await asyncio.sleep(random.random() / 100)
                chosen = sorted(random.sample(posts, 2))
                await connection.execute("select from posts where id = any(%s) order by id for update", [chosen])
                await record(connection, [house.event(post) for post in chosen])
                await asyncio.sleep(random.random() / 100)
                if random.random() < 0.2:
                    await connection.rollback()
                    continue
            written[0] += 2

    async def read() -> list[Told]:
        found: list[Told] = []
        async with asyncio.timeout(2 * DEADLINE):
            while not over.is_set() or len(found) < written[0]:
                after = found[-1].cursor if found else BEGINNING
                found += await feed.read(house.organization, after, random.randint(1, 7))
                await asyncio.sleep(0)
        return found

    posts = [await house.post() for _ in range(6)]
    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(posts) for _ in range(5)))
    over.set()
    found = await reading
    ids = {row["id"] for row in await house.run("select id from events")}
    assert Counter(told.id for told in found) == dict.fromkeys(ids, 1)
    for post in posts:
        sequences = sorted(told.sequence for told in found if told.subject == post)
        assert sequences == list(range(1, len(sequences) + 1))


async def test_a_filter_leaves_no_gap_and_others_see_nothing(house: House, feed: Feed) -> None:
    post = await house.post()
    data = {"platform": "ECHO"}
    await house.happened(
        *[
            Event(
                organization_id=house.organization, team_id=house.team, type=type, subject=post, data={**data, "n": n}
            )
            for n, type in enumerate(["delivery.retrying", "delivery.failed", "delivery.retrying", "delivery.failed"])
        ]
    )
    await visible(feed, house, BEGINNING, 4)
    for wanted in (Wanted(types=["delivery.failed"]), Wanted(types=["delivery.failed"], platforms=["ECHO", "OTHER"])):
        found = await feed.read(house.organization, BEGINNING, 10, wanted=wanted)
        assert [(told.sequence, told.previous_sequence) for told in found] == [(2, None), (4, 2)]
    nothing = [
        await feed.read(house.organization, BEGINNING, 10, wanted=Wanted(platforms=["OTHER"])),
        await feed.read(house.organization, BEGINNING, 10, wanted=Wanted(team_id=new_id())),
        await feed.read(house.organization, BEGINNING, 10, within=Reach(team_ids=frozenset({new_id()}))),
        await feed.read(new_id(), BEGINNING, 10),
        await feed.read(
            house.organization,
            BEGINNING,
            10,
            wanted=Wanted(team_id=house.team),
            within=Reach(team_ids=frozenset({new_id()})),
        ),
    ]
    assert nothing == [[]] * 5
    own = Reach(team_ids=frozenset({house.team}))
    assert len(await feed.read(house.organization, BEGINNING, 10, wanted=Wanted(team_id=house.team), within=own)) == 4


def test_a_cursor_is_read_as_it_is_written() -> None:
    for cursor in (BEGINNING, Cursor("7431", 12)):
        assert parse_cursor(str(cursor)) == cursor
    for text in ("", "7", "7-", "-7", "7-x", "7-1-2", " 7-1", "99999999999999999999-1", "latest"):
        assert parse_cursor(text) is None
