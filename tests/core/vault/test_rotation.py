"""Rotation: every secret comes under the newest key, whoever writes or dies meanwhile."""

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.vault import BrokenSeal, Vault
from core.vault.places import PLACES, Place
from core.vault.rotation import Rotation
from tests.core.vault.secrets_at_rest import expected, opened, store, versions

Pool = AsyncConnectionPool[AsyncConnection[Any]]
ROOT = Path(__file__).parents[3]
OLD, NEW = Vault.generate(1), Vault.generate(2)
BOTH = Vault.parse(f"{OLD},{NEW}")


class Killed(Exception):
    """Stands for the end of the process."""


async def test_everything_comes_under_the_newest_key_and_opens_without_the_old_one(pool: Pool) -> None:
    ids = await store(pool, Vault.parse(OLD), 25)
    done: list[int] = []
    assert await Rotation(pool, BOTH, batch=10).rotate(done.append) == []
    assert sum(done) == 25 + 13
    assert max(done) <= 10
    assert await opened(pool, Vault.parse(NEW), ids) == expected(25)
    assert await Rotation(pool, BOTH).rotate(done.append) == []
    assert sum(done) == 25 + 13


async def test_a_rotation_that_was_killed_is_begun_again(pool: Pool) -> None:
    ids = await store(pool, Vault.parse(OLD), 25)
    batches = 0

    def die(count: int) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise Killed

    with pytest.raises(Killed):
        await Rotation(pool, BOTH, batch=10).rotate(die)
    assert await versions(pool) == {1, 2}
    assert await opened(pool, BOTH, ids) == expected(25)
    rest: list[int] = []
    await Rotation(pool, BOTH, batch=10).rotate(rest.append)
    assert sum(rest) == 25 + 13 - 10
    assert await opened(pool, Vault.parse(NEW), ids) == expected(25)


async def write(pool: Pool, vault: Vault, id: UUID, token: str) -> None:
    sealed = vault.seal(token, table="grants", row=str(id), column="access_token")
    async with pool.connection() as connection:
        await connection.execute("update grants set access_token = %s where id = %s", (sealed, id))


class Overtaken(Vault):
    """While it seals its first secret, which was read already, somebody else writes that row."""

    meanwhile: Callable[[str], None] | None = None

    def seal(self, plaintext: str, *, table: str, row: str, column: str) -> bytes:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(row)
        return super().seal(plaintext, table=table, row=row, column=column)


@pytest.mark.parametrize("writer", [Vault.parse(OLD), BOTH], ids=["under the old key", "under the new key"])
async def test_a_token_that_is_written_while_it_is_sealed_anew_stays_as_it_was_written(
    pool: Pool, database_url: str, writer: Vault
) -> None:
    ids = await store(pool, Vault.parse(OLD), 3)

    def refresh(row: str) -> None:
        sealed = writer.seal("newer", table="grants", row=row, column="access_token")
        with psycopg.connect(database_url) as connection:
            connection.execute("update grants set access_token = %s where id = %s", (sealed, row))

    vault = Overtaken.parse(f"{OLD},{NEW}")
    vault.meanwhile = refresh
    assert await Rotation(pool, vault).rotate(lambda _: None) == []
    first = ids.index(min(ids))
    wanted = ["newer" if number == first else f"access {number}" for number in range(3)]
    assert [access for access, _ in await opened(pool, Vault.parse(NEW), ids)] == wanted


async def test_nothing_that_writers_write_is_lost_while_two_rotations_run(pool: Pool) -> None:
    ids = await store(pool, Vault.parse(OLD), 40)
    last: dict[UUID, str] = {}
    stop = asyncio.Event()

    async def refresh(own: list[UUID], vault: Vault) -> None:
        number = 0
        while not stop.is_set():
            for id in own:
                number += 1
                await write(pool, vault, id, token := f"token {number} of {id}")
                last[id] = token

    async def rotate() -> None:
        for _ in range(3):
            await Rotation(pool, BOTH, batch=7).rotate(lambda _: None)

    async def until_rotated() -> None:
        await asyncio.gather(rotate(), rotate())
        stop.set()

    # Half of the writers have not heard of the new key yet.
    await asyncio.gather(until_rotated(), refresh(ids[:10], BOTH), refresh(ids[10:20], Vault.parse(OLD)))
    assert await Rotation(pool, BOTH).rotate(lambda _: None) == []
    assert await versions(pool) == {2}
    found = await opened(pool, Vault.parse(NEW), ids)
    assert {id: access for id, (access, _) in zip(ids, found, strict=True) if id in last} == last
    assert found[20:] == expected(40)[20:]


async def test_what_does_not_open_is_named_and_left_and_stops_nothing(pool: Pool) -> None:
    ids = await store(pool, Vault.parse(OLD), 6)
    async with pool.connection() as connection:
        await connection.execute(
            "update grants set access_token = (select access_token from grants where id = %s) where id = %s",
            (ids[0], ids[1]),
        )
    (fault,) = await Rotation(pool, BOTH, batch=2).rotate(lambda _: None)
    assert (fault.place, fault.row) == (Place("grants", "access_token"), ids[1])
    (again,) = await Rotation(pool, BOTH).check(lambda _: None)
    assert again.row == ids[1]
    with pytest.raises(BrokenSeal):
        await opened(pool, BOTH, ids)
    rest = [id for id in ids if id != ids[1]]
    assert await opened(pool, Vault.parse(NEW), rest) == [row for row in expected(6) if row[0] != "access 1"]


async def test_secrets_are_counted_by_place_and_version(pool: Pool) -> None:
    await store(pool, Vault.parse(Vault.generate(2**32 - 1)), 3)
    async with pool.connection() as connection:
        await connection.execute(
            "insert into grants (id, platform, app, external_user, access_token)"
            " values (gen_random_uuid(), 'E', '', '', '')"
        )
    counts = {(str(count.place), count.version): count.secrets for count in await Rotation(pool, BOTH).counts()}
    assert counts == {("grants.access_token", 2**32 - 1): 3, ("grants.refresh_token", 2**32 - 1): 2}


def test_every_column_that_is_sealed_is_among_the_places() -> None:
    """Wherever the vault is called, table and column are spelled out, and stand among the places."""
    found = set()
    for room in ("core", "server", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call | ast.Dict):
                    texts = _texts(node)
                    if {"table", "row", "column"} <= texts.keys() and path.parent.name != "vault":
                        found.add(Place(str(texts["table"]), str(texts["column"])))
    assert found <= set(PLACES)
    assert {Place("grants", "access_token"), Place("webhook_endpoints", "secret")} <= found


def _texts(node: ast.Call | ast.Dict) -> dict[object, object]:
    if isinstance(node, ast.Call):
        pairs: list[tuple[object, ast.expr]] = [(keyword.arg, keyword.value) for keyword in node.keywords]
    else:
        pairs = [(getattr(key, "value", None), value) for key, value in zip(node.keys, node.values, strict=True)]
    return {name: getattr(value, "value", None) for name, value in pairs}


async def test_every_place_is_a_column_of_bytes_beside_an_id(pool: Pool) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'"
        )
        columns = {(table, column): kind async for table, column, kind in cursor}
    for place in PLACES:
        assert columns[place.table, place.column] == "bytea"
        assert columns[place.table, "id"] == "uuid"
    # Every other column of bytes is a hash, or no secret.
    told = {(place.table, place.column) for place in PLACES}
    assert {place for place, kind in columns.items() if kind == "bytea"} - told == {
        ("api_keys", "hash"), ("uploads", "sha256"), ("deliveries", "fingerprint"), ("idempotency_keys", "digest"),
        ("vault_keys", "check_value"), ("connect_links", "hash"), ("sign_ins", "state"), ("sign_ins", "browser"),
    }  # fmt: skip
