"""Grants: the tokens of a platform's user for an app, renewed in time and by one at a time."""

from collections.abc import Sequence
from random import Random
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.events import AccountEvent, tell
from core.answers import redacted
from core.connect import Tokens
from core.database.pool import single
from core.database.queries import queries
from core.errors import NotAuthorized, PublishError, RateLimited, Rejected, Unavailable
from core.ledger.moves import Failure
from core.retry import TOKENS, Policy
from core.vault import Vault

Pool = AsyncConnectionPool[AsyncConnection[Any]]
GrantState = Literal["live", "at_risk", "needs_reauth", "released"]
"""`at_risk`: it works, and will end unless somebody does something. `needs_reauth`: it works no more."""

Broken = Literal["at_risk", "needs_reauth"]
_EVENTS: dict[Broken, AccountEvent] = {"at_risk": "account.at_risk", "needs_reauth": "account.needs_reauth"}

LEASE_SECONDS = 60.0
"""How long a refresh may take until another may try; longer than any request."""

PROVEN_SECONDS = 600.0
"""Tokens that answer a refusal and are refused within this time as well are not renewed again."""

EARLY = (0.35, 0.48)
"""The part of its life after which a token is renewed, drawn between these: before half of it is gone."""

REFRESHING = Failure(
    code="token_refreshing",
    message="The platform's token for the account is being renewed.",
    hint="It goes out by itself as soon as that is done.",
)
NEEDS_REAUTH = Failure(
    code="account_needs_reauth",
    message="The platform no longer accepts the account's authorisation.",
    hint="Connect the account again; the post goes out by itself then.",
)
LOST = Failure(
    code="refresh_lost",
    message="The platform's answer to a refresh was lost, and it does not take the old refresh token any more.",
    hint="Connect the account again before its token ends.",
)
ENDING = Failure(
    code="token_ending",
    message="The account's token ends soon, and could not be renewed.",
    hint="Connect the account again before its token ends.",
)
WAITS = (REFRESHING.code, NEEDS_REAUTH.code)
"""The codes of deliveries that wait for tokens."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A grant in a refresher's hands. `unclear` tells of an earlier refresh whose answer nobody knows."""

    id: UUID
    platform: str
    app: str
    quotas: list[Any]
    hosts: dict[str, str]
    external_user: str
    refresh_token: bytes
    version: int
    fence: int
    failures: int
    unclear: bool
    refused: bool
    expires_in: float | None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Held({self.id}, version={self.version})"


class Grants:
    """The grants of one database. Any number of processes may work on them at the same time."""

    def __init__(
        self, pool: Pool, vault: Vault, random: Random, *, policy: Policy = TOKENS, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._random = random
        self._policy = policy
        self._lease = lease_seconds
        self._sql = queries("core.accounts", "grants.sql")

    async def refused(self, grant_id: UUID, version: int, error: PublishError, token: str = "") -> Failure | None:
        """The platform did not take the tokens of a version: what is waited for now. `token` is kept out of its words.

        None where that is already decided, by newer ones or because the account is gone; else `REFRESHING`, or
        `NEEDS_REAUTH` where a refresh cannot help.
        """
        async with self._pool.connection() as connection:
            row = await self._row(connection, "refused", {"id": grant_id, "window": PROVEN_SECONDS})
            if row is None or row["state"] == "released":
                return None
            if row["state"] == "needs_reauth":
                return NEEDS_REAUTH
            if row["version"] != version:
                return None
            if row["fresh"] or not row["refreshable"]:
                await self._mark(connection, grant_id, version, "needs_reauth", _reason(error, token))
                return NEEDS_REAUTH
            await connection.execute(self._sql["prompt"], {"id": grant_id, "version": version, "refused": True})
        return REFRESHING

    async def hasten(self, grant_id: UUID, version: int) -> None:
        """Let tokens that end at any moment be renewed at once."""
        async with single(self._pool) as connection:
            await connection.execute(self._sql["prompt"], {"id": grant_id, "version": version, "refused": False})

    async def take(self, limit: int) -> list[Held]:
        """Take up to `limit` grants whose refresh is due; nobody else has them while the lease lasts."""
        values = {"limit": limit, "lease": self._lease}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["take"], values)
            return [msgspec.convert(row, Held) async for row in cursor]

    def refresh_token(self, held: Held) -> str:
        """The refresh token, opened. Raises `BrokenSeal` or `Misconfigured`."""
        return self._vault.open(held.refresh_token, table="grants", row=str(held.id), column="refresh_token")

    async def renew(self, held: Held, tokens: Tokens) -> bool:
        """Put newer tokens in the place of those that were held; False where somebody was faster.

        Decided by the version: also whoever was slow is heard, as long as nobody else has brought newer ones.
        """
        place = {"table": "grants", "row": str(held.id)}
        refresh = tokens.refresh_token
        values = {
            "id": held.id,
            "version": held.version,
            "access_token": self._vault.seal(tokens.access_token, **place, column="access_token"),
            "refresh_token": self._vault.seal(refresh, **place, column="refresh_token") if refresh else None,
            "expires_in": tokens.expires_in,
            "refresh_expires_in": tokens.refresh_expires_in,
            "scopes": list(tokens.scopes) if tokens.scopes is not None else None,
            "refresh_in": refresh_in(tokens, self._random),
        }
        async with self._pool.connection() as connection:
            row = await self._row(connection, "renew", values)
            if row is None:
                return False
            if row["state"] != "live":
                await tell(connection, "account.connected", grant_id=held.id)
            await wake(connection, held.id, held.platform)
        return True

    async def failed(self, held: Held, error: Exception) -> GrantState:
        """A refresh brought no tokens: tried again, unless the platform said that the grant is gone.

        After a refresh whose answer was lost, that may be our own loss: the account is used to the end of its token.
        """
        async with self._pool.connection() as connection:
            if not isinstance(error, NotAuthorized):
                await connection.execute(self._sql["postpone"], self._postponed(held, error))
                return "live"
            usable = not held.refused and (held.expires_in is None or held.expires_in > 0)
            state: Broken = "at_risk" if held.unclear and usable else "needs_reauth"
            reason = LOST if state == "at_risk" else _reason(error)
            await self._mark(connection, held.id, held.version, state, reason, fence=held.fence)
            await wake(connection, held.id, held.platform)
        return state

    async def sweep(self, limit: int = 200) -> int:
        """Tell of tokens that will end, or have ended, without newer ones; answers of how many."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(self._sql["endangered"], {"limit": limit})
            rows = await cursor.fetchall()
            for id, version, state in rows:
                reason = ENDING if state == "at_risk" else NEEDS_REAUTH
                await self._mark(connection, id, version, state, reason, give_up=state == "needs_reauth")
        return len(rows)

    async def next_due(self) -> float | None:
        """Seconds until the next refresh is due; zero or less when one is."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["next_due"])).fetchone()
            return row[0] if row else None

    async def stir(self, organization_id: UUID, delivery_id: UUID) -> bool:
        """Let a delivery that was just put by go on, where its tokens have come meanwhile; whether they had."""
        values = {"organization_id": organization_id, "id": delivery_id, "codes": list(WAITS)}
        async with single(self._pool) as connection:
            return await (await connection.execute(self._sql["stir"], values)).fetchone() is not None

    def _postponed(self, held: Held, error: Exception) -> dict[str, Any]:
        asked = error.after.total_seconds() if isinstance(error, RateLimited) else 0.0
        wait = self._policy.after(held.failures + 1, self._random, at_least=asked)
        untouched = isinstance(error, Unavailable | RateLimited | Rejected)
        return {
            "id": held.id,
            "version": held.version,
            "fence": held.fence,
            "wait": wait if wait is not None else self._policy.cap,
            "unclear": held.unclear if untouched else True,
        }

    async def _mark(
        self,
        connection: AsyncConnection[Any],
        grant_id: UUID,
        version: int,
        state: Broken,
        reason: Failure,
        *,
        fence: int | None = None,
        give_up: bool = True,
    ) -> None:
        values = {"id": grant_id, "version": version, "state": state, "fence": fence, "give_up": give_up}
        row = await self._row(connection, "mark", values | {"reason": Jsonb(msgspec.to_builtins(reason))})
        if row is not None:
            await tell(connection, _EVENTS[state], grant_id=grant_id)

    async def _row(self, connection: AsyncConnection[Any], query: str, values: dict[str, Any]) -> dict[str, Any] | None:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            return await cursor.fetchone()


async def wake(connection: AsyncConnection[Any], grant_id: UUID, platform: str, codes: Sequence[str] = WAITS) -> None:
    """Let everything that waits for the tokens of a grant go on, inside the caller's transaction."""
    sql, values = queries("core.accounts", "grants.sql"), {"grant_id": grant_id, "codes": list(codes)}
    await connection.execute(sql["wake_waiting"], values)
    await connection.execute(sql["wake_looking"], values | {"platform": platform})


def refresh_in(tokens: Tokens, random: Random) -> float | None:
    """Seconds until tokens are renewed, by the shorter of their lives; None where the platform told neither."""
    lives = [life for life in (tokens.expires_in, tokens.refresh_expires_in) if life is not None]
    return min(lives) * random.uniform(*EARLY) if lives else None


def _reason(error: PublishError, token: str = "") -> Failure:
    """The platform's own words, under our code."""
    return Failure(
        code=NEEDS_REAUTH.code,
        message=redacted(error.message, [token]),
        hint=error.hint or NEEDS_REAUTH.hint,
        platform_code=error.platform_code,
        http_status=error.http_status,
    )
