"""The intake of posts: concurrent ones share a transaction, and each caller learns what became of its own."""

import asyncio
from collections.abc import Mapping, Sequence
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
from core.errors import Conflict, FingerpostError, KeyReused, Unready
from core.events.events import post_events, record
from core.posts.idempotency import Claim, Earlier, Key, earlier_uses
from core.posts.views import NewPostView, stamped

LOOKUP_SECONDS = 5.0
"""How long we try to look for a post whose commit got no answer."""

_PAUSE = 0.1


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A block that is to go to an account, and how many calls of which category that takes."""

    id: UUID
    social_account_id: UUID
    platform: str
    position: int
    block: dict[str, Any]
    calls: Mapping[str, int]


class NewPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that was found sound. `content` is the request as sent; `max_delay` is in seconds.

    `folded` and `terms` are what it is found by in a list.
    """

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
    folded: str
    terms: list[str]


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A post on its way in, its answer as far as it is known before it is stored, and the client's key for it."""

    new: NewPost
    answer: NewPostView
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


class NotAllStored(Exception):
    """Of several posts that were to be stored together none was; `refusals` says by place what stood against which."""

    def __init__(self, refusals: Mapping[int, FingerpostError]) -> None:
        super().__init__(f"{len(refusals)} could not be stored, so none was.")
        self.refusals = refusals


class Intake:
    """Writes new posts with their deliveries, and never says of a stored one that it is not."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._sql = queries("core.posts")
        self._group = GroupCommit[Submission, Stored](pool, self._write)
        self._bundles = GroupCommit[Sequence[Submission], list[Stored]](pool, self._write_bundle, size=1)

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
            return stamped(submission.answer, created_at)
        except ConnectionLost as error:
            words = "The database went away, and the post was not stored; send it again."
            raise UnclearPost(words, post_id=new.id, outcome="not_stored") from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            raise gone(error) from error
        if stored.answer is None:
            raise _refusal(stored, new)
        return stored.answer

    async def store_all(self, submissions: Sequence[Submission]) -> list[NewPostView]:
        """Write several posts in one transaction: all of them or none.

        Raises `NotAllStored`, and what `store` raises where that concerns all of them.
        """
        if not submissions:
            return []
        try:
            stored = await self._bundles.submit(submissions)
        except CommitUnknown as error:
            created_at = await self._looked_up(submissions[0].new)
            if created_at is None:
                raise _unknown(submissions[0].new) from error
            return [stamped(submission.answer, created_at) for submission in submissions]
        except ConnectionLost as error:
            words = "The database went away, and nothing was stored; send it all again."
            raise UnclearPost(words, post_id=submissions[0].new.id, outcome="not_stored") from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            raise gone(error) from error
        return [each.answer for each in stored if each.answer is not None]

    async def aclose(self) -> None:
        """Finish what is being written."""
        await self._group.aclose()
        await self._bundles.aclose()

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
        claims = {
            item.new.id: Claim.of(item.new.id, item.new.organization_id, item.key, item.answer)
            for item in group
            if item.key
        }
        sent = {"posts": Jsonb([item.new for item in group]), "keys": Jsonb(list(claims.values()))}
        cursor = await connection.execute(self._sql["take_in"], sent)
        rows = [row async for row in cursor]
        stored_at = {id: created_at for id, created_at, _ in rows if created_at is not None}
        refused = [id for id, created_at, claimed in rows if claimed and created_at is None]
        if refused:
            await connection.execute(self._sql["free_keys"], {"posts": refused})
        used = [claims[id] for id, _, claimed in rows if id in claims and not claimed]
        earlier = await earlier_uses(connection, used) if used else {}
        await _ask_for_reviews(connection, [item.new for item in group if item.new.id in stored_at])
        answers = {
            item.new.id: stamped(item.answer, stored_at[item.new.id]) for item in group if item.new.id in stored_at
        }
        return [_result(item, answers, earlier.get(item.new.id)) for item in group]

    async def _write_bundle(
        self, connection: AsyncConnection[Any], group: Sequence[Sequence[Submission]]
    ) -> list[list[Stored]]:
        (bundle,) = group
        stored = await self._write(connection, bundle)
        refusals = {
            place: _refusal(each, bundle[place].new) for place, each in enumerate(stored) if each.answer is None
        }
        if refusals:
            raise NotAllStored(refusals)
        return [stored]


async def _ask_for_reviews(connection: AsyncConnection[Any], posts: Sequence[NewPost]) -> None:
    waiting = {new.id: "post.review_requested" for new in posts if new.status == "REVIEW"}
    await record(connection, await post_events(connection, waiting))


def _result(item: Submission, answers: dict[UUID, NewPostView], earlier: Earlier | None) -> Stored:
    if earlier is None:
        answer = answers.get(item.new.id)
        return Stored(answer=answer, refusal="" if answer else "reference_key_taken")
    if item.key is not None and earlier.digest != item.key.digest:
        return Stored(refusal="key_reused")
    if earlier.answer is not None and earlier.stored_at is not None:
        return Stored(answer=stamped(msgspec.convert(earlier.answer, NewPostView), earlier.stored_at))
    return Stored(refusal="key_under_way")


def gone(error: ForeignKeyViolation | NotNullViolation) -> Exception:
    """What stands against a post that names something which has just gone; any other fault of a row is ours."""
    if isinstance(error, NotNullViolation) and error.diag.column_name != "grant_id":
        return error
    words = "An account was disconnected or an upload deleted in this very moment; look, and send it again."
    return Conflict(words)


def _refusal(stored: Stored, new: NewPost) -> FingerpostError:
    match stored.refusal:
        case "key_reused":
            return KeyReused("This Idempotency-Key came before with another request; use a new one for a new post.")
        case "key_under_way":
            words = "A request with this Idempotency-Key is under way; send it again in a moment to get its answer."
            return Conflict(words, code="idempotency_key_under_way")
    return reference_key_taken(new.reference_key)


def reference_key_taken(key: str | None) -> Conflict:
    """What stands against a post whose reference key another post of its team has."""
    words = f"The reference key '{key}' is taken by another post of this team; use a new one."
    return Conflict(words, code="reference_key_taken")


def _unknown(new: NewPost) -> UnclearPost:
    words = (
        "The database went away while the post was stored, and nobody can tell whether it was; "
        "look it up by its id before you send it again."
    )
    return UnclearPost(words, post_id=new.id, outcome="unknown")
