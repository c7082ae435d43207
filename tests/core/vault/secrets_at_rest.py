"""Stored secrets for tests of the vault."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.ids import new_id
from core.vault import Vault, sealed_version

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def store(pool: Pool, vault: Vault, count: int) -> list[UUID]:
    """Grants with two tokens each, `access <n>` and `refresh <n>`; every other one has no refresh token."""
    ids = [new_id() for _ in range(count)]
    rows = [
        (
            id,
            str(number),
            vault.seal(f"access {number}", table="grants", row=str(id), column="access_token"),
            vault.seal(f"refresh {number}", table="grants", row=str(id), column="refresh_token")
            if number % 2 == 0
            else None,
        )
        for number, id in enumerate(ids)
    ]
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.executemany(
            "insert into grants (id, platform, app, external_user, access_token, refresh_token)"
            " values (%s, 'ECHO', 'app', %s, %s, %s)",
            rows,
        )
    return ids


async def opened(pool: Pool, vault: Vault, ids: list[UUID]) -> list[tuple[str, str | None]]:
    """The tokens of the grants, in their order."""
    async with pool.connection() as connection:
        cursor = await connection.execute("select id, access_token, refresh_token from grants")
        rows = {id: (access, refresh) async for id, access, refresh in cursor}
    return [
        (
            vault.open(rows[id][0], table="grants", row=str(id), column="access_token"),
            rows[id][1] and vault.open(rows[id][1], table="grants", row=str(id), column="refresh_token"),
        )
        for id in ids
    ]


def expected(count: int) -> list[tuple[str, str | None]]:
    """What `store` has stored."""
    return [(f"access {number}", f"refresh {number}" if number % 2 == 0 else None) for number in range(count)]


async def versions(pool: Pool) -> set[int]:
    """Under which versions the tokens stand."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select access_token from grants union all select refresh_token from grants where refresh_token is not null"
        )
        return {sealed_version(row[0]) async for row in cursor}
