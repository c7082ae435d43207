"""The intake of posts: concurrent ones share a statement, and each caller learns what became of its own."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import ForeignKeyViolation, NotNullViolation
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from core.database.express import Express, Row
from core.database.group import AGAIN, CommitUnknown, ConnectionLost, GroupCommit
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, FingerpostError, KeyReused, Unready
from core.events.events import post_events, record
from core.posts.idempotency import ROUTE
from core.posts.new_post import Made, NewPost, answer
from core.posts.views import NewPostView

LOOKUP_SECONDS = 5.0
"""How long we try to look for a post whose commit got no answer."""

_PAUSE = 0.1

_TAKEN = "23505"
"""The SQLSTATE of what another transaction has put in at this very moment: looked at again, it is seen."""

Refusal = Literal["key_under_way", "key_reused", "reference_key_taken", "accounts_changed"]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a post: its answer, or what stood against it."""

    answer: NewPostView | None = None
    refusal: Refusal | None = None


class UnclearPost(Unready):
    """The database went away while a post was written; `outcome` is `unknown` or `not_stored`."""

    def __init__(self, message: str, *, post_id: UUID, outcome: str) -> None:
        super().__init__(message, code=f"post_{outcome}")
        self.post_id = post_id
        self.outcome = outcome


class AccountsChanged(Conflict):
    """The team's accounts are not those with which a post was checked: it has to be checked again."""


class NotAllStored(Exception):
    """Of several posts that were to be stored together none was; `refusals` says by place what stood against which."""

    def __init__(self, refusals: Mapping[int, FingerpostError]) -> None:
        super().__init__(f"{len(refusals)} could not be stored, so none was.")
        self.refusals = refusals


class Intake:
    """Writes new posts with their deliveries, and never says of a stored one that it is not.

    `own` is a pool for nothing else, with connections in autocommit: with one, posts go by an express.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        own: AsyncConnectionPool[AsyncConnection[Any]] | None = None,
    ) -> None:
        self._pool = pool
        self._sql = queries("core.posts")
        again = (*AGAIN, _TAKEN)
        self._group = GroupCommit[NewPost, Stored](pool, self._take_in, again=again)
        self._plain: GroupCommit[NewPost, Stored] | Express[NewPost, Stored] = self._group
        if own is not None:
            self._plain = Express(own, self._sql["take_in"], values=_values, told=_told, otherwise=self._group)
        self._for_review = GroupCommit[NewPost, Stored](pool, self._write_for_review, again=again)
        self._bundles = GroupCommit[Sequence[NewPost], list[Stored]](pool, self._write_bundle, again=again, size=1)
        self._last: dict[object, asyncio.Future[None]] = {}

    async def store(self, new: NewPost) -> NewPostView:
        """Write a post; its answer is given once it is on disk, or the earlier answer under the same key.

        Raises `Conflict` for a reference key that is taken, for a key that is under way, or for an account or
        upload that went away in this moment, `AccountsChanged`, `KeyReused` for a key that came with another request,
        and `UnclearPost` when the database went away.
        """
        claims = _claims(new)
        if not claims:
            return await self._stored(new)
        # What claims the same as another comes behind it and meets it there; together they would fail.
        before = [self._last[claim] for claim in claims if claim in self._last]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last.update(dict.fromkeys(claims, done))
        try:
            if before:
                await asyncio.wait(before)
            return await self._stored(new)
        finally:
            done.set_result(None)
            for claim in claims:
                if self._last.get(claim) is done:
                    del self._last[claim]

    async def _stored(self, new: NewPost) -> NewPostView:
        group = self._for_review if new.status == "REVIEW" else self._plain
        try:
            stored = await group.submit(new)
        except CommitUnknown as error:
            return answer(new, await self._looked_up(new, error))
        except ConnectionLost as error:
            raise _not_stored(new) from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            raise gone(error) from error
        if stored.answer is None:
            raise _refusal(stored, new)
        return stored.answer

    async def store_all(self, posts: Sequence[NewPost]) -> list[NewPostView]:
        """Write several posts in one transaction: all of them or none.

        Raises `NotAllStored`, and what `store` raises where that concerns all of them.
        """
        if not posts:
            return []
        try:
            stored = await self._bundles.submit(posts)
        except CommitUnknown as error:
            stored_at = await self._looked_up(posts[0], error)
            return [answer(new, stored_at) for new in posts]
        except ConnectionLost as error:
            raise _not_stored(posts[0]) from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            raise gone(error) from error
        return [each.answer for each in stored if each.answer is not None]

    async def aclose(self) -> None:
        """Finish what is being written."""
        for group in (self._plain, self._group, self._for_review, self._bundles):
            await group.aclose()

    async def _looked_up(self, new: NewPost, lost: CommitUnknown) -> datetime:
        """When the post was stored. Raises `UnclearPost` where it was not, or where nobody can tell."""
        values = {"organization_id": new.organization_id, "id": new.id, "lost": lost.backend}
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                while True:
                    try:
                        async with single(self._pool) as connection:
                            ended, own = await _row(connection, self._sql["has_ended"], values)
                            # What was not there after its writer had ended will not come any more.
                            stored = await _row(connection, self._sql["stored_at"], values)
                            if stored is not None:
                                stored_at: datetime = stored[0]
                                return stored_at
                            if ended and own == connection.info.backend_pid:
                                raise _not_stored(new) from lost
                    except (OperationalError, PoolTimeout):
                        pass
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise _unknown(new) from lost

    async def _take_in(self, connection: AsyncConnection[Any], posts: Sequence[NewPost]) -> list[Stored]:
        values = {name: value.decode() for name, value in _values(posts).items()}
        cursor = await connection.execute(self._sql["take_in"], values)
        return _told(posts, await cursor.fetchall())

    async def _write_for_review(self, connection: AsyncConnection[Any], group: Sequence[NewPost]) -> list[Stored]:
        stored = await self._take_in(connection, group)
        await _ask_for_reviews(connection, group, stored)
        return stored

    async def _write_bundle(
        self, connection: AsyncConnection[Any], group: Sequence[Sequence[NewPost]]
    ) -> list[list[Stored]]:
        (bundle,) = group
        stored: list[Stored] = []
        for posts in _apart(bundle):
            stored += await self._take_in(connection, posts)
        refusals = {place: _refusal(each, bundle[place]) for place, each in enumerate(stored) if each.answer is None}
        if refusals:
            raise NotAllStored(refusals)
        await _ask_for_reviews(connection, bundle, stored)
        return [stored]


async def _row(connection: AsyncConnection[Any], query: Any, values: Mapping[str, Any]) -> Any:
    return await (await connection.execute(query, values)).fetchone()


async def _ask_for_reviews(
    connection: AsyncConnection[Any], posts: Sequence[NewPost], stored: Sequence[Stored]
) -> None:
    """Tell of the posts that wait for approval from now on; an earlier answer tells of nothing new."""
    waiting = {
        new.id: "post.review_requested"
        for new, each in zip(posts, stored, strict=True)
        if new.status == "REVIEW" and each.answer is not None and each.answer.id == new.id
    }
    await record(connection, await post_events(connection, waiting))


def _claims(new: NewPost) -> list[object]:
    """What no two posts may have."""
    claims: list[object] = []
    if new.key is not None:
        claims.append((new.organization_id, "key", new.key))
    if new.reference_key is not None:
        claims.append((new.team_id, "reference key", new.reference_key))
    return claims


def _apart(posts: Sequence[NewPost]) -> Iterator[Sequence[NewPost]]:
    """Posts in as few parts as may be, in their order, in each of which no two claim the same."""
    part: list[NewPost] = []
    claimed: set[object] = set()
    for new in posts:
        claims = _claims(new)
        if not claimed.isdisjoint(claims):
            yield part
            part, claimed = [], set()
        part.append(new)
        claimed.update(claims)
    if part:
        yield part


def _values(posts: Sequence[NewPost]) -> dict[str, bytes]:
    return {"posts": msgspec.json.encode(posts), "route": ROUTE.encode()}


def _told(posts: Sequence[NewPost], rows: Sequence[Row]) -> list[Stored]:
    """What the verdicts on posts mean to their authors."""
    moments: dict[str | None, datetime] = {row[2]: datetime.fromisoformat(row[2]) for row in rows if row[2]}
    verdicts = {row[0]: row for row in rows}
    return [_meaning(new, verdicts[str(new.id)], moments) for new in posts]


def _meaning(new: NewPost, row: Row, moments: Mapping[str | None, datetime]) -> Stored:
    _, verdict, stored_at, digest, earlier, made, earlier_at = row
    if verdict == "sound":
        return Stored(answer=answer(new, moments[stored_at]))
    if verdict != "key_used":
        return Stored(refusal=verdict)  # type: ignore[arg-type]  # it is one of these
    if new.digest is None or digest != new.digest.hex():
        return Stored(refusal="key_reused")
    assert earlier is not None
    assert made is not None
    assert earlier_at is not None
    made_then = msgspec.json.decode(made, type=Made)
    return Stored(answer=answer(new, datetime.fromisoformat(earlier_at), id=UUID(earlier), made=made_then))


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
        case "accounts_changed":
            return AccountsChanged("The team's accounts were changed in this very moment; send it again.")
    return reference_key_taken(new.reference_key)


def reference_key_taken(key: str | None) -> Conflict:
    """What stands against a post whose reference key another post of its team has."""
    words = f"The reference key '{key}' is taken by another post of this team; use a new one."
    return Conflict(words, code="reference_key_taken")


def _not_stored(new: NewPost) -> UnclearPost:
    words = "The database went away, and nothing was stored; send it again."
    return UnclearPost(words, post_id=new.id, outcome="not_stored")


def _unknown(new: NewPost) -> UnclearPost:
    words = (
        "The database went away while the post was stored, and nobody can tell whether it was; "
        "look it up by its id before you send it again."
    )
    return UnclearPost(words, post_id=new.id, outcome="unknown")
