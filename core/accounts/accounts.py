"""Social accounts: connected and disconnected, and opened for whoever works with them."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.events import tell
from core.accounts.grants import Grants, GrantState, refresh_in, wake
from core.accounts.leaving import leave
from core.accounts.standing import Standings
from core.adapter import Profile
from core.connect import Tokens
from core.database.lookup import GroupLookup
from core.database.pool import single
from core.database.queries import queries
from core.errors import NotFound
from core.ids import new_id
from core.ledger.moves import Failure, Outcome, Subject, move
from core.ledger.states import State
from core.oauth.app import DEFAULT_APP
from core.post import Account, Channel
from core.vault import Vault

GONE = Failure(
    code="account_disconnected",
    message="The account was disconnected before the post went out.",
    hint="Connect the account again, and reconnect its posts.",
)
"""What becomes of the posts that wait for an account that is disconnected."""

_BATCH = 500


class AccountGone(NotFound):
    """The account was disconnected, or never was."""

    code = "account_disconnected"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """An account and the token to use it with.

    `version` counts the tokens of its grant; `refused` says that the platform did not take these, `refreshable` that
    newer ones can be had, and `expires_in` in how many seconds they end, where that is known.
    """

    account: Account
    token: str
    grant_id: UUID
    app: str
    quotas: list[Any]
    version: int
    state: GrantState
    refused: bool
    refreshable: bool
    expires_in: float | None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Credentials({self.account.id})"


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """An account that has just been connected; `already` where the team had it in order: only its tokens are new."""

    id: UUID
    already: bool


class Accounts:
    """The connected accounts of one database; `grants` are what their tokens hang on, `standings` how teams stand."""

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], vault: Vault, random: Random | None = None
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._random = random or Random()  # noqa: S311 - jitter, not secrets
        self._sql = queries("core.accounts")
        self.grants = Grants(pool, vault, self._random)
        self.standings = Standings(pool)
        self._held = GroupLookup(self._read_held)

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
        hosts: Mapping[str, str] | None = None,
    ) -> UUID:
        """Connect an account by a token that is at hand. Raises `NotFound` for a stranger's team."""
        tokens = Tokens(access_token=access_token)
        return (await self.join(organization_id, team_id, platform, profile, channels, tokens, app, hosts)).id

    async def join(
        self,
        organization_id: UUID,
        team_id: UUID,
        platform: str,
        profile: Profile,
        channels: Sequence[Channel],
        tokens: Tokens,
        app: str,
        hosts: Mapping[str, str] | None = None,
    ) -> Joined:
        """Connect an account to a team, or bring it up to date; what waited for its tokens goes on.

        `hosts` are the base URLs of its own server, where it has one. Raises `NotFound` for a stranger's team.
        """
        held = {
            "id": new_id(),
            "platform": platform,
            "app": app,
            "external_user": profile.external_user,
            "quotas": Jsonb(msgspec.to_builtins(profile.quotas)),
            "hosts": Jsonb(dict(hosts or {})),
        }
        whose = {"organization_id": organization_id, "team_id": team_id, "platform": platform}
        async with self._pool.connection() as connection:
            grant = await _one(connection, self._sql["hold_grant"], held)
            await connection.execute(self._sql["fill_grant"], self._filled(grant["id"], tokens))
            values = {**whose, "id": new_id(), "grant_id": grant["id"], **_described(profile, channels)}
            row = await _one(connection, self._sql["connect"], values)
            # Other teams that share the grant have their account back as well, where it had been lost.
            everyone = not grant["is_new"] and grant["state"] != "live"
            if everyone:
                await tell(connection, "account.connected", grant_id=grant["id"])
            else:
                await tell(connection, "account.connected", ids=[row["id"]])
            await wake(connection, grant["id"], platform)
        return Joined(id=row["id"], already=row["was_connected"] and not everyone)

    def _filled(self, grant_id: UUID, tokens: Tokens) -> dict[str, Any]:
        return {"id": grant_id, "refresh_in": refresh_in(tokens, self._random)} | sealed(self._vault, grant_id, tokens)

    async def disconnect(self, organization_id: UUID, team_id: UUID, platform: str, *, app: str = DEFAULT_APP) -> None:
        """Disconnect a team's accounts of an app on a platform; what was published stays known."""
        values = {"organization_id": organization_id, "team_id": team_id, "platform": platform, "app": app}
        async with single(self._pool) as connection:
            ids = [row[0] async for row in await connection.execute(self._sql["of_app"], values)]
        for id in ids:
            await self.remove(organization_id, id)

    async def remove(self, organization_id: UUID, account_id: UUID) -> None:
        """Disconnect one account. Its tokens are forgotten where nobody else uses them, and what waits for it fails.

        Raises `AccountGone` where it is not connected.
        """
        values = {"organization_id": organization_id, "id": account_id}
        async with self._pool.connection() as connection:
            if not await leave(connection, organization_id, account_id):
                raise AccountGone("There is no such account.")
        # Should this be broken off, the rest fails when it falls due.
        while await self._end(values | {"limit": _BATCH}):
            pass

    async def _end(self, values: dict[str, Any]) -> bool:
        """Let the next of an account's waiting deliveries fail; whether any did."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["waiting"], values)
            subjects = [msgspec.convert(row, Subject) async for row in cursor]
            outcome = Outcome(state=State.FAILED, failed=True, error=GONE)
            return any(await move(connection, [(subject, outcome) for subject in subjects])) if subjects else False

    async def of_team(self, organization_id: UUID, team_id: UUID) -> tuple[Account, ...]:
        """The connected accounts of a team."""
        return (await self.standings.of(organization_id, team_id)).accounts

    async def count(self, organization_id: UUID, team_id: UUID) -> int:
        """How many accounts a team has."""
        return len(await self.of_team(organization_id, team_id))

    async def credentials(self, organization_id: UUID, account_id: UUID) -> Credentials:
        """An account with its token. Raises `AccountGone` where it is not connected (any more)."""
        held = await self._held.get((organization_id, account_id))
        if held is None:
            raise AccountGone("There is no such account.")
        return held.credentials

    async def _read_held(self, accounts: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], "_Held"]:
        """What is kept of accounts, each named with its organization."""
        values = {"organizations": [account[0] for account in accounts], "ids": [account[1] for account in accounts]}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["credentials"], values)
            rows = await cursor.fetchall()
        return {(row.pop("organization_id"), UUID(row["id"])): _Held(row, self._vault) for row in rows}


class _Held:
    """An account as it was read for all who asked at that moment; its token is unsealed once, if anybody wants it."""

    def __init__(self, row: dict[str, Any], vault: Vault) -> None:
        self._row = row
        self._vault = vault

    @cached_property
    def credentials(self) -> Credentials:
        """The account with its token."""
        row = dict(self._row)
        place = {"table": "grants", "row": str(row["grant_id"]), "column": "access_token"}
        token = self._vault.open(row.pop("access_token"), **place)
        of_grant = {name: row.pop(name) for name in Credentials.__struct_fields__[2:]}
        return Credentials(account=msgspec.convert(row, Account), token=token, **of_grant)


def _described(profile: Profile, channels: Sequence[Channel]) -> dict[str, Any]:
    """What a platform tells of an account, as it is kept."""
    return {
        "username": profile.username,
        "display_name": profile.display_name,
        "avatar_url": profile.avatar_url,
        "channels": Jsonb(msgspec.to_builtins(list(channels))),
        "facts": Jsonb(profile.facts),
    }


def sealed(vault: Vault, grant_id: UUID, tokens: Tokens) -> dict[str, Any]:
    """Tokens as a grant keeps them."""
    place = {"table": "grants", "row": str(grant_id)}
    refresh = tokens.refresh_token
    return {
        "access_token": vault.seal(tokens.access_token, **place, column="access_token"),
        "refresh_token": vault.seal(refresh, **place, column="refresh_token") if refresh else None,
        "expires_in": tokens.expires_in,
        "refresh_expires_in": tokens.refresh_expires_in,
        "scopes": list(tokens.scopes) if tokens.scopes is not None else None,
    }


async def _one(connection: AsyncConnection[Any], query: Any, values: dict[str, Any]) -> dict[str, Any]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        row = await cursor.fetchone()
    if row is None:
        raise AccountGone("There is no such account or team.")
    return row
