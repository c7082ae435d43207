"""Visits: calls to accounts beside publishing, with tokens that are renewed where they are not taken."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import UUID

import httpx
import msgspec

from core.accounts.accounts import Accounts, Credentials
from core.accounts.grants import NEEDS_REAUTH, REFRESHING
from core.accounts.introduction import visiting_session
from core.clock import Deadline
from core.database.notices import Notices
from core.drafting import AnyAdapter
from core.errors import NotAuthorized, PublishError, RateLimited, Rejected, Unavailable
from core.governor.allowance import Passage
from core.governor.passages import Passages
from core.session import Journal, Session, Unarmed
from core.settings import Settings

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""How long is waited for tokens that are being renewed."""

PAUSE_SECONDS = 0.1


class Visits:
    """Calls on accounts by their adapters. `transport` belongs to the caller."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        adapters: Mapping[str, AnyAdapter],
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
        notices: Notices,
        passages: Passages | None = None,
    ) -> None:
        self._accounts = accounts
        self._adapters = adapters
        self._settings = settings
        self._transport = transport
        self._notices = notices
        self._passages = passages

    async def visit(
        self,
        organization_id: UUID,
        account_id: UUID,
        call: Callable[[AnyAdapter, Session], Awaitable[T]],
        journal: Journal | None = None,
    ) -> T:
        """The answer of `call`, which can only read unless there is a `journal` that lets it write.

        Raises a `PublishError` where the platform says no, `AccountGone`.
        """
        credentials = await self._accounts.credentials(organization_id, account_id)
        try:
            return await self._called(credentials, call, journal)
        except NotAuthorized as error:
            reason = await self._accounts.grants.refused(
                credentials.grant_id, credentials.version, error, credentials.token
            )
            if reason is NEEDS_REAUTH:
                self._notices.tell("webhooks")
                raise
            if reason is REFRESHING:
                self._notices.tell("tokens")
        newer = await self._newer(organization_id, account_id, credentials.version)
        return await self._called(newer, call, journal)

    async def _called(
        self, credentials: Credentials, call: Callable[[AnyAdapter, Session], Awaitable[T]], journal: Journal | None
    ) -> T:
        adapter = self._adapters.get(credentials.account.platform)
        if adapter is None:
            raise Rejected("The platform's adapter is not installed any more.", code="platform_missing")
        hosts = self._settings.hosts_of(adapter, credentials.account.hosts)
        session = visiting_session(
            adapter,
            credentials.account,
            credentials.token,
            hosts=hosts,
            transport=self._transport,
            passage=self._passage(adapter, credentials),
            journal=journal or Unarmed(),
        )
        try:
            return await call(adapter, session)
        except PublishError as error:
            _tell(error, session)
            raise
        except httpx.HTTPError:
            raise
        except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"The platform's answer could not be read ({type(error).__name__}).") from error

    def _passage(self, adapter: AnyAdapter, credentials: Credentials) -> Passage | None:
        if self._passages is None:
            return None
        return self._passages.visit(adapter, app=credentials.app, grant_id=credentials.grant_id, own=credentials.quotas)

    async def _newer(self, organization_id: UUID, account_id: UUID, version: int) -> Credentials:
        """Tokens newer than `version`, waited for. Raises `NotAuthorized` where none come."""
        deadline = Deadline.after(PATIENCE_SECONDS)
        while True:
            credentials = await self._accounts.credentials(organization_id, account_id)
            if credentials.version != version:
                return credentials
            if credentials.state == "needs_reauth":
                raise NotAuthorized(NEEDS_REAUTH.message, hint=NEEDS_REAUTH.hint)
            if deadline.remaining <= 0:
                raise Unavailable(REFRESHING.message, code=REFRESHING.code, hint="Try again in a moment.")
            await asyncio.sleep(PAUSE_SECONDS)


def _tell(error: PublishError, session: Session) -> None:
    """Put an error into words for a client that waits: without the token, and nothing goes out later by itself."""
    error.message, error.hint = session.redacted(error.message), session.redacted(error.hint)
    if isinstance(error, RateLimited):
        error.hint = "Come back after the seconds in `retry-after`."
    elif isinstance(error, Unavailable):
        error.hint = "Try again in a moment."
