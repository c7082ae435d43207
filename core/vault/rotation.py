"""Rotation: every stored secret is sealed anew under the newest master key, while everything runs."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import FingerpostError
from core.vault.places import PLACES, Place
from core.vault.vault import Vault

Pool = AsyncConnectionPool[AsyncConnection[Any]]
Row = tuple[UUID, bytes]

BATCH = 200
"""How many secrets are sealed in one transaction."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many secrets of a place stand under a version."""

    place: Place
    version: int
    secrets: int


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that does not open, and why; `row` is the id of its row."""

    place: Place
    row: UUID
    words: str


class Rotation:
    """Works through the secrets of one database in batches, each of them a transaction of its own.

    What is done needs no note: a secret's own version says it. So a run that was killed is simply begun again, and
    several may run at once. A secret that somebody writes meanwhile is left as written, and looked at once more.
    """

    def __init__(self, pool: Pool, vault: Vault, *, batch: int = BATCH) -> None:
        self._pool = pool
        self._vault = vault
        self._batch = batch

    @property
    def version(self) -> int:
        """The version that everything is moved to."""
        return self._vault.version

    async def counts(self) -> list[Count]:
        """How many secrets stand where under which version."""
        found = []
        async with single(self._pool) as connection:
            for place in PLACES:
                cursor = await connection.execute(_query("count", place))
                found += [Count(place=place, version=row[0], secrets=row[1]) async for row in cursor]
        return found

    async def rotate(self, done: Callable[[int], None]) -> list[Fault]:
        """Seal everything under the newest key; `done` is told of each batch how many were.

        Answers the secrets that do not open; they stay as they are.
        """
        faults: list[Fault] = []
        for place in PLACES:
            faults += await self._until_none_is_left(place, done)
        return faults

    async def check(self, looked_at: Callable[[int], None]) -> list[Fault]:
        """Open every secret, and answer those that do not open."""
        faults: list[Fault] = []

        async def look(connection: AsyncConnection[Any], place: Place, rows: list[Row]) -> None:
            faults.extend(self._anew(place, rows)[1])
            looked_at(len(rows))

        for place in PLACES:
            await self._walk(place, "all", look)
        return faults

    async def _until_none_is_left(self, place: Place, done: Callable[[int], None]) -> list[Fault]:
        """Whoever sealed under an older key meanwhile is caught by another walk; what does not open, by none."""
        faults: dict[UUID, Fault] = {}
        changed = 1

        async def seal(connection: AsyncConnection[Any], place: Place, rows: list[Row]) -> None:
            nonlocal changed
            anew, found = self._anew(place, rows)
            faults.update((fault.row, fault) for fault in found)
            if anew:
                ids, befores, afters = (list(column) for column in zip(*anew, strict=True))
                values = {"ids": ids, "befores": befores, "afters": afters}
                cursor = await connection.execute(_query("replace", place), values)
                # What another hand was faster with has changed too: one more walk looks at it.
                changed += len(anew)
                done(cursor.rowcount)

        while changed:
            changed = 0
            faults.clear()
            await self._walk(place, "batch", seal)
        return list(faults.values())

    async def _walk(
        self, place: Place, query: str, act: Callable[[AsyncConnection[Any], Place, list[Row]], Awaitable[None]]
    ) -> None:
        """Hand the secrets of a place on, in the order of their rows."""
        after: UUID | None = None
        newest = self._vault.version.to_bytes(4, "big")
        while True:
            values = {"version": newest, "after": after, "limit": self._batch}
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(_query(query, place), values)).fetchall()
                if not rows:
                    return
                await act(connection, place, rows)
            after = rows[-1][0]

    def _anew(self, place: Place, rows: list[Row]) -> tuple[list[tuple[UUID, bytes, bytes]], list[Fault]]:
        anew: list[tuple[UUID, bytes, bytes]] = []
        faults: list[Fault] = []
        for id, sealed in rows:
            where = {"table": place.table, "row": str(id), "column": place.column}
            try:
                anew.append((id, sealed, self._vault.seal(self._vault.open(bytes(sealed), **where), **where)))
            except FingerpostError as error:
                faults.append(Fault(place=place, row=id, words=error.message))
        return anew, faults


def _query(name: str, place: Place) -> Composed:
    return SQL(queries("core.vault")[name]).format(table=Identifier(place.table), column=Identifier(place.column))
