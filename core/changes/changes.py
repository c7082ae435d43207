"""The one way in which something is changed on a platform: alone in its lane, armed, and looked up where unclear."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import AccountGone
from core.accounts.visits import Visits
from core.changes.change import Asked, Busy, Change, ChangeJournal, Done, Verdict, failure_of
from core.clock import Deadline
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import FingerpostError, OutcomeUnknown, PublishError, RateLimited
from core.ids import new_id
from core.ledger.moves import Failure
from core.session import Session

Pool = AsyncConnectionPool[AsyncConnection[Any]]
Result = dict[str, Any]
Act = Callable[[AnyAdapter, Session], Awaitable[Result]]
"""The write. Answers what came of it."""
Look = Callable[[AnyAdapter, Session, datetime], Awaitable[Result | None]]
"""Whether it has been carried out, since that moment (UTC); None where that is not to be seen."""
Effect = Callable[[AsyncConnection[Any], UUID, Result], Awaitable[None]]
"""What follows from it in our own database, in the transaction that writes it down."""

PATIENCE_SECONDS = 10.0
"""How long is waited for another change of the same thing."""

PAUSE_SECONDS = 0.1

LOOK_BACK = timedelta(minutes=2)
"""How long before the arming something may bear the platform's date: clocks differ."""

_ABANDONED = Failure(code="worker_lost", message="The process ended before it could write down what became of it.")


class Changes:
    """Changes on platforms, over one database.

    `lease_seconds` is how long one may take, and `settle_seconds` how long after it was sent one without an answer may
    still come to be.
    """

    def __init__(self, pool: Pool, visits: Visits, *, lease_seconds: float, settle_seconds: float) -> None:
        self._pool = pool
        self._visits = visits
        self._lease = lease_seconds
        self._settle = settle_seconds
        self._sql = queries("core.changes")

    async def carry_out(self, asked: Asked, act: Act, look: Look, effect: Effect) -> Done:
        """Have it done, and answer what came of it; when this returns it is so on the platform and written down.

        Raises `Busy` where the same thing is being changed for long, `OutcomeUnknown` where nobody knows what became of
        it, `RateLimited` while the same may still come to be, another `PublishError` where the platform says no, and
        `AccountGone`.
        """
        id = await self._opened(asked)
        try:
            result = await self._found_before(asked, look)
            looked = result is not None
            if result is None:
                result, looked = await self._acted(id, asked, act, look)
        except BaseException as error:
            await self._failed(id, error)
            raise
        async with self._pool.connection() as connection:
            await self._end(connection, id, "done", result=result, looked=looked)
            await effect(connection, id, result)
        return Done(id=id, result=result, looked=looked)

    async def of_post(self, organization_id: UUID, post_id: UUID) -> list[Change]:
        """Every change that was asked for at the deliveries of a post, the first first."""
        values = {"organization_id": organization_id, "post_id": post_id}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["of_post"], values)
            return [msgspec.convert(row, Change) async for row in cursor]

    async def last_done(
        self, organization_id: UUID, delivery_id: UUID, kind: str, request: dict[str, Any] | None = None
    ) -> Done | None:
        """The latest change of a kind at a delivery that was carried out, with that request or any."""
        values = {
            "organization_id": organization_id,
            "delivery_id": delivery_id,
            "kind": kind,
            "request": Jsonb(request) if request is not None else None,
        }
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["last_done"], values)
            row = await cursor.fetchone()
        return Done(id=row["id"], result=row["result"] or {}, looked=row["looked"]) if row else None

    async def was_armed(self, asked: Asked) -> bool:
        """Whether just that has been sent before."""
        values = {"request": Jsonb(asked.request), **_named(asked)}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["was_armed"], values)).fetchone()
        return bool(row and row[0])

    async def _opened(self, asked: Asked) -> UUID:
        """The lane of the object, waited for a while. Raises `Busy`, `AccountGone`."""
        deadline, id = Deadline.after(PATIENCE_SECONDS), new_id()
        values = {
            "id": id,
            "account_id": asked.account_id,
            "delivery_id": asked.delivery_id,
            "api_key_id": asked.api_key_id,
            "request": Jsonb(asked.request),
            "lease": self._lease,
            "error": Jsonb(msgspec.to_builtins(_ABANDONED)),
            **_named(asked),
        }
        while True:
            async with self._pool.connection() as connection:
                await connection.execute(self._sql["abandon"], values)
                if await (await connection.execute(self._sql["open"], values)).fetchone():
                    return id
            if deadline.remaining <= 0:
                raise Busy("The same thing is being changed at this moment; try again shortly.")
            await self._check_connected(asked)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _check_connected(self, asked: Asked) -> None:
        values = {"organization_id": asked.organization_id, "id": asked.account_id}
        async with single(self._pool) as connection:
            if not await (await connection.execute(self._sql["connected"], values)).fetchone():
                raise AccountGone("There is no such account.")

    async def _found_before(self, asked: Asked, look: Look) -> Result | None:
        """What is so already, or what an earlier one has done. Raises `RateLimited` while that may still come to be."""
        if asked.look_first:
            return await self._looked(asked, look, datetime.now(UTC))
        values = {"request": Jsonb(asked.request), **_named(asked)}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["unclear"], values)).fetchone()
        if asked.repeatable or row is None:
            return None
        armed_at, age = row
        found = await self._looked(asked, look, armed_at)
        if found is None and age < self._settle:
            words = "The same was asked for a moment ago, and it is not known yet what became of it."
            raise RateLimited(words, after=timedelta(seconds=self._settle - age), code=OutcomeUnknown.code)
        return found

    async def _acted(self, id: UUID, asked: Asked, act: Act, look: Look) -> tuple[Result, bool]:
        journal = ChangeJournal(self._pool, id)

        async def write(adapter: AnyAdapter, session: Session) -> Result:
            return await session.once(asked.kind, lambda: act(adapter, session))

        try:
            return await self._visits.visit(asked.organization_id, asked.account_id, write, journal), False
        except OutcomeUnknown as unknown:
            found = await self._looked_after(id, asked, look, unknown)
            if found is None:
                raise
            return found, True

    async def _looked_after(self, id: UUID, asked: Asked, look: Look, unknown: OutcomeUnknown) -> Result | None:
        """What is to be seen after an answer did not come. Raises what it was where it cannot be looked up."""
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["armed_at"], {"id": id})).fetchone()
        try:
            return await self._looked(asked, look, row[0] if row and row[0] else datetime.now(UTC))
        except PublishError:
            raise unknown from None

    async def _looked(self, asked: Asked, look: Look, since: datetime) -> Result | None:
        return await self._visits.visit(
            asked.organization_id,
            asked.account_id,
            lambda adapter, session: look(adapter, session, since - LOOK_BACK),
        )

    async def _failed(self, id: UUID, error: BaseException) -> None:
        """Write down that it was refused, or that nobody knows: what breaks off after it was sent is unclear."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(self._sql["armed_at"], {"id": id})).fetchone()
            sent = bool(row and row[0]) and not (isinstance(error, PublishError) and not _is_unclear(error))
            failure = failure_of(error) if isinstance(error, PublishError) else _broken(error)
            await self._end(connection, id, "unclear" if sent else "refused", error=failure)

    async def _end(
        self,
        connection: AsyncConnection[Any],
        id: UUID,
        outcome: Verdict,
        *,
        result: Result | None = None,
        looked: bool = False,
        error: Failure | None = None,
    ) -> None:
        values = {
            "id": id,
            "outcome": outcome,
            "looked": looked,
            "result": Jsonb(result) if result is not None else None,
            "error": Jsonb(msgspec.to_builtins(error)) if error is not None else None,
        }
        await connection.execute(self._sql["end"], values)


def _is_unclear(error: PublishError) -> bool:
    return isinstance(error, OutcomeUnknown)


def _broken(error: BaseException) -> Failure:
    if isinstance(error, FingerpostError):
        return Failure(code=error.code, message=error.message)
    return Failure(code="broken_adapter", message=f"It was broken off ({type(error).__name__}).")


def _named(asked: Asked) -> dict[str, Any]:
    return {
        "organization_id": asked.organization_id,
        "grant_id": asked.grant_id,
        "object": asked.object,
        "kind": asked.kind,
    }
