"""Upkeep: the connected accounts of a team as clients see them, look after them and share them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.accounts.events import tell
from core.accounts.grants import GrantState
from core.accounts.introduction import profile_of
from core.accounts.visits import Visits
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import Conflict, NotFound, PublishError
from core.ledger.moves import Failure
from core.post import Channel
from core.session import Session
from core.tenants.callers import WHOLE, Reach

T = TypeVar("T")

ASKS = 10
"""So often within `WINDOW_SECONDS` a client may have an account looked at on its platform."""

WINDOW_SECONDS = 60


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A connected account; `state` and `reason` are those of its grant, `expires_at` is when its token ends."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    grant_id: UUID
    platform: str
    username: str
    display_name: str
    avatar_url: str | None
    external_user: str
    channels: list[Channel]
    channel_id: str | None
    channels_at: datetime | None
    state: GrantState
    reason: Failure | None
    expires_at: datetime | None
    scopes: list[str]
    created_at: datetime
    updated_at: datetime


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of looking at an account on its platform: how often that was asked for, and what stood in the way."""

    account: Listed
    used: int
    error: Failure | None


class Upkeep:
    """The connected accounts of one database. What belongs to another organization does not exist."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        accounts: Accounts,
        adapters: Mapping[str, AnyAdapter],
        visits: Visits,
    ) -> None:
        self._pool = pool
        self._accounts = accounts
        self._adapters = adapters
        self._visits = visits
        self._sql = queries("core.accounts")

    async def of_team(
        self, organization_id: UUID, team_id: UUID, platform: str | None = None, within: Reach = WHOLE
    ) -> list[Listed]:
        """The accounts of a team within reach, or those on a platform; the oldest of each platform first."""
        return await self._listed(organization_id, within, team_id=team_id, platform=platform)

    async def one(self, organization_id: UUID, id: UUID) -> Listed:
        """One account. Raises `NotFound`."""
        return _found(await self._listed(organization_id, id=id))

    async def first(self, organization_id: UUID, team_id: UUID, platform: str, within: Reach = WHOLE) -> Listed:
        """The team's account on a platform; the oldest where there are several. Raises `NotFound`."""
        return _found(await self._listed(organization_id, within, team_id=team_id, platform=platform))

    async def only(
        self, organization_id: UUID, team_id: UUID, platform: str, account_id: UUID | None = None, within: Reach = WHOLE
    ) -> Listed:
        """The account that is meant: the one named, else the only one. Raises `NotFound`, `Conflict` for several."""
        held = await self._listed(organization_id, within, team_id=team_id, platform=platform, id=account_id)
        if len(held) > 1:
            ids = ", ".join(str(account.id) for account in held)
            raise Conflict(f"The team has several accounts there; name one in socialAccountId: {ids}.")
        return _found(held)

    async def check(self, account: Listed) -> Looked:
        """Whether the platform still lets us in."""
        return (await self._look(account, lambda adapter, session: adapter.profile(session)))[0]

    async def refresh_profile(self, account: Listed) -> Looked:
        """Take over what the platform tells of the account now."""
        looked, profile = await self._look(account, profile_of)
        if profile is None:
            return looked
        values = {
            "username": profile.username,
            "display_name": profile.display_name,
            "avatar_url": profile.avatar_url,
            "facts": Jsonb(profile.facts),
        }
        return await self._anew(looked, "describe", values)

    async def refresh_channels(self, account: Listed) -> Looked:
        """Take over the channels that the account has now."""
        looked, channels = await self._look(account, lambda adapter, session: adapter.channels(session))
        if channels is None:
            return looked
        return await self._anew(looked, "set_channels", {"channels": Jsonb(msgspec.to_builtins(list(channels)))})

    async def choose_channel(self, account: Listed, channel_id: str | None) -> Listed:
        """Choose where an account publishes to, or nothing. Raises `Conflict` where posts name it, `NotFound`."""
        adapter = self._adapters.get(account.platform)
        if adapter is None or not adapter.one_channel:
            raise Conflict("On this platform each post names its channel, so none is chosen for the account.")
        if channel_id is not None and channel_id not in {channel.id for channel in account.channels}:
            raise NotFound("The account has no such channel; refresh its channels if it is new.")
        await self._change("set_channel", account, {"channel_id": channel_id})
        return await self.one(account.organization_id, account.id)

    async def copy(
        self,
        organization_id: UUID,
        from_team: UUID,
        to_team: UUID,
        platforms: Sequence[str],
        *,
        reset_channel: bool = False,
    ) -> list[Listed]:
        """Share a team's accounts with another team of the organization: both use the same grant."""
        values = {
            "organization_id": organization_id,
            "from_team": from_team,
            "to_team": to_team,
            "platforms": list(platforms),
            "reset_channel": reset_channel,
        }
        async with self._pool.connection() as connection:
            ids = [row[0] async for row in await connection.execute(self._sql["copy"], values)]
            await tell(connection, "account.connected", ids=ids)
        held = await self._listed(organization_id, team_id=to_team)
        return [account for account in held if account.id in ids]

    async def _look(
        self, account: Listed, call: Callable[[AnyAdapter, Session], Awaitable[T]]
    ) -> tuple[Looked, T | None]:
        used = await self._asked(account)
        if used > ASKS:
            words = f"This was asked {ASKS} times within {WINDOW_SECONDS} seconds; wait a moment."
            return Looked(account=account, used=ASKS, error=Failure(code="rate_limited", message=words)), None
        try:
            answer = await self._visits.visit(account.organization_id, account.id, call)
        except (PublishError, httpx.HTTPError) as error:
            failure = _failure(error)
            newest = await self.one(account.organization_id, account.id)
            return Looked(account=newest, used=used, error=failure), None
        return Looked(account=await self.one(account.organization_id, account.id), used=used, error=None), answer

    async def _anew(self, looked: Looked, query: str, values: dict[str, Any]) -> Looked:
        await self._change(query, looked.account, values)
        account = await self.one(looked.account.organization_id, looked.account.id)
        return msgspec.structs.replace(looked, account=account)

    async def _asked(self, account: Listed) -> int:
        values = {"organization_id": account.organization_id, "id": account.id, "window": WINDOW_SECONDS}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["ask"], values)).fetchone()
        return row[0] if row else 0

    async def _change(self, query: str, account: Listed, values: dict[str, Any]) -> None:
        named = {"organization_id": account.organization_id, "id": account.id}
        async with single(self._pool) as connection:
            await connection.execute(self._sql[query], named | values)

    async def _listed(
        self,
        organization_id: UUID,
        within: Reach = WHOLE,
        *,
        team_id: UUID | None = None,
        platform: str | None = None,
        id: UUID | None = None,
    ) -> list[Listed]:
        values = {"organization_id": organization_id, "team_id": team_id, "platform": platform, "id": id}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["listed"], values)
            return [msgspec.convert(row, Listed) async for row in cursor if within.has_account(row["id"])]


def _found(held: Sequence[Listed]) -> Listed:
    if not held:
        raise NotFound("There is no such connected account.")
    return held[0]


def _failure(error: PublishError | httpx.HTTPError) -> Failure:
    if isinstance(error, PublishError):
        return Failure(code=error.code, message=error.message, hint=error.hint, http_status=error.http_status)
    return Failure(code="platform_unavailable", message="The platform does not answer at present.")
