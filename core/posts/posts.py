"""Posts: checked and taken in by shared transactions, and read back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.check import Checked, Facts, check, named_uploads
from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import InvalidPost, NotFound
from core.findings import Finding
from core.ids import new_id, parse_id
from core.ledger.states import State
from core.post import Media, PostRequest
from core.posts.filters import Filters, OrderBy
from core.posts.idempotency import Key
from core.posts.intake import Intake, NewDelivery, NewPost, Submission
from core.posts.rows import DeliveryRow, PostRow, shown, shown_in_full
from core.posts.views import FullPostView, NewPostView, Page, WarningView
from core.tenants.tenants import Tenants
from core.uploads.uploads import Uploads

_ORDERS: dict[OrderBy, SQL] = {
    "createdAt": SQL("p.created_at {way}, p.id {way}"),
    "updatedAt": SQL("p.updated_at {way}, p.id {way}"),
    "postDate": SQL("p.post_date {way}, p.id {way}"),
    "postedDate": SQL("p.posted_at {way} nulls last, p.id {way}"),
    "deletedAt": SQL("p.deleted_at {way} nulls last, p.id {way}"),
}


class Posts:
    """The posts of one database. `max_delay` is how many seconds late a post may still go out."""

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
    ) -> None:
        self._pool = pool
        self._adapters = adapters
        self._accounts = accounts
        self._uploads = uploads
        self._tenants = tenants
        self._notices = notices
        self._max_delay = max_delay
        self._sql = queries("core.posts")
        self._intake = Intake(pool)

    async def facts(self, organization_id: UUID, body: object) -> Facts:
        """What a check of this request needs to know of the organization's own things."""
        sent = body.get("teamId") if isinstance(body, dict) else None
        team_id = parse_id(sent) if isinstance(sent, str) else None
        if team_id is None:
            return Facts(team_known=False)
        accounts = await self._accounts.of_team(organization_id, team_id)
        if not accounts and await self._tenants.team(organization_id, team_id) is None:
            return Facts(team_known=False)
        return Facts(accounts=accounts, uploads=await self._media(organization_id, team_id, body))

    async def create(self, organization_id: UUID, body: object, *, idempotency_key: str | None = None) -> NewPostView:
        """Take a post in; when this returns it is on disk. The same again under one key makes one post.

        Raises `InvalidPost` with every finding, `NotFound` for a team that is not the organization's,
        `Conflict` for a reference key that is taken or an idempotency key that is under way, `KeyReused` for one
        that came with another request, and `UnclearPost` when the database went away.
        """
        key = None if idempotency_key is None else Key.of(idempotency_key, body)
        facts = await self.facts(organization_id, body)
        checked = check(body, self._adapters, facts)
        request, post_date = _sound(checked)
        new = _new_post(organization_id, request, post_date, body, checked, facts, self._max_delay)
        warnings = [_warning(finding) for finding in checked.report.warnings]

        def answer(created_at: datetime) -> NewPostView:
            return NewPostView(**shown(_row(new, created_at)), warnings=warnings)

        view = await self._intake.store(Submission(new=new, answer=answer, key=key))
        if new.deliveries:
            self._notices.tell("deliveries")
        return view

    async def get(self, organization_id: UUID, post_id: str) -> FullPostView:
        """The post with that id. Raises `NotFound`, also for a stranger's and for what is no id."""
        id = parse_id(post_id)
        found = await self._shown(organization_id, [id] if id else [])
        if not found:
            raise NotFound("There is no such post.")
        return found[0]

    async def by_reference_key(self, organization_id: UUID, *keys: str) -> FullPostView:
        """The newest post with the first of these reference keys that there is. Raises `NotFound`."""
        values = {"organization_id": organization_id, "keys": [key for key in keys if "\0" not in key]}
        async with single(self._pool) as connection:
            row = await (await connection.execute(self._sql["by_reference_key"], values)).fetchone()
        found = await self._shown(organization_id, [row[0]] if row else [])
        if not found:
            raise NotFound("There is no post with that reference key.")
        return found[0]

    async def page(self, organization_id: UUID, filters: Filters) -> Page:
        """One page of a team's posts. Raises `NotFound` for a team that is not the organization's."""
        query = filters.query
        values = {
            "organization_id": organization_id,
            "team_id": filters.team_id,
            "status": query.status,
            "platforms": query.platforms or None,
            "date_from": filters.date_from,
            "date_to": filters.date_to,
            "q": query.q or None,
            "limit": query.limit,
            "offset": query.offset,
        }
        order = _ORDERS[query.order_by].format(way=SQL("asc") if query.order == "ASC" else SQL("desc"))
        page = SQL(self._sql["page"]).format(order=order)
        async with single(self._pool) as connection:
            ids = [row[0] async for row in await connection.execute(page, values)]
            row = await (await connection.execute(self._sql["total"], values)).fetchone()
            total: int = row[0] if row else 0
        if not total and await self._tenants.team(organization_id, filters.team_id) is None:
            raise NotFound("There is no such team.")
        return Page(items=await self._shown(organization_id, ids), total=total)

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._intake.aclose()

    async def _media(self, organization_id: UUID, team_id: UUID, body: object) -> dict[str, Media]:
        named = {text: id for text in named_uploads(body) if (id := parse_id(text)) is not None}
        if not named:
            return {}
        found = await self._uploads.many(organization_id, team_id, set(named.values()))
        return {text: found[id].media for text, id in named.items() if id in found}

    async def _shown(self, organization_id: UUID, ids: Sequence[UUID]) -> list[FullPostView]:
        if not ids:
            return []
        values = {"organization_id": organization_id, "ids": list(ids)}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["shown"], values)
            rows = await cursor.fetchall()
        return [shown_in_full(msgspec.convert(row, PostRow)) for row in rows]


def _sound(checked: Checked) -> tuple[PostRequest, datetime]:
    """The request and its date, if nothing is wrong with them."""
    codes = {finding.code for finding in checked.report.errors}
    # Uploads belong to a team: where that is unknown, nothing can be said of them.
    if "unknown_team" in codes <= {"unknown_team", "unknown_upload"}:
        raise NotFound("There is no such team; use one of your own.")
    if codes or checked.request is None or checked.post_date is None:
        raise InvalidPost(checked.report)
    return checked.request, checked.post_date


def _new_post(
    organization_id: UUID,
    request: PostRequest,
    post_date: datetime,
    body: Any,
    checked: Checked,
    facts: Facts,
    max_delay: float,
) -> NewPost:
    deliveries = [
        NewDelivery(
            id=new_id(),
            social_account_id=UUID(planned.account.id),
            platform=planned.platform,
            position=planned.position,
            block=planned.block,
        )
        for planned in checked.planned
        if request.status == "SCHEDULED" and planned.account is not None
    ]
    return NewPost(
        id=new_id(),
        organization_id=organization_id,
        team_id=UUID(request.team_id),
        title=request.title,
        reference_key=request.reference_key,
        post_date=post_date,
        status=request.status,
        platforms=list(dict.fromkeys(request.social_account_types)),
        content=body,
        max_delay=request.max_delay or max_delay,
        deliveries=deliveries,
        uploads=sorted({UUID(media.upload_id) for media in facts.uploads.values() if media.upload_id}),
    )


def _row(new: NewPost, created_at: datetime) -> PostRow:
    """What was just written, as it would be read."""
    return PostRow(
        id=new.id,
        organization_id=new.organization_id,
        team_id=new.team_id,
        title=new.title,
        reference_key=new.reference_key,
        post_date=new.post_date,
        status=new.status,
        platforms=new.platforms,
        content=new.content,
        created_at=created_at,
        updated_at=created_at,
        deliveries=[
            DeliveryRow(
                id=delivery.id,
                platform=delivery.platform,
                social_account_id=delivery.social_account_id,
                state=State.SCHEDULED,
                due_at=max(new.post_date, created_at),
            )
            for delivery in new.deliveries
        ],
    )


def _warning(finding: Finding) -> WarningView:
    return WarningView(code=finding.code, message=finding.message, path=list(finding.path))
