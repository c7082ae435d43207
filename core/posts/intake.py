"""The intake of posts: concurrent ones share a transaction, and each caller learns what became of its own."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import ForeignKeyViolation, NotNullViolation
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from core.database.group import CommitUnknown, ConnectionLost, GroupCommit
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, KeyReused, Unready
from core.posts.idempotency import Earlier, Key, claim
from core.posts.views import NewPostView

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


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A post on its way in, how it is answered when it is stored at a given time, and the client's key for it."""

    new: NewPost
    answer: Callable[[datetime], NewPostView]
    key: Key | None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a submission: its answer, or what stood against it."""

    answer: NewPostView | None = None
    refusal: Literal["", "reference_key_taken", "key_reused", "key_under_way"] = ""


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
        self._group = GroupCommit[Submission, Stored](pool, self._write)

    async def store(self, submission: Submission) -> NewPostView:
        """Write a post; its answer is given once it is on disk, or the earlier answer under the same key.

        Raises `Conflict` for a reference key that is taken, for a key that is under way, or for an account or
        upload that went away in this moment, `KeyReused` for a key that came with another request, and
        `UnclearPost` when the database went away.
        """
        new = submission.new
        try:
            stored = await self._group.submit(submission)
        except CommitUnknown as error:
            created_at = await self._looked_up(new)
            if created_at is None:
                raise _unknown(new) from error
            return submission.answer(created_at)
        except ConnectionLost as error:
            words = "The database went away, and the post was not stored; send it again."
            raise UnclearPost(words, post_id=new.id, outcome="not_stored") from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            if isinstance(error, NotNullViolation) and error.diag.column_name != "grant_id":
                raise
            words = "An account was disconnected or an upload deleted in this very moment; look, and send it again."
            raise Conflict(words) from error
        if stored.answer is None:
            raise _refusal(stored, new)
        return stored.answer

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
                        async with single(self._pool) as connection:
                            row = await (await connection.execute(self._sql["stored_at"], values)).fetchone()
                            return row[0] if row else None
                    except (OperationalError, PoolTimeout):
                        await asyncio.sleep(_PAUSE)
        except TimeoutError:
            return None

    async def _write(self, connection: AsyncConnection[Any], group: Sequence[Submission]) -> list[Stored]:
        keyed = [(item.new.id, item.new.organization_id, item.key) for item in group if item.key]
        earlier = await claim(connection, keyed) if keyed else {}
        fresh = [item for item in group if item.new.id not in earlier]
        created = await self._insert(connection, [item.new for item in fresh])
        answers = {item.new.id: item.answer(created[item.new.id]) for item in fresh if item.new.id in created}
        if keyed:
            await self._keep(connection, [item for item in fresh if item.key], answers)
        return [_result(item, answers, earlier.get(item.new.id)) for item in group]

    async def _insert(self, connection: AsyncConnection[Any], posts: Sequence[NewPost]) -> dict[UUID, datetime]:
        accounts = sorted({delivery.social_account_id for new in posts for delivery in new.deliveries})
        if accounts:
            await connection.execute(self._sql["make_lanes"], {"accounts": accounts})
        cursor = await connection.execute(self._sql["store"], {"posts": Jsonb(list(posts))})
        return {row[0]: row[1] async for row in cursor}

    async def _keep(
        self, connection: AsyncConnection[Any], keyed: Sequence[Submission], answers: dict[UUID, NewPostView]
    ) -> None:
        """The answers go under their keys; the key of a post that could not be stored is free again."""
        kept = [{"post_id": item.new.id, "answer": answers[item.new.id]} for item in keyed if item.new.id in answers]
        await connection.execute(self._sql["keep_answers"], {"answers": Jsonb(msgspec.to_builtins(kept))})
        refused = [item.new.id for item in keyed if item.new.id not in answers]
        if refused:
            await connection.execute(self._sql["free_keys"], {"posts": refused})


def _result(item: Submission, answers: dict[UUID, NewPostView], earlier: Earlier | None) -> Stored:
    if earlier is None:
        answer = answers.get(item.new.id)
        return Stored(answer=answer, refusal="" if answer else "reference_key_taken")
    if item.key is not None and earlier.digest != item.key.digest:
        return Stored(refusal="key_reused")
    if earlier.answer is not None:
        return Stored(answer=msgspec.convert(earlier.answer, NewPostView))
    # The same key twice in one group: the first of them has just been answered.
    answer = answers.get(earlier.post_id)
    return Stored(answer=answer, refusal="" if answer else "key_under_way")


def _refusal(stored: Stored, new: NewPost) -> Exception:
    match stored.refusal:
        case "key_reused":
            return KeyReused("This Idempotency-Key came before with another request; use a new one for a new post.")
        case "key_under_way":
            words = "A request with this Idempotency-Key is under way; send it again in a moment to get its answer."
            return Conflict(words, code="idempotency_key_under_way")
    words = f"The reference key '{new.reference_key}' is taken by another post of this team; use a new one."
    return Conflict(words, code="reference_key_taken")


def _unknown(new: NewPost) -> UnclearPost:
    words = (
        "The database went away while the post was stored, and nobody can tell whether it was; "
        "look it up by its id before you send it again."
    )
    return UnclearPost(words, post_id=new.id, outcome="unknown")
