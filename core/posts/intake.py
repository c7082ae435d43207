"""The intake of posts: concurrent ones share a transaction, and each caller learns what became of its own."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, IntegrityError, OperationalError
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from core.database.group import CommitUnknown, ConnectionLost, GroupCommit
from core.database.queries import queries
from core.errors import Conflict, Unready

LOOKUP_SECONDS = 5.0
"""How long we try to look for a post whose commit got no answer."""

_PAUSE = 0.1


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A block that is to go to an account."""

    id: UUID
    social_account_id: UUID
    platform: str
    position: int
    block: dict[str, Any]


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that was found sound. `content` is the request as sent; `max_delay` is in seconds."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    title: str
    reference_key: str | None
    post_date: datetime
    status: str
    platforms: list[str]
    content: dict[str, Any]
    max_delay: float
    deliveries: list[NewDelivery]
    uploads: list[UUID]


class UnclearPost(Unready):
    """The database went away while a post was written; `outcome` is `unknown` or `not_stored`."""

    def __init__(self, message: str, *, post_id: UUID, outcome: str) -> None:
        super().__init__(message, code=f"post_{outcome}")
        self.post_id = post_id
        self.outcome = outcome


class Intake:
    """Writes new posts with their deliveries, and never says of a stored one that it is not."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.posts")
        self._group = GroupCommit[NewPost, datetime | None](pool, self._write)

    async def store(self, new: NewPost) -> datetime:
        """Write a post; answers when it was made, once it is on disk.

        Raises `Conflict` for a reference key that is taken, or for an account or upload that went away in this
        moment, and `UnclearPost` when the database did.
        """
        try:
            created_at = await self._group.submit(new)
        except CommitUnknown as error:
            created_at = await self._looked_up(new)
            if created_at is None:
                raise _unknown(new) from error
        except ConnectionLost as error:
            words = "The database went away, and the post was not stored; send it again."
            raise UnclearPost(words, post_id=new.id, outcome="not_stored") from error
        except IntegrityError as error:
            words = "An account was disconnected or an upload deleted in this very moment; look, and send it again."
            raise Conflict(words) from error
        if created_at is None:
            words = f"The reference key '{new.reference_key}' is taken by another post of this team; use a new one."
            raise Conflict(words, code="reference_key_taken")
        return created_at

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._group.aclose()

    async def _looked_up(self, new: NewPost) -> datetime | None:
        """When the post was stored, if it is seen to be; None says nothing."""
        values = {"organization_id": new.organization_id, "id": new.id}
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                while True:
                    try:
                        async with self._pool.connection() as connection:
                            row = await (await connection.execute(self._sql["stored_at"], values)).fetchone()
                            return row[0] if row else None
                    except (OperationalError, PoolTimeout):
                        await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return None

    async def _write(self, connection: AsyncConnection[Any], group: Sequence[NewPost]) -> list[datetime | None]:
        accounts = sorted({delivery.social_account_id for new in group for delivery in new.deliveries})
        if accounts:
            await connection.execute(self._sql["make_lanes"], {"accounts": accounts})
        cursor = await connection.execute(self._sql["store"], {"posts": Jsonb(list(group))})
        created = {row[0]: row[1] async for row in cursor}
        return [created.get(new.id) for new in group]


def _unknown(new: NewPost) -> UnclearPost:
    words = (
        "The database went away while the post was stored, and nobody can tell whether it was; "
        "look it up by its id before you send it again."
    )
    return UnclearPost(words, post_id=new.id, outcome="unknown")
