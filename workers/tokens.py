"""Tokens: renewed before they end, by one refresher at a time, and never lost on the way."""

import asyncio
from collections.abc import Mapping

import httpx
import psycopg
import structlog
from psycopg_pool import PoolTimeout

from core.accounts.apps import Apps
from core.accounts.grants import LEASE_SECONDS, Grants, Held
from core.accounts.introduction import stranger_session
from core.connect import OAuth, Tokens
from core.database.notices import Notices
from core.drafting import AnyAdapter
from core.errors import FingerpostError, OutcomeUnknown, Rejected
from core.governor.allowance import Passage
from core.governor.passages import Passages, counted
from core.http import open_client
from core.oauth.tokens import TokenEndpoint
from core.settings import Settings
from workers.drain import Drain

IN_FLIGHT = 32
"""How many grants a refresher has in hand at a time."""

TRY_SECONDS = LEASE_SECONDS * 0.75
"""How long a platform may take; what is left of the lease is for writing its answer down."""

WRITING_TRIES = 60
"""How often, each second, it is tried to write new tokens down: the platform may not give them again."""


class Refresher:
    """Renews the tokens that are due. `transport` belongs to the caller."""

    def __init__(
        self,
        *,
        grants: Grants,
        apps: Apps,
        registry: Mapping[str, AnyAdapter],
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
        notices: Notices,
        passages: Passages | None = None,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._grants = grants
        self._apps = apps
        self._registry = registry
        self._settings = settings
        self._transport = transport
        self._client = open_client(transport, timeout=settings.request_seconds)
        self._notices = notices
        self._passages = passages
        self._drain = Drain(grants.take, self._carry_out, in_flight=in_flight)
        self._log = structlog.get_logger(__name__)

    async def drain(self) -> None:
        """Renew until nothing is due. Where that is under way already, it is told to look again."""
        await self._drain.run()

    def stop(self) -> None:
        """Take nothing more; what is under way is finished by `drain`."""
        self._drain.stop()

    async def _carry_out(self, held: Held) -> None:
        told = {"grant": str(held.id), "platform": held.platform, "version": held.version}
        try:
            async with asyncio.timeout(TRY_SECONDS):
                tokens = await self._renewed(held)
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            classified = _classified(error)
            state = await self._grants.failed(held, classified)
            self._log.warning("refresh_failed", **told, code=classified.code, state=state)
        else:
            newest = await self._written(held, tokens)
            self._log.info("tokens_renewed" if newest else "tokens_came_late", **told)
        self._notices.tell("deliveries")
        self._notices.tell("webhooks")

    async def _renewed(self, held: Held) -> Tokens:
        adapter = self._registry.get(held.platform)
        if adapter is None:
            raise Rejected(f"No adapter for {held.platform} is installed any more.", code="platform_missing")
        hosts, refresh_token = self._settings.hosts_of(adapter, held.hosts), self._grants.refresh_token(held)
        passage = self._passage(adapter, held)
        if not isinstance(adapter.connect, OAuth):
            session = stranger_session(adapter, "", hosts=hosts, transport=self._transport, passage=passage)
            return await adapter.renew(refresh_token, session)
        app = await self._apps.named(adapter, held.app)
        if app is None:
            raise Rejected("The app by which the account was connected is not set any more.", code="app_missing")
        endpoint = TokenEndpoint(adapter.connect, app, hosts, self._client, adapter.classify_token)
        async with counted(passage, "POST", endpoint.path):
            return await endpoint.refresh(refresh_token)

    def _passage(self, adapter: AnyAdapter, held: Held) -> Passage | None:
        if self._passages is None:
            return None
        return self._passages.visit(adapter, app=held.app, grant_id=held.id, own=held.quotas)

    async def _written(self, held: Held, tokens: Tokens) -> bool:
        """Put the new tokens down, and do not let go of them while the database is away."""
        for _ in range(WRITING_TRIES - 1):
            try:
                return await self._grants.renew(held, tokens)
            except (psycopg.OperationalError, PoolTimeout) as error:
                self._log.warning("database_away", grant=str(held.id), error=type(error).__name__)
                await asyncio.sleep(1.0)
        return await self._grants.renew(held, tokens)


def _classified(error: Exception) -> FingerpostError:
    """An error nobody classified leaves open whether the refresh token was used up."""
    if isinstance(error, FingerpostError):
        return error
    if isinstance(error, TimeoutError):
        return OutcomeUnknown("The platform took too long to renew the token.")
    return OutcomeUnknown(f"The refresh was broken off ({type(error).__name__}).")
