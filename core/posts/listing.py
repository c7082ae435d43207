"""Listing: which posts a list shows, found at about the same cost however many posts a team has."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier
from psycopg.sql import Literal as Value
from psycopg_pool import AsyncConnectionPool

from core.database.queries import Queries, queries
from core.posts.filters import Filters
from core.posts.places import OrderBy, Place
from core.posts.terms import folded, platform_terms, wanted_terms
from core.tenants.callers import WHOLE, Reach

WINDOW = 2_000
"""So many posts are looked through in the order of a list before rarer marks of what is wanted are asked for."""

FEW = 5_000
"""So many candidates are fetched and put in order; of more, enough come along the order of the list."""

COUNTED = 10_000
"""So many posts are counted for a total, or `WINDOW` where each has to be looked at; beyond it is a lower bound."""

LIVE = ("DRAFT", "SCHEDULED", "POSTED", "ERROR", "PROCESSING", "REVIEW", "RETRYING")

Key = Literal["created_at", "updated_at", "post_date", "posted_at", "deleted_at"]

_KEYS: dict[OrderBy, Key] = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "postDate": "post_date",
    "postedDate": "posted_at",
    "deletedAt": "deleted_at",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of ids, and where the next begins, if there is one. `total` is a lower bound where it is not `exact`."""

    ids: list[UUID]
    next: Place | None
    total: int
    exact: bool


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list that has one key: what has the date that orders it; behind that comes what has none."""

    number: int
    key: Key
    statuses: tuple[str, ...]
    within: SQL = SQL("true")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A query on the way to a page; `bitmaps` where an index is read that knows no other way."""

    name: str
    query: Composed
    values: dict[str, Any]
    bitmaps: bool = False


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a stretch gives to a page. `ahead` is how many of it there were to give, where it gave all it had."""

    rows: list[tuple[UUID, datetime]]
    ahead: int
    total: int | None = None


class Listing:
    """The lists of posts in one database."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.posts", "listing.sql")

    async def find(self, organization_id: UUID, filters: Filters, within: Reach = WHOLE) -> Found:
        """One page of a team's posts; of a team that is not the organization's there are none."""
        async with self._pool.connection() as connection:
            return await Search(connection, self._sql, organization_id, filters, within).found()


class Search:
    """One look for a page. Every step reads a bounded number of posts, but for the last, which hardly any list needs.

    Along the order of the list as far as the window goes; then by what is rare about the posts that are wanted; and
    where they are neither near nor few, along the order until there are enough.
    """

    def __init__(
        self,
        connection: AsyncConnection[Any],
        sql: Queries,
        organization_id: UUID,
        filters: Filters,
        within: Reach,
    ) -> None:
        self._connection = connection
        self._sql = sql
        self._query = query = filters.query
        self._after = filters.after
        self._dated = filters.date_from is not None or filters.date_to is not None
        self._statuses = (query.status,) if query.status else LIVE
        words = folded(query.q)
        self._values: dict[str, Any] = {
            "organization_id": organization_id,
            "team_id": filters.team_id,
            "q": words or None,
            "platforms": query.platforms or None,
            "accounts": within.values["accounts"],
            "date_from": filters.date_from,
            "date_to": filters.date_to,
            "all_statuses": list(self._statuses),
            "all_terms": wanted_terms(filters.team_id, words) or None,
            "any_terms": platform_terms(filters.team_id, query.platforms) or None,
        }

    async def found(self) -> Found:
        """The page."""
        query, after = self._query, self._after
        rows: list[tuple[int, UUID, datetime]] = []
        offset, total = query.offset, None
        for stretch in self.stretches():
            if after is not None and stretch.number < after.stretch:
                continue
            part = await self._part(stretch, offset, query.limit + 1 - len(rows))
            rows += [(stretch.number, id, key) for id, key in part.rows]
            total = part.total if total is None else total
            if len(rows) > query.limit:
                break
            offset = max(offset - part.ahead, 0)
        more, page = len(rows) > query.limit, rows[: query.limit]
        if rows and not more and after is None:
            total = query.offset + len(rows)
        exact, counted = await self._counted(total, query.offset + len(rows) if rows else 0)
        return Found(
            ids=[id for _, id, _ in page], next=self._place(page[-1]) if more else None, total=counted, exact=exact
        )

    def stretches(self) -> list[Stretch]:
        """The parts of the list, in their order."""
        key = _KEYS[self._query.order_by]
        if key == "posted_at":
            first = Stretch(number=0, key=key, statuses=self._statuses, within=SQL("p.posted_at is not null"))
            others = tuple(status for status in self._statuses if status != "POSTED")
            second = Stretch(number=1, key="created_at", statuses=others, within=SQL("p.posted_at is null"))
            return [first, second] if others else [first]
        if key == "deleted_at" and self._statuses != ("DELETED",):
            key = "created_at"
        return [Stretch(number=0, key=key, statuses=self._statuses)]

    def steps(self, stretch: Stretch, offset: int, limit: int) -> list[Step]:
        """What is asked in turn for a page of a stretch, until one of them gives it; the last counts what there is."""
        values = {**self._values, **self._behind(stretch), "offset": offset, "limit": limit}
        values["statuses"] = list(stretch.statuses)
        window = offset + limit + (0 if self._is_plain(stretch.key) else WINDOW)
        words, fits = self._words(stretch), self._all("fitting", "dated")
        few = SQL(self._sql["few"])
        return [
            Step(name="walk", query=self._made("walk", stretch), values=values | {"window": window}),
            *(
                Step(
                    name="few",
                    query=few.format(source=source, within=stretch.within, fits=fits, **words),
                    values=values | {"window": FEW + 1},
                    bitmaps=bitmaps,
                )
                for source, bitmaps in self._sources(stretch)
            ),
            Step(name="sift", query=self._made("sift", stretch), values=values),
            Step(name="count", query=self._made("count", stretch), values=values | {"window": None}),
        ]

    def total(self) -> Step:
        """What counts the list."""
        key: Key = "post_date" if self._dated else "created_at"
        whole = Stretch(number=0, key=key, statuses=self._statuses)
        window = COUNTED if self._is_plain(key) else WINDOW
        values = self._values | {"after": None, "after_id": None, "window": window}
        return Step(name="count", query=self._made("count", whole), values=values)

    async def _part(self, stretch: Stretch, offset: int, limit: int) -> _Part:
        walk, *fews, sift, count = self.steps(stretch, offset, limit)
        ((seen, fitting, ids, keys),) = await self._rows(walk)
        if len(ids) == limit or seen < walk.values["window"]:
            return _Part(rows=list(zip(ids, keys, strict=True)), ahead=fitting)
        for step in fews:
            ((raw, total, ahead, ids, keys),) = await self._rows(step)
            if raw <= FEW:
                return _Part(rows=list(zip(ids, keys, strict=True)), ahead=ahead, total=total)
        rows = [(id, key) for id, key in await self._rows(sift)]
        if len(rows) == limit:
            return _Part(rows=rows, ahead=offset + limit)
        ((_, ahead),) = await self._rows(count)
        return _Part(rows=rows, ahead=ahead)

    async def _counted(self, total: int | None, least: int) -> tuple[bool, int]:
        """Whether the total is exact, and the total, which is never less than what is known to be there."""
        if total is not None:
            return True, total
        step = self.total()
        ((counted, fitting),) = await self._rows(step)
        return (True, fitting) if counted < step.values["window"] else (False, max(fitting, least))

    def _made(self, name: str, stretch: Stretch) -> Composed:
        words = self._words(stretch)
        in_order = stretch.key == "post_date"
        fits = SQL("true") if self._is_plain(stretch.key) else self._all("fitting", *(() if in_order else ("dated",)))
        within = SQL(" and ").join([stretch.within, self._all("dated")]) if in_order else stretch.within
        branch = SQL(self._sql["branch"])
        branches = [
            branch.format(fits=fits, within=within, status=Value(status), **words) for status in stretch.statuses
        ]
        return SQL(self._sql[name]).format(branches=SQL("\nunion all\n").join(branches), **words)

    def _words(self, stretch: Stretch) -> dict[str, Composable]:
        ascending = self._query.order == "ASC"
        return {
            "key": Identifier(stretch.key),
            "way": SQL("asc" if ascending else "desc"),
            "beyond": SQL(">" if ascending else "<"),
            "own": SQL(self._sql["own"]),
        }

    def _all(self, *names: str) -> Composed:
        return SQL(" and ").join([SQL("({})").format(SQL(self._sql[name])) for name in names])

    def _is_plain(self, key: Key) -> bool:
        """Whether every post of a stretch fits."""
        asked = any(self._values[name] is not None for name in ("q", "platforms", "accounts"))
        return not asked and (not self._dated or key == "post_date")

    def _sources(self, stretch: Stretch) -> Iterator[tuple[Composed, bool]]:
        """Where candidates are to be had, and whether an index gives them as bitmaps alone."""
        if self._values["all_terms"] is not None or self._values["any_terms"] is not None:
            yield SQL(self._sql["of_terms"]).format(), True
        if self._dated and stretch.key != "post_date":
            yield SQL(self._sql["of_dates"]).format(dated=SQL(self._sql["dated"])), False

    def _behind(self, stretch: Stretch) -> dict[str, Any]:
        after = self._after if self._after is not None and self._after.stretch == stretch.number else None
        return {"after": after and after.key, "after_id": after and after.id}

    def _place(self, row: tuple[int, UUID, datetime]) -> Place:
        number, id, key = row
        return Place(order_by=self._query.order_by, order=self._query.order, stretch=number, key=key, id=id)

    async def _rows(self, step: Step) -> list[tuple[Any, ...]]:
        """What a step answers; planned for these very values, which decide what conditions there are."""
        await self._connection.execute(self._sql["steady"], {"bitmaps": "on" if step.bitmaps else "off"})
        cursor = await self._connection.execute(step.query, step.values, prepare=False)
        return await cursor.fetchall()
