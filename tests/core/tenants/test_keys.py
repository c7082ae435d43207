"""API keys: issued once, kept as hashes, and refused as soon as they have ended."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.errors import Conflict, NotFound
from core.ids import new_id
from core.tenants.callers import Caller, Operator, Reach
from core.tenants.keyring import LIFE_SECONDS, Keyring
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.tenants.uses import EVERY_SECONDS

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(pool: Pool, clock: Clock) -> Keyring:
    return Keyring(pool, clock=clock)


@pytest.fixture
def api_keys(pool: Pool) -> ApiKeys:
    return ApiKeys(pool)


@pytest.fixture
def tenants(pool: Pool) -> Tenants:
    return Tenants(pool)


@pytest.fixture
async def organization_id(tenants: Tenants) -> UUID:
    return await tenants.create_organization("ours")


async def test_a_key_opens_its_own_organization(
    tenants: Tenants, api_keys: ApiKeys, keyring: Keyring, organization_id: UUID
) -> None:
    await api_keys.create(await tenants.create_organization("other"), "other")
    key = await api_keys.create(organization_id, "key")
    for _ in range(2):
        assert await keyring.authenticate(key.secret) == Caller(organization_id=organization_id, key_id=key.id)


async def test_a_key_carries_its_scopes_its_end_and_its_team(
    tenants: Tenants, api_keys: ApiKeys, keyring: Keyring, organization_id: UUID
) -> None:
    team = await tenants.create_team(organization_id, "team")
    end = datetime.now(UTC) + timedelta(hours=1)
    key = await api_keys.create(organization_id, "key", scopes=["write", "read"], team_id=team.id, expires_at=end)
    assert key.key.scopes == ["read", "write"]
    assert await keyring.authenticate(key.secret) == Caller(
        organization_id=organization_id,
        key_id=key.id,
        scopes=frozenset({"read", "write"}),
        reach=Reach(team_ids=frozenset([team.id])),
        expires_at=end,
    )


async def test_an_operator_belongs_to_no_organization(api_keys: ApiKeys, keyring: Keyring) -> None:
    key = await api_keys.create_operator("admin")
    assert await keyring.authenticate(key.secret) == Operator(key_id=key.id)


async def test_a_secret_is_long_and_kept_only_as_its_hash(api_keys: ApiKeys, organization_id: UUID, pool: Pool) -> None:
    keys = [await api_keys.create(organization_id, "key") for _ in range(2)]
    assert all(key.secret.startswith("fp_") and len(key.secret) == 46 for key in keys)
    assert keys[0].secret != keys[1].secret
    assert keys[0].secret not in repr(keys[0])
    async with pool.connection() as connection:
        cursor = await connection.execute("select prefix, hash, api_keys::text from api_keys order by id")
        rows = await cursor.fetchall()
    for key, (prefix, digest, row) in zip(sorted(keys, key=lambda key: key.id), rows, strict=True):
        assert (prefix, digest) == (key.secret[:8], hashlib.sha256(key.secret.encode()).digest())
        assert key.secret not in row


@pytest.mark.parametrize("junk", ["", "fp_", "fp_" + "a" * 43, "x" * 10_000, "schlüssel", "\udcff", "\0", "' or 1=1"])
async def test_junk_opens_nothing(api_keys: ApiKeys, keyring: Keyring, organization_id: UUID, junk: str) -> None:
    await api_keys.create(organization_id, "key")
    assert await keyring.authenticate(junk) is None


async def test_a_key_ends_when_it_expires(
    api_keys: ApiKeys, keyring: Keyring, organization_id: UUID, pool: Pool
) -> None:
    now = datetime.now(UTC)
    over = await api_keys.create(organization_id, "over", expires_at=now - timedelta(seconds=1))
    good = await api_keys.create(organization_id, "good", expires_at=now + timedelta(hours=1))
    assert await keyring.authenticate(over.secret) is None
    assert await keyring.authenticate(good.secret) is not None


async def test_what_is_remembered_does_not_outlive_the_key(
    api_keys: ApiKeys, keyring: Keyring, clock: Clock, organization_id: UUID, pool: Pool
) -> None:
    end = datetime.now(UTC) + timedelta(seconds=1)
    key = await api_keys.create(organization_id, "soon", expires_at=end)
    assert await keyring.authenticate(key.secret) is not None
    async with pool.connection() as connection:
        await connection.execute("update api_keys set expires_at = now() where id = %s", (key.id,))
    clock.now += 1.0
    assert await keyring.authenticate(key.secret) is None


async def test_a_revoked_key_is_refused_after_its_life_in_memory_and_at_once_where_it_was_revoked(
    tenants: Tenants, api_keys: ApiKeys, keyring: Keyring, clock: Clock, organization_id: UUID, pool: Pool
) -> None:
    key = await api_keys.create(organization_id, "key")
    here = Keyring(pool, clock=clock)
    with pytest.raises(NotFound):
        await api_keys.revoke(await tenants.create_organization("other"), key.id)
    assert await keyring.authenticate(key.secret) is not None
    assert await here.authenticate(key.secret) is not None
    first = await api_keys.revoke(organization_id, key.id)
    assert (await api_keys.revoke(organization_id, key.id)).revoked_at == first.revoked_at
    here.forget(key.id)
    assert await here.authenticate(key.secret) is None
    clock.now += LIFE_SECONDS
    assert await keyring.authenticate(key.secret) is None


async def test_a_key_in_use_is_looked_up_beside_the_requests(
    api_keys: ApiKeys, keyring: Keyring, clock: Clock, organization_id: UUID
) -> None:
    key = await api_keys.create(organization_id, "key")
    await keyring.authenticate(key.secret)
    await api_keys.revoke(organization_id, key.id)
    clock.now += LIFE_SECONDS / 2
    # Still good in memory; the look that this starts finds out.
    assert await keyring.authenticate(key.secret) is not None
    async with asyncio.timeout(20):
        while await keyring.authenticate(key.secret) is not None:  # noqa: ASYNC110 - the look is a task of its own
            await asyncio.sleep(0.01)


async def test_many_requests_with_one_key_ask_once(
    api_keys: ApiKeys, organization_id: UUID, pool: Pool, clock: Clock
) -> None:
    key = await api_keys.create(organization_id, "key")
    keyring = Keyring(pool, clock=clock)
    before = pool.get_stats()["requests_num"]
    found = await asyncio.gather(*(keyring.authenticate(key.secret) for _ in range(100)))
    assert len(set(found)) == 1
    assert pool.get_stats()["requests_num"] == before + 1


async def last_used(pool: Pool, key_id: UUID) -> datetime | None:
    async with pool.connection() as connection:
        row = await (await connection.execute("select last_used_at from api_keys where id = %s", (key_id,))).fetchone()
    assert row is not None
    moment: datetime | None = row[0]
    return moment


async def test_the_last_use_is_written_beside_the_requests_and_at_most_once_a_minute(
    api_keys: ApiKeys, keyring: Keyring, clock: Clock, organization_id: UUID, pool: Pool
) -> None:
    key = await api_keys.create(organization_id, "key")
    assert key.key.last_used_at is None
    await keyring.authenticate(key.secret)
    async with asyncio.timeout(20):
        while (first := await last_used(pool, key.id)) is None:  # noqa: ASYNC110 - it is written by a task of its own
            await asyncio.sleep(0.01)
    clock.now += EVERY_SECONDS / 2
    await keyring.authenticate(key.secret)
    await asyncio.sleep(0)
    assert await last_used(pool, key.id) == first
    # The process ends: the last use is written, whenever the one before it was.
    await keyring.aclose()
    second = await last_used(pool, key.id)
    assert second is not None
    assert second > first


async def test_a_late_writer_never_sets_the_last_use_back(
    api_keys: ApiKeys, clock: Clock, organization_id: UUID, pool: Pool
) -> None:
    key = await api_keys.create(organization_id, "key")
    early, late = Keyring(pool, clock=clock), Keyring(pool, clock=clock)
    later = datetime.now(UTC) + timedelta(hours=1)
    await early.authenticate(key.secret)
    async with pool.connection() as connection:
        await connection.execute("update api_keys set last_used_at = %s where id = %s", (later, key.id))
    await early.aclose()
    await late.aclose()
    assert await last_used(pool, key.id) == later


async def test_nothing_is_made_for_what_is_not_there_or_not_ours(
    tenants: Tenants, api_keys: ApiKeys, organization_id: UUID
) -> None:
    theirs = await tenants.create_team(await tenants.create_organization("other"), "team")
    bound: tuple[dict[str, Any], ...] = (
        {"team_id": theirs.id},
        {"team_id": new_id()},
        {"social_account_ids": [new_id()]},
    )
    with pytest.raises(NotFound):
        await api_keys.create(new_id(), "key")
    for wrong in bound:
        with pytest.raises(NotFound):
            await api_keys.create(organization_id, "key", **wrong)


async def test_of_first_keys_made_at_the_same_time_one_is(api_keys: ApiKeys, organization_id: UUID) -> None:
    made = await asyncio.gather(
        *(api_keys.create(organization_id, "first", first=True) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Conflict) for outcome in made) == 4
    assert len(await api_keys.within(organization_id)) == 1


async def test_the_keys_of_a_deleted_team_open_nothing(
    tenants: Tenants, api_keys: ApiKeys, keyring: Keyring, organization_id: UUID
) -> None:
    team = await tenants.create_team(organization_id, "team")
    bound = await api_keys.create(organization_id, "bound", team_id=team.id)
    whole = await api_keys.create(organization_id, "whole")
    await tenants.delete_team(organization_id, team.id)
    assert await keyring.authenticate(bound.secret) is None
    assert await keyring.authenticate(whole.secret) is not None


async def test_what_is_unknown_costs_the_same_look_as_what_has_ended(
    api_keys: ApiKeys, keyring: Keyring, organization_id: UUID, pool: Pool
) -> None:
    revoked = await api_keys.create(organization_id, "revoked")
    await api_keys.revoke(organization_id, revoked.id)
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await api_keys.create(organization_id, "expired", expires_at=past)
    for secret in (revoked.secret, expired.secret, "fp_" + "a" * 43):
        for _ in range(2):
            before = pool.get_stats()["requests_num"]
            assert await keyring.authenticate(secret) is None
            assert pool.get_stats()["requests_num"] == before + 1
