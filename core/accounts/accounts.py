"""Social accounts: connected, listed, and opened for a worker."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.adapter import Profile
from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.ids import new_id
from core.post import Account, Channel
from core.vault import Vault

DEFAULT_APP = "default"
"""The name of the app credentials that this server has for a platform, where it has only one set."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the token to use it with."""

    account: Account
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Credentials({self.account.id})"


class Accounts:
    """The connected accounts of one database."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._sql = queries("core.accounts")

    async def connect(
        self,
        *,
        organization_id: UUID,
        team_id: UUID,
        platform: str,
        profile: Profile,
        channels: Sequence[Channel],
        access_token: str,
        app: str = DEFAULT_APP,
    ) -> UUID:
        """Connect an account to a team, or bring it up to date. Raises `NotFound` for a stranger's team."""
        async with self._pool.connection() as connection:
            values = {
                "id": new_id(),
                "platform": platform,
                "app": app,
                "external_user": profile.external_user,
            }
            grant_id: UUID = (await _one(connection, self._sql["grant"], values))["id"]
            sealed = self._vault.seal(access_token, table="grants", row=str(grant_id), column="access_token")
            await connection.execute(self._sql["seal_token"], {"id": grant_id, "access_token": sealed})
            values = {
                "id": new_id(),
                "organization_id": organization_id,
                "team_id": team_id,
                "grant_id": grant_id,
                "platform": platform,
                "username": profile.username,
                "display_name": profile.display_name,
                "avatar_url": profile.avatar_url,
                "channels": Jsonb(msgspec.to_builtins(list(channels))),
                "facts": Jsonb(profile.facts),
            }
            account_id: UUID = (await _one(connection, self._sql["connect"], values))["id"]
            return account_id

    async def disconnect(self, organization_id: UUID, team_id: UUID, platform: str, *, app: str = DEFAULT_APP) -> None:
        """Disconnect a team's accounts of an app on a platform; what was published stays known."""
        values = {"organization_id": organization_id, "team_id": team_id, "platform": platform, "app": app}
        async with single(self._pool) as connection:
            await connection.execute(self._sql["disconnect"], values)

    async def of_team(self, organization_id: UUID, team_id: UUID) -> tuple[Account, ...]:
        """The connected accounts of a team."""
        values = {"organization_id": organization_id, "team_id": team_id}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_team"], values)
            return tuple([msgspec.convert(row, Account) async for row in cursor])

    async def credentials(self, organization_id: UUID, account_id: UUID) -> Credentials:
        """An account with its token. Raises `NotFound` where it is not connected (any more)."""
        async with single(self._pool) as connection:
            row = await _one(
                connection, self._sql["credentials"], {"organization_id": organization_id, "id": account_id}
            )
        row_id = str(row.pop("grant_id"))
        token = self._vault.open(row.pop("access_token"), table="grants", row=row_id, column="access_token")
        return Credentials(account=msgspec.convert(row, Account), token=token)


async def _one(connection: AsyncConnection[Any], query: Any, values: dict[str, Any]) -> dict[str, Any]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("There is no such account or team.")
    return row
