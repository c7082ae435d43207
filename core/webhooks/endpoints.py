"""Endpoints: the URLs that want to hear of events, each of one organization or one of its teams."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, InvalidPost, NotFound, RefusedUrl
from core.events.data import TestData
from core.events.events import Event, record
from core.findings import Finding, Report
from core.guard import Guard
from core.ids import new_id
from core.tenants.callers import WHOLE, Reach
from core.vault import Vault
from core.webhooks.signing import new_secret
from core.webhooks.terms import Change, Format, Terms, faults

Pool = AsyncConnectionPool[AsyncConnection[Any]]

MOST = 20
"""How many endpoints a team may have, and the organization beside its teams, unless it is set otherwise."""

OVERLAP_SECONDS = 86_400.0
"""How long a secret is valid after it was rotated."""

DisabledReason = Literal["gone", "failing", "owner", "team_deleted"]
"""Why an endpoint is switched off: it answered 410, took nothing for three days, or somebody wanted it."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent: those of a team, or of the whole organization where `team_id` is None.

    Empty lists stand for everything. One with `disabled_at` is sent nothing. `failures` in a row are followed by
    ever longer waits until `retry_at`; `previous_until` is when the secret before the last rotation ends.
    """

    id: UUID
    organization_id: UUID
    team_id: UUID | None
    url: str
    description: str
    event_types: tuple[str, ...]
    platforms: tuple[str, ...]
    team_ids: tuple[UUID, ...]
    format: Format
    ordered: bool
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    previous_until: datetime | None
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None

    @property
    def terms(self) -> Terms:
        """What it wants."""
        return Terms(**{name: getattr(self, name) for name in Terms.__struct_fields__})


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with a secret that was just made and is shown this once."""

    endpoint: Endpoint
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewEndpoint({self.endpoint.id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Without the secret."""
        return [("endpoint", self.endpoint)]


class Endpoints:
    """The endpoints of one database. What belongs to another organization does not exist.

    `platforms` are those that may be asked for, any where it is None; `most` bounds how many a team may have.
    """

    def __init__(
        self,
        pool: Pool,
        vault: Vault,
        guard: Guard,
        *,
        notices: Notices | None = None,
        platforms: Iterable[str] | None = None,
        most: int = MOST,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._guard = guard
        self._notices = notices
        self._platforms = None if platforms is None else tuple(platforms)
        self._most = most
        self._sql = queries("core.webhooks")

    async def create(
        self,
        organization_id: UUID,
        team_id: UUID | None,
        url: str,
        event_types: Sequence[str] = (),
        *,
        terms: Terms | None = None,
    ) -> NewEndpoint:
        """Register a URL for events of a team or of the whole organization; `terms` say it all at once instead.

        Raises `InvalidPost` with every fault of the request at once, `NotFound` for a team of somebody else's, and
        `Conflict` where the team has as many as it may.
        """
        terms = terms or Terms(url=url, event_types=event_types)
        id, secret = new_id(), new_secret()
        values = {"organization_id": organization_id, "team_id": team_id}
        async with self._pool.connection() as connection:
            await self._refuse(connection, organization_id, terms, team_id)
            lock = self._sql["lock_organization" if team_id is None else "lock_team"]
            if (await connection.execute(lock, values)).rowcount == 0:
                raise NotFound("There is no such webhook endpoint or team.")
            row = await (await connection.execute(self._sql["count_endpoints"], values)).fetchone()
            if row is not None and row[0] >= self._most:
                words = f"There are {row[0]} webhook endpoints already, and {self._most} are allowed; delete one first."
                raise Conflict(words, code="too_many_endpoints")
            sealed = self._vault.seal(secret, table="webhook_endpoints", row=str(id), column="secret")
            made = await self._one(connection, "create_endpoint", id=id, secret=sealed, **values, **_values(terms))
        return NewEndpoint(endpoint=made, secret=secret)

    async def list(self, organization_id: UUID, within: Reach = WHOLE) -> tuple[Endpoint, ...]:
        """The endpoints of an organization and its teams that are within reach, oldest first."""
        values = {"organization_id": organization_id, "teams": within.values["teams"]}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["list_endpoints"], values)
            return tuple([msgspec.convert(row, Endpoint) async for row in cursor])

    async def get(self, organization_id: UUID, id: UUID) -> Endpoint:
        """One endpoint. Raises `NotFound`."""
        async with single(self._pool) as connection:
            return await self._one(connection, "get_endpoint", organization_id=organization_id, id=id)

    async def change(self, organization_id: UUID, id: UUID, change: Change) -> Endpoint:
        """An endpoint as it is after a change; one that is switched on is tried at once, as if nothing had failed.

        What happened while it was off is not sent by itself: the feed has it, and what had failed can be sent again.
        Raises `InvalidPost` with every fault, `NotFound`, and `Conflict` for one whose team was deleted.
        """
        own = {"organization_id": organization_id, "id": id}
        async with self._pool.connection() as connection:
            before = await self._one(connection, "lock_endpoint", **own)
            terms = change.of(before.terms)
            await self._refuse(connection, organization_id, terms, before.team_id)
            enabled = before.disabled_at is None if change.enabled is msgspec.UNSET else change.enabled
            if enabled and before.disabled_reason == "team_deleted":
                raise Conflict("The team of this webhook endpoint was deleted; make another endpoint.")
            anew = enabled and (before.disabled_at is not None or terms.url != before.url)
            values = {**own, **_values(terms), "enabled": enabled, "anew": anew}
            after = await self._one(connection, "change_endpoint", **values)
            if before.ordered and not after.ordered:
                await connection.execute(self._sql["release_all"], {"endpoint_id": id})
        self._tell()
        return after

    async def enable(self, organization_id: UUID, id: UUID) -> Endpoint:
        """Switch an endpoint on; see `change`."""
        return await self.change(organization_id, id, Change(enabled=True))

    async def rotate_secret(self, organization_id: UUID, id: UUID) -> NewEndpoint:
        """Give an endpoint a new secret; for a day messages are signed under the one before it too.

        A secret that is still valid from an earlier rotation ends at once. Raises `NotFound`.
        """
        own = {"organization_id": organization_id, "id": id}
        secret = new_secret()
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["lock_endpoint"], own)
            row = await cursor.fetchone()
            if row is None:
                raise NotFound("There is no such webhook endpoint.")
            before = self._vault.open(row["secret"], table="webhook_endpoints", row=str(id), column="secret")
            values = {
                "secret": self._vault.seal(secret, table="webhook_endpoints", row=str(id), column="secret"),
                "previous": self._vault.seal(before, table="webhook_endpoints", row=str(id), column="previous_secret"),
                "seconds": OVERLAP_SECONDS,
            }
            after = await self._one(connection, "rotate_endpoint", **own, **values)
        return NewEndpoint(endpoint=after, secret=secret)

    async def test(self, organization_id: UUID, id: UUID) -> UUID:
        """Send an endpoint an event that says nothing; answers the message's id.

        Raises `NotFound`, and `Conflict` where it is switched off.
        """
        message_id = new_id()
        async with self._pool.connection() as connection:
            endpoint = await self._one(connection, "lock_endpoint", organization_id=organization_id, id=id)
            if endpoint.disabled_at is not None:
                raise Conflict("The webhook endpoint is switched off; enable it first.")
            data = TestData(webhook_endpoint_id=id, message="This is a test: nothing has happened.")
            event = Event(
                organization_id=organization_id,
                team_id=endpoint.team_id,
                type="webhook_endpoint.test",
                subject=id,
                data=data,
            )
            await record(connection, [event])
            values = {"organization_id": organization_id, "endpoint_id": id, "id": message_id}
            await connection.execute(self._sql["address_test"], values)
        self._tell()
        return message_id

    async def delete(self, organization_id: UUID, id: UUID) -> None:
        """Remove an endpoint and all that waits for it. Raises `NotFound`."""
        async with single(self._pool) as connection:
            await self._one(connection, "delete_endpoint", organization_id=organization_id, id=id)

    async def _refuse(
        self, connection: AsyncConnection[Any], organization_id: UUID, terms: Terms, team_id: UUID | None
    ) -> None:
        """Raise `InvalidPost` with every fault of the terms."""
        values = {"organization_id": organization_id, "ids": list(terms.team_ids)}
        rows = await connection.execute(self._sql["known_teams"], values)
        teams = {row[0] async for row in rows}
        unknown = [place for place, id in enumerate(terms.team_ids) if id not in teams]
        findings = [
            *self._url_findings(terms.url),
            *faults(terms, bound=team_id is not None, platforms=self._platforms),
            *(Finding(code="unknown_team", path=("teamIds", place), message=_NO_TEAM) for place in unknown),
        ]
        if findings:
            raise InvalidPost(Report(tuple(findings)))

    def _url_findings(self, url: str) -> Iterator[Finding]:
        try:
            self._guard.check(url)
        except RefusedUrl as error:
            yield Finding(code=error.code, path=("url",), message=error.message)

    async def _one(self, connection: AsyncConnection[Any], query: str, /, **values: Any) -> Endpoint:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql[query], values)
            row = await cursor.fetchone()
        if row is None:
            raise NotFound("There is no such webhook endpoint.")
        return msgspec.convert(row, Endpoint)

    def _tell(self) -> None:
        if self._notices is not None:
            self._notices.tell("webhooks")


_NO_TEAM = "There is no such team; use one of your own."


def _values(terms: Terms) -> dict[str, Any]:
    """The terms as parameters, each entry of a list once."""
    return {
        name: list(dict.fromkeys(value)) if isinstance(value, list | tuple) else value
        for name, value in msgspec.structs.asdict(terms).items()
    }
