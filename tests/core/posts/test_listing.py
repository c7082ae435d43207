"""Lists: the same as one would make by hand, page by page, and never a look at everything."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

from core.database.pool import open_pool
from core.database.queries import queries
from core.posts import listing
from core.posts.filters import Filters, read_filters
from core.posts.listing import Listing, Search
from core.posts.places import Order, OrderBy, Place, parse_place
from core.tenants.callers import WHOLE
from core.tenants.tenants import Tenants
from tests.conftest import Servers, new_database
from tests.core.posts.archive import Kept, expected, kept, store

COUNT = 500
ORDERS: tuple[OrderBy, ...] = ("createdAt", "updatedAt", "postDate", "postedDate", "deletedAt")
WAYS: tuple[Order, ...] = ("ASC", "DESC")
ENOUGH: tuple[tuple[OrderBy, Order], ...] = (("createdAt", "DESC"), ("postedDate", "DESC"), ("postedDate", "ASC"))
ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"status": "POSTED"},
    {"status": "DELETED"},
    {"status": "ERROR", "q": "soup"},
    {"q": "einhorn"},
    {"q": "GÄRTEN"},
    {"q": "strasse"},
    {"q": "日"},
    {"q": "%_"},
    {"q": "nowhere"},
    {"platforms": ["TWITTER", "SLACK"]},
    {"platforms": ["MASTODON"]},
    {"platforms": ["BLUESKY"], "q": "bread"},
    {"postDateFrom": "2030-01-15T00:00:00Z"},
    {"postDateFrom": "2030-01-15T00:00:00Z", "postDateTo": "2030-01-16T00:00:00Z"},
    {"postDateTo": "2029-12-20T00:00:00Z", "status": "POSTED", "platforms": ["PINTEREST"], "q": "s"},
)


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """Two teams of one organization with an archive each; the second one's is small."""

    database_url: str
    organization_id: UUID
    teams: tuple[UUID, UUID]
    posts: list[Kept]

    def filters(self, *, team: int = 0, **query: Any) -> Filters:
        pairs = [("teamId", str(self.teams[team]))]
        for name, value in query.items():
            pairs += [(name, each) for each in value] if isinstance(value, list) else [(name, str(value))]
        return read_filters(pairs)


async def settle(url: str) -> Shelf:
    random = Random(7)
    async with open_pool(url, size=1, name="tests") as pool:
        tenants = Tenants(pool)
        organization_id = await tenants.create_organization("ours")
        large, small = [(await tenants.create_team(organization_id, name)).id for name in ("large", "small")]
        posts = [*kept(large, COUNT, random), *kept(small, 30, random)]
        async with pool.connection() as connection:
            await store(connection, organization_id, posts)
    return Shelf(database_url=url, organization_id=organization_id, teams=(large, small), posts=posts)


@pytest.fixture(scope="module")
def shelf(servers: Servers, template: str) -> Iterator[Shelf]:
    with new_database(servers.database_url, template=template) as url:
        made = asyncio.run(settle(url))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
        yield made


@pytest.fixture
async def pool(shelf: Shelf) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    async with open_pool(shelf.database_url, size=1, name="tests") as opened:
        yield opened


@pytest.fixture(params=["few", "far"])
def reach(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Bounds so narrow that each of the three ways to a page is gone in turn."""
    monkeypatch.setattr(listing, "WINDOW", 20)
    monkeypatch.setattr(listing, "FEW", {"few": 5_000, "far": 5}[request.param])
    monkeypatch.setattr(listing, "COUNTED", 40)
    return str(request.param)


@pytest.mark.parametrize("asked", ASKED, ids=str)
async def test_a_list_is_what_one_would_make_by_hand(
    shelf: Shelf, pool: AsyncConnectionPool[AsyncConnection[Any]], reach: str, asked: dict[str, Any]
) -> None:
    lists = Listing(pool)
    # Of the ten orders some for each question: together every order meets every way to a page.
    for order_by, order in list(itertools.product(ORDERS, WAYS))[ASKED.index(asked) % 4 :: 4]:
        whole = expected(shelf.posts, shelf.filters(**asked, orderBy=order_by, order=order))
        for offset, limit in ((0, 7), (max(len(whole) - 3, 0), 10), (COUNT, 1)):
            filters = shelf.filters(**asked, orderBy=order_by, order=order, offset=offset, limit=limit)
            found = await lists.find(shelf.organization_id, filters)
            assert found.ids == whole[offset : offset + limit], (order_by, order, offset)
            assert (found.next is not None) == (offset + limit < len(whole))
            assert found.total == len(whole) if found.exact else found.total <= len(whole)
            assert found.next is None or found.total > offset + limit


@pytest.mark.parametrize("asked", [ASKED[0], {"q": "soup"}], ids=str)
async def test_pages_that_follow_each_other_make_the_list(
    shelf: Shelf, pool: AsyncConnectionPool[AsyncConnection[Any]], reach: str, asked: dict[str, Any]
) -> None:
    for order_by, order in ENOUGH:
        whole = expected(shelf.posts, shelf.filters(team=1, **asked, orderBy=order_by, order=order))
        read, after = [], ""
        while True:
            filters = shelf.filters(team=1, **asked, orderBy=order_by, order=order, limit=4, after=after)
            found = await Listing(pool).find(shelf.organization_id, filters)
            read += found.ids
            if found.next is None:
                break
            after = str(found.next)
        assert read == whole


async def test_another_organization_has_no_list_of_this_team(
    shelf: Shelf, pool: AsyncConnectionPool[AsyncConnection[Any]], reach: str
) -> None:
    stranger = await Tenants(pool).create_organization("stranger")
    for asked in ({}, {"q": "einhorn"}, {"platforms": ["TWITTER"]}):
        found = await Listing(pool).find(stranger, shelf.filters(**asked))
        assert (found.ids, found.total, found.exact) == ([], 0, True)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def reads_too_much(plan: dict[str, Any]) -> list[str]:
    """Whole tables that are read, and sorts of what is not bounded beforehand."""
    faults = [
        f"reads all of {node['Relation Name']}"
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in ("posts", "post_terms")
    ]
    for node in nodes(plan):
        if "Sort" in node["Node Type"]:
            (sorted_from,) = node["Plans"]
            if sorted_from.get("CTE Name") not in ("seen", "fitting"):
                faults.append(f"sorts {sorted_from['Node Type']}")
    return faults


@pytest.mark.parametrize("asked", ASKED, ids=str)
async def test_no_list_reads_or_sorts_everything(
    shelf: Shelf, pool: AsyncConnectionPool[AsyncConnection[Any]], asked: dict[str, Any]
) -> None:
    post = shelf.posts[COUNT // 2]
    sql = queries("core.posts", "listing.sql")
    async with pool.connection() as connection:
        # The ways and the places take turns: a plan one way is the same backwards.
        every = list(itertools.product(ORDERS, WAYS, (False, True)))
        for order_by, order, is_behind in every[ASKED.index(asked) % 3 :: 3]:
            place = Place(order_by=order_by, order=order, stretch=0, key=post.created_at, id=post.id)
            filters = shelf.filters(**asked, orderBy=order_by, order=order, after=str(place) if is_behind else "")
            search = Search(connection, sql, shelf.organization_id, filters, WHOLE)
            steps = [step for stretch in search.stretches() for step in search.steps(stretch, 0, 11)]
            for step in [*steps, search.total()]:
                await connection.execute(sql["steady"], {"bitmaps": "on" if step.bitmaps else "off"})
                cursor = await connection.execute(SQL("explain (format json) ") + step.query, step.values)
                row = await cursor.fetchone()
                assert row is not None
                assert reads_too_much(row[0][0]["Plan"]) == [], (step.name, order_by, order, is_behind)


@pytest.mark.parametrize("text", ["", "x", "e30", "W10", "WyJjcmVhdGVkQXQiLCJERVNDIiwwLCIyMDMwLTAxLTAxIiwiYSJd"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert parse_place(text) is None


def test_a_place_is_spelled_and_read(shelf: Shelf) -> None:
    post = shelf.posts[0]
    place = Place(order_by="createdAt", order="ASC", stretch=0, key=post.created_at, id=post.id)
    assert parse_place(str(place)) == place
