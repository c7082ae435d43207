"""bundle.social's webhooks: its names of events, and the whole object that each of them carries.

Facts: the package `bundlesocial` 2.64.2, `webhookEventTypes` and `constructEvent`; a payload is `{type, data}`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database.queries import queries
from core.events.data import TeamData
from core.events.kinds import kind_of
from core.posts.rows import AccountRow, PostRow, account_view, shown_in_full
from core.posts.views import timestamp

FORMAT = "bundle.social"


class VendorMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said in bundle.social's way: the message, and the event that it is of."""

    id: UUID
    organization_id: UUID
    type: str
    subject: UUID
    data: dict[str, Any]


async def bodies(connection: AsyncConnection[Any], messages: Sequence[VendorMessage]) -> dict[UUID, str]:
    """The body of each message, made of what stands in the database now, and kept: every later try sends it again.

    The vendor's object is the whole one as the API shows it; its status is that of the event.
    """
    posts, accounts = await _posts(connection, messages), await _accounts(connection, messages)
    made = {message.id: _body(message, posts, accounts) for message in messages}
    rows = [{"id": str(id), "body": body} for id, body in made.items()]
    cursor = await connection.execute(queries("core.webhooks")["keep_bodies"], {"rows": Jsonb(rows)})
    return {id: body async for id, body in cursor}


def _body(message: VendorMessage, posts: dict[UUID, Any], accounts: dict[UUID, Any]) -> str:
    name = kind_of(message.type).vendor
    data: Any = message.data
    if message.subject in posts:
        data = {**posts[message.subject], "status": message.data["status"]}
    elif message.subject in accounts:
        data = accounts[message.subject]
    elif name is not None and name.startswith("team."):
        data = _team(msgspec.convert(message.data, TeamData))
    return msgspec.json.encode({"type": name or message.type, "data": data}).decode()


async def _posts(connection: AsyncConnection[Any], messages: Sequence[VendorMessage]) -> dict[UUID, Any]:
    found: dict[UUID, Any] = {}
    for organization_id in {message.organization_id for message in messages}:
        ids = [m.subject for m in messages if m.organization_id == organization_id and m.type.startswith("post.")]
        if ids:
            async with connection.cursor(row_factory=dict_row) as cursor:
                values = {"organization_id": organization_id, "ids": list(dict.fromkeys(ids))}
                await cursor.execute(queries("core.posts")["shown"], values)
                rows = [msgspec.convert(row, PostRow) async for row in cursor]
            found |= {row.id: msgspec.to_builtins(shown_in_full(row)) for row in rows}
    return found


async def _accounts(connection: AsyncConnection[Any], messages: Sequence[VendorMessage]) -> dict[UUID, Any]:
    ids = [message.subject for message in messages if message.type.startswith("account.")]
    if not ids:
        return {}
    organizations = [message.organization_id for message in messages]
    async with connection.cursor(row_factory=dict_row) as cursor:
        values = {"ids": ids, "organization_ids": organizations}
        await cursor.execute(queries("core.webhooks")["vendor_accounts"], values)
        rows = [msgspec.convert(row, AccountRow) async for row in cursor]
    return {row.id: msgspec.to_builtins(account_view(row)) for row in rows}


def _team(team: TeamData) -> dict[str, Any]:
    return {
        "id": str(team.team_id),
        "name": team.name,
        "avatarUrl": team.avatar_url,
        "organizationId": str(team.organization_id),
        "createdById": str(team.organization_id),
        "createdAt": timestamp(team.created_at),
        "updatedAt": timestamp(team.updated_at),
        "deletedAt": timestamp(team.deleted_at) if team.deleted_at else None,
    }
