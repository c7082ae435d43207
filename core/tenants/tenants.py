"""Tenants: organizations and their teams, made, found, changed and put away."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from core.accounts.leaving import leave_team
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, NotFound
from core.events.data import TeamData
from core.events.events import Event, record
from core.ids import new_id
from core.tenants.callers import WHOLE, Reach

Pool = AsyncConnectionPool[AsyncConnection[Any]]

WhenNotFound = Literal["retry", "review"]
"""What happens to an unclear post that the last look did not find: it is tried again, or a person decides."""


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: UUID
    name: str
    avatar_url: str | None
    created_at: datetime
    updated_at: datetime


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace of an organization."""

    id: UUID
    organization_id: UUID
    name: str
    avatar_url: str | None
    when_not_found: WhenNotFound
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class TeamChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different of a team; UNSET stays as it is."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET
    when_not_found: WhenNotFound | msgspec.UnsetType = msgspec.UNSET


class Tenants:
    """The organizations of one database, with their teams. What is beyond a reach does not exist."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = queries("core.tenants")

    async def create_organization(self, name: str, *, avatar_url: str | None = None) -> UUID:
        """A new organization, whatever others are called."""
        async with self._pool.connection() as connection:
            return await self._new_organization(connection, name, avatar_url)

    async def organization(self, name: str) -> UUID:
        """The organization of that name, made if there is none; callers at the same time get the same one."""
        async with self._pool.connection() as connection:
            await connection.execute(self._sql["lock_name"], {"kind": "organization", "name": name})
            found = await (await connection.execute(self._sql["organizations_named"], {"name": name})).fetchone()
            return found[0] if found else await self._new_organization(connection, name, None)

    async def get_organization(self, organization_id: UUID) -> Organization:
        """The organization itself. Raises `NotFound`."""
        async with single(self._pool) as connection, connection.cursor(row_factory=class_row(Organization)) as cursor:
            await cursor.execute(self._sql["organization"], {"id": organization_id})
            found = await cursor.fetchone()
        if found is None:
            raise NotFound("There is no such organization.")
        return found

    async def create_team(
        self,
        organization_id: UUID,
        name: str,
        *,
        avatar_url: str | None = None,
        when_not_found: WhenNotFound = "retry",
    ) -> Team:
        """A new team. Raises `NotFound` where there is no such organization."""
        values = {"name": name, "avatar_url": avatar_url, "when_not_found": when_not_found}
        async with self._pool.connection() as connection:
            return await self._new_team(connection, organization_id, **values)

    async def team_named(self, organization_id: UUID, name: str) -> Team:
        """The organization's oldest team of that name, made if there is none. Raises `NotFound` like `create_team`."""
        async with self._pool.connection() as connection:
            locked = {"kind": "team", "name": f"{organization_id} {name}"}
            await connection.execute(self._sql["lock_name"], locked)
            teams = await self._teams(connection, "teams", organization_id=organization_id, teams=None)
            named = [team for team in teams if team.name == name]
            return named[0] if named else await self._new_team(connection, organization_id, name=name)

    async def team(self, organization_id: UUID, team_id: UUID, within: Reach = WHOLE) -> Team | None:
        """The team, if it is the organization's own and within reach."""
        if not within.has_team(team_id):
            return None
        async with single(self._pool) as connection:
            found = await self._teams(connection, "team", organization_id=organization_id, id=team_id)
        return found[0] if found else None

    async def teams(self, organization_id: UUID, within: Reach = WHOLE) -> list[Team]:
        """All teams of the organization that are within reach, the oldest first."""
        async with single(self._pool) as connection:
            teams = within.values["teams"]
            return await self._teams(connection, "teams", organization_id=organization_id, teams=teams)

    async def change_team(self, organization_id: UUID, team_id: UUID, change: TeamChange) -> Team:
        """The team as it is after a change. Raises `NotFound`."""
        given = {name: getattr(change, name) for name in change.__struct_fields__}
        values: dict[str, Any] = {name: None if value is msgspec.UNSET else value for name, value in given.items()}
        values["keep_avatar"] = change.avatar_url is msgspec.UNSET
        async with self._pool.connection() as connection:
            found = await self._teams(connection, "change_team", organization_id=organization_id, id=team_id, **values)
            if not found:
                raise NotFound("There is no such team.")
            return await _told(connection, "team.updated", found[0])

    async def delete_team(self, organization_id: UUID, team_id: UUID) -> Team:
        """Put a team away: its accounts are disconnected, its keys revoked, its webhook endpoints switched off.

        Raises `NotFound`, and `Conflict` while a post of the team waits or is under way.
        """
        values = {"organization_id": organization_id, "id": team_id}
        async with self._pool.connection() as connection:
            if not await self._teams(connection, "lock_team", **values):
                raise NotFound("There is no such team.")
            row = await (await connection.execute(self._sql["unfinished"], values)).fetchone()
            if row is not None and row[0]:
                words = "posts of this team wait, are under way, or need review; delete or resolve them first"
                raise Conflict(f"{row[0]} {words}." if row[0] > 1 else f"One of the {words}.")
            await leave_team(connection, organization_id, team_id)
            for name in ("revoke_keys_of_team", "disable_endpoints"):
                await connection.execute(self._sql[name], values)
            (deleted,) = await self._teams(connection, "delete_team", **values)
            return await _told(connection, "team.deleted", deleted)

    async def _new_organization(self, connection: AsyncConnection[Any], name: str, avatar_url: str | None) -> UUID:
        id = new_id()
        values = {"id": id, "name": name, "avatar_url": avatar_url}
        await connection.execute(self._sql["create_organization"], values)
        return id

    async def _new_team(self, connection: AsyncConnection[Any], organization_id: UUID, **values: Any) -> Team:
        whole = {"avatar_url": None, "when_not_found": "retry", **values}
        made = await self._teams(connection, "create_team", id=new_id(), organization_id=organization_id, **whole)
        if not made:
            raise NotFound("There is no such organization.")
        return await _told(connection, "team.created", made[0])

    async def _teams(self, connection: AsyncConnection[Any], query: str, /, **values: Any) -> list[Team]:
        async with connection.cursor(row_factory=class_row(Team)) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchall()


async def _told(connection: AsyncConnection[Any], type: str, team: Team) -> Team:
    """The team, after an event of it was written down."""
    data = TeamData(
        team_id=team.id,
        organization_id=team.organization_id,
        name=team.name,
        avatar_url=team.avatar_url,
        created_at=team.created_at,
        updated_at=team.updated_at,
        deleted_at=team.deleted_at,
    )
    event = Event(organization_id=team.organization_id, team_id=team.id, type=type, subject=team.id, data=data)
    await record(connection, [event])
    return team
