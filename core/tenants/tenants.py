"""Tenants: organizations and teams made and found, API keys issued and recognised."""

import hashlib
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.ids import new_id

KEY_PREFIX = "fp_"
"""How every secret begins, so that people and secret scanners know it for what it is."""

_SHOWN = 8
_LONGEST = 200


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key came with a request."""

    organization_id: UUID
    key_id: UUID


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made. The secret is not kept anywhere: this is the only time it is seen."""

    id: UUID
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKey({self.id})"


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace of an organization."""

    id: UUID
    organization_id: UUID
    name: str
    created_at: datetime
    updated_at: datetime


class Tenants:
    """The organizations of one database, with their teams and keys."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.tenants")

    async def create_organization(self, name: str) -> UUID:
        """A new organization, whatever others are called."""
        async with self._pool.connection() as connection:
            return await self._new_organization(connection, name)

    async def organization(self, name: str) -> UUID:
        """The organization of that name, made if there is none; callers at the same time get the same one."""
        async with self._pool.connection() as connection:
            await connection.execute(self._sql["lock_name"], {"kind": "organization", "name": name})
            found = await (await connection.execute(self._sql["organizations_named"], {"name": name})).fetchone()
            return found[0] if found else await self._new_organization(connection, name)

    async def create_team(self, organization_id: UUID, name: str) -> Team:
        """A new team. Raises `NotFound` where there is no such organization."""
        async with self._pool.connection() as connection:
            return await self._new_team(connection, organization_id, name)

    async def team_named(self, organization_id: UUID, name: str) -> Team:
        """The organization's oldest team of that name, made if there is none. Raises `NotFound` like `create_team`."""
        async with self._pool.connection() as connection:
            locked = {"kind": "team", "name": f"{organization_id} {name}"}
            await connection.execute(self._sql["lock_name"], locked)
            teams = await self._teams(connection, "teams", organization_id=organization_id)
            named = [team for team in teams if team.name == name]
            return named[0] if named else await self._new_team(connection, organization_id, name)

    async def team(self, organization_id: UUID, team_id: UUID) -> Team | None:
        """The team, if it is the organization's own."""
        async with single(self._pool) as connection:
            found = await self._teams(connection, "team", organization_id=organization_id, id=team_id)
        return found[0] if found else None

    async def teams(self, organization_id: UUID) -> list[Team]:
        """All teams of the organization, the oldest first."""
        async with single(self._pool) as connection:
            return await self._teams(connection, "teams", organization_id=organization_id)

    async def create_key(self, organization_id: UUID, name: str, *, expires_at: datetime | None = None) -> NewKey:
        """A new API key; `expires_at` is its end. Raises `NotFound` where there is no such organization."""
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        values = {
            "id": new_id(),
            "organization_id": organization_id,
            "name": name,
            "prefix": secret[:_SHOWN],
            "hash": _hash(secret),
            "expires_at": expires_at,
        }
        async with self._pool.connection() as connection:
            row = await (await connection.execute(self._sql["create_key"], values)).fetchone()
        if row is None:
            raise NotFound("There is no such organization.")
        return NewKey(id=row[0], secret=secret)

    async def revoke_key(self, organization_id: UUID, key_id: UUID) -> None:
        """End a key at once; one that has ended stays so. Raises `NotFound` for a stranger's."""
        values = {"organization_id": organization_id, "id": key_id}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["revoke_key"], values)).fetchone()
        if row is None:
            raise NotFound("There is no such key.")

    async def authenticate(self, secret: str) -> Caller | None:
        """Whose secret this is; None for one that is unknown, expired or revoked, or no secret at all.

        The secret is looked up by its hash, so how long it takes says nothing about any secret there is.
        """
        if not secret.isascii() or len(secret) > _LONGEST:
            return None
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["authenticate"], {"hash": _hash(secret)})
            row = await cursor.fetchone()
        return Caller(**row) if row else None

    async def _new_organization(self, connection: AsyncConnection[Any], name: str) -> UUID:
        id = new_id()
        await connection.execute(self._sql["create_organization"], {"id": id, "name": name})
        return id

    async def _new_team(self, connection: AsyncConnection[Any], organization_id: UUID, name: str) -> Team:
        made = await self._teams(connection, "create_team", id=new_id(), organization_id=organization_id, name=name)
        if not made:
            raise NotFound("There is no such organization.")
        return made[0]

    async def _teams(self, connection: AsyncConnection[Any], query: str, /, **values: Any) -> list[Team]:
        async with connection.cursor(row_factory=class_row(Team)) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchall()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
