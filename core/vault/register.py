"""The register of master keys: a lost or wrong one is told when a process starts, by the name of its version."""

import hmac
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import Misconfigured
from core.vault.keys import SETTING
from core.vault.places import PLACES
from core.vault.vault import Vault

Pool = AsyncConnectionPool[AsyncConnection[Any]]


async def check_keys(pool: Pool, vault: Vault) -> None:
    """Compare the vault's keys with those that were used before, and remember new ones.

    Raises Misconfigured, naming the version, where a key is another than the one of its version before, and where
    one is missing under which secrets still stand.
    """
    sql = queries("core.vault")
    values = {
        "versions": list(vault.versions),
        "check_values": [vault.check_value(version) for version in vault.versions],
    }
    async with single(pool) as connection:
        # First what is new, then a look at all: of two processes with different keys of one version, one is told.
        known = await _known(connection)
        if not known.keys() >= set(vault.versions):
            _refuse_wrong(vault, known)
            await connection.execute(sql["add_keys"], values)
            known = await _known(connection)
        _refuse_wrong(vault, known)
        for version in known.keys() - set(vault.versions):
            if place := await _place_under(connection, version):
                raise Misconfigured(
                    f"Key {version} is missing from {SETTING}, and secrets in {place} stand under it; "
                    "add it, and run `fingerpost vault rotate` before you take it out."
                )


async def _known(connection: AsyncConnection[Any]) -> dict[int, bytes]:
    try:
        cursor = await connection.execute(queries("core.vault")["known_keys"])
    except UndefinedTable:
        raise Misconfigured("The database lacks the schema of this version; run `fingerpost migrate`.") from None
    return {version: value async for version, value in cursor}


def _refuse_wrong(vault: Vault, known: dict[int, bytes]) -> None:
    for version in vault.versions:
        if version in known and not hmac.compare_digest(known[version], vault.check_value(version)):
            raise Misconfigured(
                f"Key {version} in {SETTING} is not the key {version} that sealed the stored secrets; "
                "give that one, and a new key a number of its own."
            )


async def _place_under(connection: AsyncConnection[Any], version: int) -> str:
    for place in PLACES:
        query = SQL(queries("core.vault")["under"])
        names = {"table": Identifier(place.table), "column": Identifier(place.column)}
        values = {"version": version.to_bytes(4, "big")}
        row = await (await connection.execute(query.format(**names), values)).fetchone()
        if row is not None and row[0]:
            return str(place)
    return ""
