"""Changing: posts rewritten as a whole, approved and rejected, as long as nothing of them is on its way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import ForeignKeyViolation, NotNullViolation, UniqueViolation
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.notices import Notices
from core.database.pool import single
from core.database.queries import queries
from core.errors import Conflict, InvalidPost, NotFound, PreconditionFailed
from core.events.events import post_events, record
from core.findings import Finding, Report
from core.ledger.moves import Outcome, Subject, move
from core.ledger.states import WAITING, State
from core.posts.intake import gone, reference_key_taken
from core.posts.new_post import NewDelivery, NewPost
from core.posts.posts import Posts
from core.posts.views import ChangedPostView, FullPostView
from core.tenants.callers import WHOLE, Reach

TRIES = 5
"""So often a change is made anew that met another one."""

Verdict = Literal["approved", "rejected"]
_TELLS: Mapping[Verdict, str] = {"approved": "post.approved", "rejected": "post.rejected"}

_ABOUT_THE_POST = frozenset({"postDate", "status", "referenceKey", "maxDelay", "firstComment"})
"""Fields that change nothing of what is sent."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody with this API key says of a post's content."""

    verdict: Verdict
    key_id: UUID
    note: str | None = None


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    content: dict[str, Any]
    status: str


class _Held(Subject, frozen=True, kw_only=True):
    """A delivery that is held, and which of its platform's blocks it is of."""

    position: int

    @property
    def place(self) -> tuple[str, UUID, int]:
        return (self.platform, self.social_account_id, self.position)

    @property
    def is_untouched(self) -> bool:
        """Whether no worker ever had it and nobody was told anything of it."""
        return self.fence == 0 and self.state in (State.SCHEDULED, State.QUEUED)


class Changing:
    """Changes to what a post says. Each is made whole, checked like a create, or refused with a reason.

    A post is looked at and checked first, then held, and changed if it is still the same: so no worker takes anything
    of it meanwhile, and what was checked is what is stored.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]], posts: Posts, notices: Notices) -> None:
        self._pool = pool
        self._posts = posts
        self._notices = notices
        self._sql = queries("core.posts", "changing.sql")

    async def change(
        self,
        organization_id: UUID,
        post_id: UUID,
        changes: object,
        *,
        within: Reach = WHOLE,
        expected: Callable[[FullPostView], bool] | None = None,
    ) -> ChangedPostView:
        """The post with these fields of its request changed; of `data` each block that is given.

        A field that is null is taken out. Raises `InvalidPost` with every finding on the whole, `NotFound`,
        `Conflict` where it is too late, and `PreconditionFailed` where the post is not as the caller expects it.
        """
        if not isinstance(changes, dict):
            raise InvalidPost(Report((Finding(code="wrong_type", path=(), message="Has to be an object."),)))

        def changed(seen: _Seen) -> dict[str, Any]:
            if seen.status == "REVIEW" and changes.get("status") == "SCHEDULED":
                raise Conflict("The post waits for approval; approve it, or take it back as a DRAFT.", code="in_review")
            return _merged(seen.content, changes)

        return await self._changed(organization_id, post_id, changed, within=within, expected=expected)

    async def approve(
        self, organization_id: UUID, post_id: UUID, review: Review, *, within: Reach = WHOLE
    ) -> ChangedPostView:
        """Let a post that waits for approval go out at its date; it is checked once more. Raises like `change`."""

        def approved(seen: _Seen) -> dict[str, Any]:
            _refuse_unless_in_review(seen)
            return {**seen.content, "status": "SCHEDULED"}

        return await self._changed(organization_id, post_id, approved, within=within, review=review)

    async def reject(self, organization_id: UUID, post_id: UUID, review: Review) -> FullPostView:
        """Make a draft again of a post that waits for approval. Raises `NotFound`, and `Conflict` where it does not."""
        values = {"organization_id": organization_id, "post_id": post_id}
        async with self._pool.connection() as connection:
            seen = await self._read(connection, "hold", values)
            _refuse_unless_in_review(seen)
            await connection.execute(self._sql["send_back"], values)
            await self._judge(connection, values, review)
        self._notices.tell("webhooks")
        return await self._posts.get(organization_id, str(post_id))

    async def _changed(
        self,
        organization_id: UUID,
        post_id: UUID,
        changed: Callable[[_Seen], dict[str, Any]],
        *,
        within: Reach,
        expected: Callable[[FullPostView], bool] | None = None,
        review: Review | None = None,
    ) -> ChangedPostView:
        values = {"organization_id": organization_id, "post_id": post_id}
        for _ in range(TRIES):
            async with single(self._pool) as connection:
                seen = await self._read(connection, "seen", values)
                cursor = await connection.execute(self._sql["states"], values)
                _refuse_late([(row[0], State(row[1])) async for row in cursor])
            if expected is not None and not expected(await self._posts.get(organization_id, str(post_id))):
                raise PreconditionFailed("The post has changed since you read it; read it again, and decide anew.")
            body = changed(seen)
            new = await self._posts.preparation.prepared(organization_id, body, within=within)
            if await self._written(values, seen, new, review):
                self._notices.tell("deliveries")
                self._notices.tell("webhooks")
                return await self._answer(organization_id, post_id, new)
        raise Conflict("The post was changed by others all the while; look at it, and try again.")

    async def _answer(self, organization_id: UUID, post_id: UUID, new: NewPost) -> ChangedPostView:
        view = await self._posts.get(organization_id, str(post_id))
        return ChangedPostView(**msgspec.structs.asdict(view), warnings=new.made.warnings)

    async def _written(self, values: dict[str, Any], seen: _Seen, new: NewPost, review: Review | None) -> bool:
        """Store what was checked, if the post is still what was seen; says whether it was."""
        try:
            async with self._pool.connection() as connection:
                if await self._read(connection, "hold", values) != seen:
                    return False
                held = await self._held(connection, values)
                _refuse_late([(each.platform, each.state) for each in held])
                await self._rewrite(connection, values, new)
                await self._replace(connection, values, seen, new, held)
                await self._tell(connection, values, seen, new, review)
        except UniqueViolation as error:
            if new.reference_key is None:
                raise
            raise reference_key_taken(new.reference_key) from error
        except (ForeignKeyViolation, NotNullViolation) as error:
            raise gone(error) from error
        return True

    async def _read(self, connection: AsyncConnection[Any], query: str, values: Mapping[str, Any]) -> _Seen:
        row = await (await connection.execute(self._sql[query], values)).fetchone()
        if row is None:
            raise NotFound("There is no such post.")
        return _Seen(content=row[0], status=_sort_of(row[1]))

    async def _held(self, connection: AsyncConnection[Any], values: Mapping[str, Any]) -> list[_Held]:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["hold_deliveries"], values)
            rows = [msgspec.convert(row, _Held) async for row in cursor]
        return [row for row in rows if row.state is not State.CANCELLED]

    async def _rewrite(self, connection: AsyncConnection[Any], values: Mapping[str, Any], new: NewPost) -> None:
        sent: dict[str, Any] = msgspec.to_builtins(new)
        del sent["deliveries"]
        await connection.execute(self._sql["rewrite"], {**values, "post": Jsonb(sent)})

    async def _replace(
        self,
        connection: AsyncConnection[Any],
        values: Mapping[str, Any],
        seen: _Seen,
        new: NewPost,
        held: Sequence[_Held],
    ) -> None:
        """Bring the deliveries to what the post says now.

        One stays where its block goes to the same account and it was never tried, or sends the same as before: an
        attempt that has ended without a trace may have left one on the platform under the delivery's key. Of the
        others, those that were tried are called off and stay to be seen; the rest is taken away.
        """
        same = _sent(seen.content) == _sent(new.content)
        there = {each.place: each for each in held if same or each.fence == 0}
        paired = [(there.get((each.platform, each.social_account_id, each.position)), each) for each in new.deliveries]
        kept = [msgspec.structs.replace(each, id=old.id) for old, each in paired if old]
        staying = {each.id for each in kept}
        withdrawn = {each.id for each in held if each.is_untouched and each.id not in staying}
        await connection.execute(self._sql["withdraw"], {**values, "ids": list(withdrawn)})
        await self._place(connection, values, new, [each for old, each in paired if old is None])
        await connection.execute(self._sql["refill"], {**values, "deliveries": Jsonb(kept)})
        due_in = await self._seconds_until(connection, new)
        later = Outcome(state=State.SCHEDULED, due_in=due_in, anew=True, patience=new.max_delay)
        off = Outcome(state=State.CANCELLED)
        await move(
            connection, [(each, later if each.id in staying else off) for each in held if each.id not in withdrawn]
        )

    async def _place(
        self, connection: AsyncConnection[Any], values: Mapping[str, Any], new: NewPost, fresh: Sequence[NewDelivery]
    ) -> None:
        if not fresh:
            return
        placed = {**values, "max_delay": new.max_delay, "deliveries": Jsonb(list(fresh))}
        await connection.execute(self._sql["place"], placed)

    async def _seconds_until(self, connection: AsyncConnection[Any], new: NewPost) -> float:
        """By the database's clock, which alone decides what is due; zero for what is past."""
        row = await (await connection.execute(self._sql["seconds_until"], {"moment": new.post_date})).fetchone()
        assert row is not None
        return float(row[0])

    async def _tell(
        self,
        connection: AsyncConnection[Any],
        values: Mapping[str, Any],
        seen: _Seen,
        new: NewPost,
        review: Review | None,
    ) -> None:
        if review is not None:
            await self._judge(connection, values, review)
        elif new.status == "REVIEW" != seen.status:
            events = await post_events(connection, {values["post_id"]: "post.review_requested"})
            await record(connection, events)

    async def _judge(self, connection: AsyncConnection[Any], values: Mapping[str, Any], review: Review) -> None:
        await connection.execute(self._sql["judge"], {**values, **msgspec.structs.asdict(review)})
        events = await post_events(connection, {values["post_id"]: _TELLS[review.verdict]})
        await record(connection, events)


def _merged(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The request as it would have been sent with the changes."""
    if changes.get("teamId", content["teamId"]) != content["teamId"]:
        words = "A post stays in its team; leave teamId out, or create the post anew in the other one."
        raise InvalidPost(Report((Finding(code="team_fixed", path=("teamId",), message=words),)))
    merged = {**content, **changes}
    asked, before, given = merged.get("socialAccountTypes"), content.get("data"), changes.get("data", {})
    if isinstance(asked, list) and isinstance(before, dict) and isinstance(given, dict):
        # The block of a platform that it no longer goes to goes with it.
        merged["data"] = {name: block for name, block in before.items() if name in asked} | given
        merged["data"] = {name: block for name, block in merged["data"].items() if block is not None}
    return {name: value for name, value in merged.items() if value is not None}


def _sent(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says to the platforms."""
    return {name: value for name, value in content.items() if name not in _ABOUT_THE_POST}


def _sort_of(status: str) -> str:
    """The status as far as a person has set it; the rest are words for how far the deliveries have come."""
    return status if status in ("DRAFT", "REVIEW") else "SCHEDULED"


def _refuse_unless_in_review(seen: _Seen) -> None:
    if seen.status != "REVIEW":
        raise Conflict("The post does not wait for approval.", code="not_in_review")


def _refuse_late(deliveries: Sequence[tuple[str, State]]) -> None:
    """Raise `Conflict` for the first delivery that does not wait any more."""
    for platform, state in deliveries:
        if state not in WAITING and state is not State.CANCELLED:
            words = "has gone out, is under way, or has ended, so the post cannot be changed any more"
            raise Conflict(f"The post's delivery to {platform} is {state}: it {words}.", code="not_editable")
