"""Apps: what this server, or an organization of its own, is known by at a platform."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.connect import OAuth
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import NotFound
from core.ids import new_id, parse_id
from core.oauth.app import DEFAULT_APP, App
from core.settings import Settings
from core.vault import Vault


class OwnApp(msgspec.Struct, frozen=True, kw_only=True):
    """An organization's own app at a platform, without its secret."""

    id: UUID
    platform: str
    client_id: str
    created_at: datetime
    updated_at: datetime


class Apps:
    """The apps of one database, and the server's own of its settings."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], vault: Vault, settings: Settings) -> None:
        self._pool = pool
        self._vault = vault
        self._settings = settings
        self._sql = queries("core.accounts", "apps.sql")

    async def of(self, organization_id: UUID, adapter: AnyAdapter) -> App | None:
        """The app by which an organization connects accounts: its own, else the server's; None where there is none."""
        rows = await self._rows("own", {"organization_id": organization_id, "platform": adapter.platform})
        return self._app(rows[0]) if rows else self._settings.app_of(adapter)

    async def named(self, adapter: AnyAdapter, name: str) -> App | None:
        """The app of this name, as a grant has it; None where it is gone."""
        if name == DEFAULT_APP:
            return self._settings.app_of(adapter) if isinstance(adapter.connect, OAuth) else None
        id = parse_id(name)
        rows = await self._rows("named", {"id": id, "platform": adapter.platform}) if id else []
        return self._app(rows[0]) if rows else None

    async def put(self, organization_id: UUID, platform: str, client_id: str, client_secret: str) -> OwnApp:
        """Set an organization's app at a platform; the same id again changes the secret.

        Accounts that were connected by another one before keep it.
        """
        values = {"organization_id": organization_id, "platform": platform, "client_id": client_id}
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["retire"], values)
            await cursor.execute(self._sql["hold"], values | {"id": new_id()})
            held = await cursor.fetchone()
            assert held is not None
            secret = self._vault.seal(client_secret, table="apps", row=str(held["id"]), column="client_secret")
            await cursor.execute(self._sql["fill"], {"id": held["id"], "client_secret": secret})
            return msgspec.convert(await cursor.fetchone(), OwnApp)

    async def remove(self, organization_id: UUID, platform: str) -> None:
        """Connect accounts by the server's app again; those connected before keep the old one. Raises `NotFound`."""
        values = {"organization_id": organization_id, "platform": platform, "client_id": None}
        if not await self._rows("retire", values):
            raise NotFound("The organization has no app of its own there.")

    async def _rows(self, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchall()

    def _app(self, row: dict[str, Any]) -> App:
        place = {"table": "apps", "row": str(row["id"]), "column": "client_secret"}
        secret = self._vault.open(row["client_secret"], **place)
        return App(name=str(row["id"]), client_id=row["client_id"], client_secret=secret)

    async def list(self, organization_id: UUID) -> tuple[OwnApp, ...]:
        """An organization's own apps."""
        rows = await self._rows("list", {"organization_id": organization_id})
        return tuple(msgspec.convert(row, OwnApp) for row in rows)
