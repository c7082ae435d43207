"""Connections come as the program expects them, and are replaced when PostgreSQL has closed them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.pool import open_pool
from core.errors import Misconfigured


class Thing(msgspec.Struct):
    price: Decimal
    when: datetime


async def test_json_goes_through_msgspec(pool: AsyncConnectionPool) -> None:
    thing = Thing(price=Decimal("1.20"), when=datetime(2026, 1, 2, tzinfo=UTC))
    async with pool.connection() as connection:
        row = await (await connection.execute("select %s::jsonb", [Jsonb(thing)])).fetchone()
    assert row == ({"price": "1.20", "when": "2026-01-02T00:00:00Z"},)


async def test_other_connections_keep_their_own_json(pool: AsyncConnectionPool, database_url: str) -> None:
    async with pool.connection() as connection:
        await connection.execute("select 1")
    with psycopg.connect(database_url) as other, pytest.raises(TypeError, match="Decimal"):
        other.execute("select %s::jsonb", [Jsonb(Decimal(1))])
    assert json.loads("1") == 1


async def test_times_are_in_utc_and_the_pool_has_a_name(database_url: str) -> None:
    elsewhere = make_conninfo(database_url, options="-ctimezone=Asia/Tokyo")
    async with open_pool(elsewhere, size=1, name="clock") as opened, opened.connection() as connection:
        asked = "select now(), current_setting('TimeZone'), current_setting('application_name')"
        row = await (await connection.execute(asked)).fetchone()
    assert row is not None
    assert row[0].utcoffset() == timedelta(0)
    assert row[1:] == ("UTC", "clock")


async def test_the_connection_that_came_back_last_is_given_out_first(database_url: str) -> None:
    async with open_pool(database_url, size=2, name="warm") as opened:
        async with opened.connection() as first, opened.connection() as second:
            assert first is not second
        for _ in range(3):
            async with opened.connection() as again:
                assert again is first


async def test_work_that_fails_is_rolled_back(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as connection:
        await connection.execute("create table thing (id int)")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await insert_and_fail(pool)
    async with pool.connection() as connection:
        assert await (await connection.execute("select count(*) from thing")).fetchone() == (0,)


async def insert_and_fail(pool: AsyncConnectionPool) -> None:
    async with pool.connection() as connection:
        await connection.execute("insert into thing values (1)")
        await connection.execute("select 1 / 0")


async def test_connections_that_the_server_closed_are_replaced(database_url: str) -> None:
    async with open_pool(database_url, size=4, name="restarted") as opened:
        await asyncio.gather(*(hold(opened) for _ in range(4)))
        with psycopg.connect(database_url, autocommit=True) as other:
            ended = other.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'restarted'"
            )
            assert (True,) in ended.fetchall()
        answers = await asyncio.gather(*(hold(opened) for _ in range(8)))
    assert answers == [(1,)] * 8


async def hold(opened: AsyncConnectionPool) -> object:
    async with opened.connection() as connection:
        return await (await connection.execute("select 1 from pg_sleep(0.02)")).fetchone()


async def test_a_database_out_of_reach_is_said_with_its_reason() -> None:
    with pytest.raises(Misconfigured, match=r"127\.0\.0\.1:1/posts .*refused.*DATABASE_URL") as caught:
        async with open_pool("postgresql://me:secret@127.0.0.1:1/posts", size=1, name="lost", patience_seconds=0.2):
            pass
    assert "secret" not in str(caught.value)
