"""Organizations, teams and keys."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.errors import NotFound
from core.ids import new_id
from core.tenants.tenants import Caller, Tenants


@pytest.fixture
def tenants(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> Tenants:
    return Tenants(pool)


@pytest.fixture
async def organization_id(tenants: Tenants) -> UUID:
    return await tenants.create_organization("ours")


async def test_a_key_opens_its_own_organization(tenants: Tenants, organization_id: UUID) -> None:
    await tenants.create_key(await tenants.create_organization("other"), "other")
    key = await tenants.create_key(organization_id, "key")
    assert await tenants.authenticate(key.secret) == Caller(organization_id=organization_id, key_id=key.id)


async def test_a_secret_is_long_and_kept_only_as_its_hash(
    tenants: Tenants, organization_id: UUID, pool: AsyncConnectionPool[AsyncConnection[Any]]
) -> None:
    keys = [await tenants.create_key(organization_id, "key") for _ in range(2)]
    assert all(key.secret.startswith("fp_") and len(key.secret) == 46 for key in keys)
    assert keys[0].secret != keys[1].secret
    assert keys[0].secret not in repr(keys[0])
    async with pool.connection() as connection:
        cursor = await connection.execute("select prefix, hash, api_keys::text from api_keys order by id")
        rows = await cursor.fetchall()
    for key, (prefix, digest, row) in zip(keys, rows, strict=True):
        assert (prefix, digest) == (key.secret[:8], hashlib.sha256(key.secret.encode()).digest())
        assert key.secret not in row


@pytest.mark.parametrize("junk", ["", "fp_", "fp_" + "a" * 43, "x" * 10_000, "schlüssel", "\udcff", "\0", "' or 1=1"])
async def test_junk_opens_nothing(tenants: Tenants, organization_id: UUID, junk: str) -> None:
    await tenants.create_key(organization_id, "key")
    assert await tenants.authenticate(junk) is None


async def test_a_key_ends_when_it_expires(tenants: Tenants, organization_id: UUID) -> None:
    now = datetime.now(UTC)
    over = await tenants.create_key(organization_id, "over", expires_at=now - timedelta(seconds=1))
    good = await tenants.create_key(organization_id, "good", expires_at=now + timedelta(hours=1))
    assert await tenants.authenticate(over.secret) is None
    assert await tenants.authenticate(good.secret) is not None


async def test_a_key_ends_when_it_is_revoked_by_its_own_organization(tenants: Tenants, organization_id: UUID) -> None:
    key = await tenants.create_key(organization_id, "key")
    with pytest.raises(NotFound):
        await tenants.revoke_key(await tenants.create_organization("other"), key.id)
    assert await tenants.authenticate(key.secret) is not None
    for _ in range(2):
        await tenants.revoke_key(organization_id, key.id)
        assert await tenants.authenticate(key.secret) is None


async def test_a_team_is_known_to_its_organization_only(tenants: Tenants, organization_id: UUID) -> None:
    team = await tenants.create_team(organization_id, "team")
    other = await tenants.create_organization("other")
    assert await tenants.team(organization_id, team.id) == team
    assert await tenants.team(other, team.id) is None
    assert await tenants.team(organization_id, new_id()) is None
    assert await tenants.teams(organization_id) == [team]
    assert await tenants.teams(other) == []


async def test_nothing_is_made_for_an_organization_that_is_not_there(tenants: Tenants) -> None:
    with pytest.raises(NotFound):
        await tenants.create_team(new_id(), "team")
    with pytest.raises(NotFound):
        await tenants.create_key(new_id(), "key")
    with pytest.raises(NotFound):
        await tenants.team_named(new_id(), "team")


async def test_who_asks_for_a_name_at_the_same_time_gets_the_same_one(tenants: Tenants) -> None:
    found = await asyncio.gather(*(tenants.organization("same") for _ in range(8)))
    assert len(set(found)) == 1
    teams = await asyncio.gather(*(tenants.team_named(found[0], "same") for _ in range(8)))
    assert len({team.id for team in teams}) == 1
    assert (await tenants.team_named(found[0], "another")).id != teams[0].id
