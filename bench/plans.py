"""Plans: what PostgreSQL reads for a list of posts, as EXPLAIN tells it of the very steps that the API takes."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL

from core.database.queries import Queries, queries
from core.posts.filters import read_filters
from core.posts.listing import Search, Step
from core.tenants.callers import WHOLE

_EXPLAIN = SQL("explain (analyze, buffers, format json) ")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one list reads: pages of 8 kB, from memory or not, and by which steps and indexes."""

    pages: int
    ways: list[str]


def read_for(database_url: str, organization_id: UUID, team_id: UUID, query: Mapping[str, str]) -> Reading:
    """What the list of a team reads."""
    return asyncio.run(_read_for(database_url, organization_id, team_id, query))


async def _read_for(database_url: str, organization_id: UUID, team_id: UUID, query: Mapping[str, str]) -> Reading:
    filters = read_filters([("teamId", str(team_id)), *query.items()])
    async with await AsyncConnection.connect(database_url) as connection, connection.transaction():
        search = _Explained(connection, queries("core.posts", "listing.sql"), organization_id, filters, WHOLE)
        await search.found()
        return Reading(pages=search.pages, ways=search.ways)


class _Explained(Search):
    """A search that has each of its steps explained beside carrying it out."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], sql: Queries, *others: Any) -> None:
        super().__init__(connection, sql, *others)
        self.pages = 0
        self.ways: list[str] = []

    async def _rows(self, step: Step) -> list[tuple[Any, ...]]:
        rows = await super()._rows(step)
        cursor = await self._connection.execute(_EXPLAIN + step.query, step.values, prepare=False)
        (((explained,),),) = await cursor.fetchall()
        plan = explained["Plan"]
        self.pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.ways.append(f"{step.name} by {', '.join(dict.fromkeys(_indexes(plan))) or 'no index'}")
        return rows


def _indexes(plan: dict[str, Any]) -> Iterator[str]:
    """The indexes that a plan reads, and the tables that it reads whole."""
    if plan["Node Type"] == "Seq Scan":
        yield f"all of {plan['Relation Name']}"
    if "Index Name" in plan:
        yield plan["Index Name"]
    for below in plan.get("Plans", ()):
        yield from _indexes(below)
