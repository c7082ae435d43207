"""API keys: issued once, kept as hashes, listed without their secrets, and revoked."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, NotFound
from core.ids import new_id
from core.tenants.callers import SCOPES, WHOLE, Reach

Pool = AsyncConnectionPool[AsyncConnection[Any]]

KEY_PREFIX = "fp_"
"""How every secret begins, so that people and secret scanners know it for what it is."""

_SHOWN = 8


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. `prefix` is how the secret begins; `last_used_at` may be a minute behind.

    With `team_id` it is for that team alone, with `social_account_ids` for these accounts, with neither for the
    whole organization; without an organization it is a platform admin's.
    """

    id: UUID
    organization_id: UUID | None
    name: str
    prefix: str
    scopes: list[str]
    team_id: UUID | None
    social_account_ids: list[UUID] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made. The secret is not kept anywhere: this is the only time it is seen."""

    key: ApiKey
    secret: str

    @property
    def id(self) -> UUID:
        """The key's id."""
        return self.key.id

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKey({self.id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without the secret."""
        return [("key", self.key)]


class ApiKeys:
    """The keys of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = queries("core.tenants", "keys.sql")

    async def create(
        self,
        organization_id: UUID,
        name: str,
        *,
        scopes: Sequence[str] = SCOPES,
        team_id: UUID | None = None,
        social_account_ids: Sequence[UUID] | None = None,
        expires_at: datetime | None = None,
        first: bool = False,
    ) -> NewKey:
        """A new key, for the whole organization, for a team, or for some accounts; `expires_at` is its end.

        Raises `NotFound` where the organization, the team or an account is not there; with `first`, `Conflict`
        where the organization has had a key before.
        """
        secret, values = _drawn(name, expires_at)
        values |= {
            "organization_id": organization_id,
            "scopes": [scope for scope in SCOPES if scope in scopes],
            "team_id": team_id,
            "social_account_ids": sorted(set(social_account_ids)) if social_account_ids is not None else None,
        }
        async with self._pool.connection() as connection:
            if first:
                await self._refuse_second(connection, organization_id)
            made = await self._rows(connection, "create_key", values)
        if not made:
            raise NotFound("There is no such organization, team or account.")
        return NewKey(key=made[0], secret=secret)

    async def create_operator(self, name: str, *, expires_at: datetime | None = None) -> NewKey:
        """A new key of a platform admin."""
        secret, values = _drawn(name, expires_at)
        async with single(self._pool) as connection:
            (made,) = await self._rows(connection, "create_operator", values)
        return NewKey(key=made, secret=secret)

    async def within(self, organization_id: UUID, reach: Reach = WHOLE) -> list[ApiKey]:
        """The keys of an organization that reach no further than `reach` does, the oldest first."""
        values = {"organization_id": organization_id, **reach.values}
        async with single(self._pool) as connection:
            return await self._rows(connection, "keys", values)

    async def every(self) -> list[ApiKey]:
        """All keys there are, for the command line: those of platform admins, then by organization."""
        async with single(self._pool) as connection:
            return await self._rows(connection, "every_key", {})

    async def revoke(self, organization_id: UUID, key_id: UUID) -> ApiKey:
        """End a key; one that has ended stays so. Raises `NotFound` for a stranger's."""
        return await self._revoked("revoke_key", {"organization_id": organization_id, "id": key_id})

    async def revoke_any(self, key_id: UUID) -> ApiKey:
        """The same for the command line, whoever's it is."""
        return await self._revoked("revoke_any_key", {"id": key_id})

    async def _revoked(self, query: str, values: dict[str, Any]) -> ApiKey:
        async with single(self._pool) as connection:
            found = await self._rows(connection, query, values)
        if not found:
            raise NotFound("There is no such key.")
        return found[0]

    async def _refuse_second(self, connection: AsyncConnection[Any], organization_id: UUID) -> None:
        """Hold the organization, so that of two first keys only one is."""
        values = {"organization_id": organization_id}
        await connection.execute(self._sql["lock_organization"], values)
        row = await (await connection.execute(self._sql["has_keys"], values)).fetchone()
        if row is not None and row[0]:
            raise Conflict("This organization has had its first key; whoever holds one makes the next.")

    async def _rows(self, connection: AsyncConnection[Any], query: str, values: dict[str, Any]) -> list[ApiKey]:
        async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchall()


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def _drawn(name: str, expires_at: datetime | None) -> tuple[str, dict[str, Any]]:
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    values = {
        "id": new_id(),
        "name": name,
        "prefix": secret[:_SHOWN],
        "hash": digest(secret),
        "expires_at": expires_at,
    }
    return secret, values
