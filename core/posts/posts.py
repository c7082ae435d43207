"""Posts: checked and taken in by shared transactions, and read back."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import NotFound
from core.ids import parse_id
from core.posts.filters import Filters
from core.posts.idempotency import Key
from core.posts.intake import AccountsChanged, Intake
from core.posts.listing import Listing
from core.posts.preparation import Preparation
from core.posts.rows import PostRow, shown_in_full
from core.posts.views import FullPostView, NewPostView, Page
from core.tenants.callers import WHOLE, Reach
from core.tenants.tenants import Tenants
from core.uploads.uploads import Uploads

SOON = timedelta(minutes=2)
"""Schedulers are told of posts due sooner, by the database's clock; they look for themselves every few seconds."""


class Posts:
    """The posts of one database. `max_delay` is how many seconds late a post may still go out.

    `intake` is a pool that the intake has for itself; see there.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        adapters: Mapping[str, AnyAdapter],
        *,
        accounts: Accounts,
        uploads: Uploads,
        tenants: Tenants,
        notices: Notices,
        max_delay: float,
        intake: AsyncConnectionPool[AsyncConnection[Any]] | None = None,
    ) -> None:
        self._pool = pool
        self._uploads = uploads
        self._tenants = tenants
        self._notices = notices
        self.preparation = Preparation(
            adapters, accounts=accounts, uploads=uploads, tenants=tenants, max_delay=max_delay
        )
        self._sql = queries("core.posts")
        self.intake = Intake(pool, intake)
        self._listing = Listing(pool)

    async def create(
        self,
        organization_id: UUID,
        body: object,
        *,
        raw: bytes | None = None,
        idempotency_key: str | None = None,
        within: Reach = WHOLE,
        admitted: Awaitable[None] | None = None,
    ) -> NewPostView:
        """Take a post in; when this returns it is on disk. The same again under one key makes one post.

        `raw` is what the body was decoded from, if that is at hand. It is checked meanwhile, and stored when the caller
        is `admitted`.

        Raises `InvalidPost` with every finding, `NotFound` for a team that is not the organization's,
        `Conflict` for a reference key that is taken or an idempotency key that is under way, `KeyReused` for one
        that came with another request, and `UnclearPost` when the database went away.
        """
        try:
            key = None if idempotency_key is None else Key.of(idempotency_key, body)
            new = await self.preparation.quickly(organization_id, body, raw=raw, within=within, key=key)
        finally:
            if admitted is not None:
                await admitted
        try:
            view = await self.intake.store(new)
        except AccountsChanged:
            new = await self.preparation.prepared(organization_id, body, within=within, key=key)
            view = await self.intake.store(new)
        if new.deliveries and new.post_date - datetime.fromisoformat(view.created_at) < SOON:
            self._notices.tell("deliveries")
        return view

    async def get(self, organization_id: UUID, post_id: str) -> FullPostView:
        """The post with that id. Raises `NotFound`, also for a stranger's and for what is no id."""
        id = parse_id(post_id)
        found = await self._shown(organization_id, [id] if id else [])
        if not found:
            raise NotFound("There is no such post.")
        return found[0]

    async def by_reference_key(self, organization_id: UUID, *keys: str, within: Reach = WHOLE) -> FullPostView:
        """The newest post with the first of these reference keys that there is. Raises `NotFound`."""
        sound = [key for key in keys if "\0" not in key]
        values = {"organization_id": organization_id, "keys": sound, **within.values}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["by_reference_key"], values)).fetchone()
        found = await self._shown(organization_id, [row[0]] if row else [])
        if not found:
            raise NotFound("There is no post with that reference key.")
        return found[0]

    async def page(self, organization_id: UUID, filters: Filters, *, within: Reach = WHOLE) -> Page:
        """One page of a team's posts. Raises `NotFound` for a team that is not the organization's, or not in reach."""
        if not within.has_team(filters.team_id):
            raise NotFound("There is no such team.")
        found = await self._listing.find(organization_id, filters, within)
        if not found.total and await self._tenants.team(organization_id, filters.team_id) is None:
            raise NotFound("There is no such team.")
        return Page(
            items=await self._shown(organization_id, found.ids),
            total=found.total,
            total_is_exact=found.exact,
            next=str(found.next) if found.next else None,
        )

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self.intake.aclose()

    async def _shown(self, organization_id: UUID, ids: Sequence[UUID]) -> list[FullPostView]:
        if not ids:
            return []
        values = {"organization_id": organization_id, "ids": list(ids)}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["shown"], values)
            rows = await cursor.fetchall()
        return [shown_in_full(self._linked(msgspec.convert(row, PostRow))) for row in rows]

    def _linked(self, row: PostRow) -> PostRow:
        return msgspec.structs.replace(row, uploads=[self._uploads.linked(upload) for upload in row.uploads])
