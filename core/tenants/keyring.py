"""The keyring: recognises API keys, and remembers for a moment whose they are."""

import asyncio
import hmac
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.clock import elapsed
from core.database.pool import single
from core.database.queries import queries
from core.tenants.callers import Caller, Operator, Reach
from core.tenants.keys import digest
from core.tenants.uses import Uses

LIFE_SECONDS = 2.0
"""For how long an answer counts: a key that another process revoked is refused everywhere after this at the latest."""

_RENEWAL = 0.5
_MOST = 10_000
_LONGEST = 200
_NOBODY = bytes(32)


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    who: Caller | Operator
    looked_at: float
    until: float


class Keyring:
    """Answers whose a secret is, from memory for `LIFE_SECONDS` after PostgreSQL was asked.

    Only keys that are good are remembered. One that is in use is looked up anew when half of its time is over,
    beside the requests, so that they need not wait. `clock` gives seconds and only goes forward.
    """

    def __init__(
        self, pool: AsyncConnectionPool[AsyncConnection[Any]], *, clock: Callable[[], float] = elapsed
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._sql = queries("core.tenants", "keys.sql")
        self._known: dict[bytes, _Known] = {}
        self._asking: dict[bytes, asyncio.Task[_Known | None]] = {}
        self._uses = Uses(pool, clock=clock)

    async def authenticate(self, secret: str) -> Caller | Operator | None:
        """Whose secret this is; None for one that is unknown, expired or revoked, or no secret at all.

        The secret is looked up by its hash, and what is unknown costs the same as what has ended: how long it
        takes says nothing about any secret there is.
        """
        if not secret.isascii() or len(secret) > _LONGEST:
            return None
        hashed = digest(secret)
        known = self._known.get(hashed)
        now = self._clock()
        if known is None or now >= known.until:
            known = await asyncio.shield(self._ask(hashed))
        elif now >= known.looked_at + LIFE_SECONDS * _RENEWAL:
            self._ask(hashed)
        if known is None:
            return None
        self._uses.note(known.who.key_id)
        return known.who

    def forget(self, key_id: UUID) -> None:
        """A key was revoked here: it is refused at once."""
        for hashed in [hashed for hashed, known in self._known.items() if known.who.key_id == key_id]:
            del self._known[hashed]
        # What is being looked up may have been read before the key was revoked.
        self._asking.clear()

    def forget_all(self) -> None:
        """Many keys may have ended here: each is looked up anew."""
        self._known.clear()
        self._asking.clear()

    async def aclose(self) -> None:
        """Write down what was used last."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await self._uses.aclose()

    def _ask(self, hashed: bytes) -> "asyncio.Task[_Known | None]":
        """The look that is under way, or a new one; many requests with one key ask once."""
        task = self._asking.get(hashed)
        if task is None:
            task = self._asking[hashed] = asyncio.create_task(self._look_up(hashed))
            task.add_done_callback(lambda done: self._told(hashed, done))
        return task

    def _told(self, hashed: bytes, task: "asyncio.Task[_Known | None]") -> None:
        """Remember what a look brought, unless it was overtaken by a revocation."""
        current = self._asking.get(hashed) is task
        if current:
            del self._asking[hashed]
        if task.cancelled() or task.exception() is not None or not current:
            return
        self._known.pop(hashed, None)
        if (known := task.result()) is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[hashed] = known

    async def _look_up(self, hashed: bytes) -> _Known | None:
        # The time before the question: what is revoked after it is noticed in time.
        asked_at = self._clock()
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["find_key"], {"hash": hashed})
            row = await cursor.fetchone()
        same = hmac.compare_digest(bytes(row["hash"]) if row else _NOBODY, hashed)
        if row is None or not same or not row["usable"]:
            return None
        life = LIFE_SECONDS if row["seconds_left"] is None else min(LIFE_SECONDS, row["seconds_left"])
        return _Known(who=_who(row), looked_at=asked_at, until=asked_at + life)


def _who(row: dict[str, Any]) -> Caller | Operator:
    if row["organization_id"] is None:
        return Operator(key_id=row["id"])
    accounts = row["social_account_ids"]
    teams = row["account_teams"] if accounts is not None else [row["team_id"]] if row["team_id"] else None
    return Caller(
        organization_id=row["organization_id"],
        key_id=row["id"],
        scopes=frozenset(row["scopes"]),
        reach=Reach(
            team_ids=None if teams is None else frozenset(teams),
            account_ids=None if accounts is None else frozenset(accounts),
        ),
        expires_at=row["expires_at"],
    )
