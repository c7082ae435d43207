"""Apps at servers: on a platform of many servers each one gets an app of ours, registered when it is first needed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.introduction import stranger_session
from core.connect import ServerOAuth
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.governor.allowance import Passage
from core.governor.passages import counted
from core.http import open_client
from core.ids import new_id, parse_id
from core.oauth.app import App
from core.oauth.tokens import TokenEndpoint
from core.settings import Settings
from core.vault import Vault

APP_NAME = "Fingerpost"
"""How we are called on the page on which somebody gives consent."""


class ServerApps:
    """The apps of one database at servers. `transport` belongs to the caller."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        vault: Vault,
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._settings = settings
        self._transport = transport
        self._client = open_client(transport, timeout=settings.request_seconds)
        self._sql = queries("core.accounts", "server_apps.sql")

    def callback(self, platform: str, app: App) -> str:
        """Where a server leads browsers back to: each has its own, and none can answer for another (RFC 9700 §4.4)."""
        return self._callback(platform, app.name)

    async def of(
        self,
        organization_id: UUID,
        adapter: AnyAdapter,
        way: ServerOAuth,
        own: Mapping[str, str],
        passage: Passage | None,
    ) -> App:
        """An organization's app at a server, whose base URLs are `own`: the one that it knows, else one made now.

        Servers forget apps that nobody uses, so it is asked whether it knows ours. Raises a `PublishError` where it
        says no, or does not answer.
        """
        whose = {"organization_id": organization_id, "platform": adapter.platform, "home": self._settings.public}
        row = await self._row("known", whose | {"server": own["api"]})
        if row is not None:
            app = self._app(row)
            endpoint = self.endpoint(adapter, way, app)
            async with counted(passage, "POST", endpoint.path):
                if await endpoint.knows_us():
                    return app
            await self._row("forget", {"id": row["id"]})
        id, hosts = new_id(), self._settings.hosts_of(adapter, own)
        session = stranger_session(adapter, "", hosts=hosts, transport=self._transport, passage=passage)
        made = await adapter.register(APP_NAME, self._callback(adapter.platform, str(id)), session)
        secret = self._vault.seal(made.client_secret, table="server_apps", row=str(id), column="client_secret")
        kept = {"id": id, "hosts": Jsonb(dict(own)), "client_id": made.client_id, "client_secret": secret}
        await self._row("keep", whose | kept)
        return App(name=str(id), client_id=made.client_id, client_secret=made.client_secret, hosts=dict(own))

    async def named(self, adapter: AnyAdapter, name: str) -> App | None:
        """The app of this name; None where it is gone."""
        id = parse_id(name)
        row = await self._row("named", {"id": id, "platform": adapter.platform}) if id else None
        return self._app(row) if row else None

    def endpoint(self, adapter: AnyAdapter, way: ServerOAuth, app: App) -> TokenEndpoint:
        """The token endpoint of an app's server."""
        hosts = self._settings.hosts_of(adapter, app.hosts)
        return TokenEndpoint(way.oauth, app, hosts, self._client, adapter.classify_token)

    def _callback(self, platform: str, name: str) -> str:
        return f"{self._settings.public}/connect/callback/{platform.lower()}/{name}"

    def _app(self, row: dict[str, Any]) -> App:
        place = {"table": "server_apps", "row": str(row["id"]), "column": "client_secret"}
        secret = self._vault.open(row["client_secret"], **place)
        return App(name=str(row["id"]), client_id=row["client_id"], client_secret=secret, hosts=row["hosts"])

    async def _row(self, query: str, values: dict[str, Any]) -> dict[str, Any] | None:
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchone() if cursor.description else None
