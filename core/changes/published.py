"""What is live of a delivery: read, changed, taken off its platform, and saved to another channel."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from core.abilities import Aftercare, Live
from core.accounts.upkeep import Listed, Upkeep
from core.accounts.visits import Visits
from core.changes.absence import deleting, gone, is_gone
from core.changes.change import Asked, Change, Done
from core.changes.changes import Changes, Look, Result
from core.changes.sound import sound_changes
from core.database.pool import single
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import Conflict, NotFound, NotSupported, Rejected
from core.events.data import ChangeData
from core.events.events import Event, record
from core.ledger.states import State
from core.post import Account, Draft
from core.session import Session


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that went out, as far as its aftercare needs it."""

    id: UUID
    organization_id: UUID
    team_id: UUID
    post_id: UUID
    social_account_id: UUID
    grant_id: UUID
    platform: str
    state: State
    block: dict[str, Any]
    external_id: str | None
    permalink: str | None
    removed_at: datetime | None


class Removed(Conflict):
    """It was taken off its platform before."""

    code = "published_removed"


class PublishedPosts:
    """The aftercare of deliveries. What a platform says no to is raised as a `PublishError`."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        changes: Changes,
        visits: Visits,
        upkeep: Upkeep,
        adapters: Mapping[str, AnyAdapter],
    ) -> None:
        self._pool = pool
        self._changes = changes
        self._visits = visits
        self._upkeep = upkeep
        self._adapters = adapters
        self._sql = queries("core.changes")

    async def read(self, organization_id: UUID, delivery_id: UUID) -> Live:
        """What is there now. Raises `Removed` where that was taken away, or is found to be."""
        published = await self._published(organization_id, delivery_id)
        care, external_id = self._care(published, "read"), _there(published)
        try:
            return await self._visits.visit(
                organization_id, published.social_account_id, lambda adapter, session: care.read(external_id, session)
            )
        except Rejected as error:
            raise await self._lost(published, error) from error

    async def change(self, organization_id: UUID, delivery_id: UUID, sent: object, key_id: UUID) -> Done:
        """Change fields of the block. What is so already is not sent again. Raises `InvalidPost` with every fault."""
        published = await self._published(organization_id, delivery_id)
        care, external_id = self._care(published, "change"), _there(published)
        account = await self._upkeep.one(organization_id, published.social_account_id)
        draft, names = sound_changes(self._adapters[published.platform], sent, published.block, _account(account))

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return _built(await care.change(external_id, draft, names, session))

        asked = self._asked(published, "change", {name: _wanted(draft, name) for name in names}, key_id)
        asked = msgspec.structs.replace(asked, look_first=True)
        look = _changed(care, external_id, draft, names)
        try:
            return await self._changes.carry_out(asked, act, look, self._effect(published, "changed", names))
        except Rejected as error:
            raise await self._lost(published, error) from error

    async def delete(self, organization_id: UUID, delivery_id: UUID, key_id: UUID) -> Done:
        """Take it off the platform. Twice is fine: the second time nothing is called."""
        published = await self._published(organization_id, delivery_id)
        care = self._care(published, "delete")
        if published.removed_at is not None:
            before = await self._changes.last_done(organization_id, delivery_id, "delete")
            return Done(id=before.id if before else None, result={"already": True})
        external_id = _there(published)

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            return await gone(care.read(external_id, session))

        act = deleting(lambda session: care.delete(external_id, session), known=True)
        asked = self._asked(published, "delete", {}, key_id)
        return await self._changes.carry_out(asked, act, look, self._effect(published, "removed", ()))

    async def save(
        self, organization_id: UUID, delivery_id: UUID, channel_id: str, section_id: str | None, key_id: UUID
    ) -> Done:
        """Put a copy into another channel. The same again answers the copy that was made, as long as it is there."""
        published = await self._published(organization_id, delivery_id)
        care, external_id = self._care(published, "save"), _there(published)
        request = {"channelId": channel_id, "sectionId": section_id}
        before = await self._changes.last_done(organization_id, delivery_id, "save", request)
        if before is not None and await self._is_there(published, care, before):
            return before

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return _built(await care.save(external_id, channel_id, section_id, session))

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            copy = await care.saved(external_id, channel_id, since, session)
            return _built(copy) if copy is not None else None

        asked = self._asked(published, "save", request, key_id)
        asked = msgspec.structs.replace(asked, repeatable=False, object=f"save {external_id}")
        return await self._changes.carry_out(asked, act, look, self._effect(published, "saved", ()))

    async def history(self, organization_id: UUID, post_id: UUID) -> list[Change]:
        """Every change that was asked for at the deliveries of a post."""
        return await self._changes.of_post(organization_id, post_id)

    async def _published(self, organization_id: UUID, delivery_id: UUID) -> Published:
        values = {"organization_id": organization_id, "id": delivery_id}
        async with single(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(self._sql["published"], values)
            row = await cursor.fetchone()
        if row is None:
            raise NotFound("There is no such delivery.")
        return msgspec.convert(row, Published)

    def _care(self, published: Published, ability: str) -> Aftercare:
        """What the platform can do with what is live. Raises `NotSupported` where it cannot do this."""
        adapter = self._adapters.get(published.platform)
        care = adapter.aftercare if adapter is not None else None
        if care is None or ability not in care.offers:
            label = adapter.label if adapter is not None else published.platform
            raise NotSupported(f"{label} does not offer this for what is published: {ability}.")
        return care

    async def _is_there(self, published: Published, care: Aftercare, before: Done) -> bool:
        """Whether a copy that was made before is still on the platform."""
        id = str(before.result["external_id"])
        try:
            await self._visits.visit(
                published.organization_id, published.social_account_id, lambda _, session: care.read(id, session)
            )
        except Rejected as error:
            if not is_gone(error):
                raise
            return False
        return True

    async def _lost(self, published: Published, error: Rejected) -> Exception:
        """A refusal; where it says that nothing is there any more, that is written down."""
        if not is_gone(error) or error.code not in _of_post(self._adapters[published.platform]):
            return error
        async with self._pool.connection() as connection:
            await self._remove(connection, published)
        return Removed("It is no longer on the platform.")

    def _asked(self, published: Published, kind: str, request: Result, key_id: UUID) -> Asked:
        return Asked(
            organization_id=published.organization_id,
            account_id=published.social_account_id,
            grant_id=published.grant_id,
            kind=kind,
            object=f"post {published.external_id}",
            request=request,
            delivery_id=published.id,
            api_key_id=key_id,
        )

    def _effect(self, published: Published, word: str, names: Sequence[str]) -> Any:
        """What follows from a change: an event, and that it is gone."""

        async def effect(connection: AsyncConnection[Any], id: UUID, result: Result) -> None:
            lock = queries("core.ledger")["lock_posts"]
            await connection.execute(lock, {"ids": [published.post_id]})
            if word == "removed":
                await self._remove(connection, published)
            data = ChangeData(
                change_id=id,
                delivery_id=published.id,
                post_id=published.post_id,
                team_id=published.team_id,
                platform=published.platform,
                social_account_id=published.social_account_id,
                external_id=str(published.external_id),
                fields=list(names),
                copy_id=result["external_id"] if word == "saved" else None,
                permalink=result.get("permalink"),
            )
            event = Event(
                organization_id=published.organization_id,
                team_id=published.team_id,
                type=f"delivery.{word}",
                subject=published.post_id,
                data=data,
            )
            await record(connection, [event])

        return effect

    async def _remove(self, connection: AsyncConnection[Any], published: Published) -> None:
        values = {
            "organization_id": published.organization_id,
            "id": published.id,
            "external_id": published.external_id,
        }
        await connection.execute(self._sql["remove"], values)


def _there(published: Published) -> str:
    """The platform's id of what is live. Raises `Conflict` where nothing is."""
    if published.removed_at is not None:
        raise Removed("It was taken off the platform before.")
    if published.state is not State.PUBLISHED or published.external_id is None:
        raise Conflict(f"The delivery is {published.state}: nothing of it is known to be live.")
    return published.external_id


def _changed(care: Aftercare, external_id: str, draft: Draft[Any], names: Sequence[str]) -> Look:
    async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
        live = await care.read(external_id, session)
        return _built(live) if care.shows(live, draft, names, session) else None

    return look


def _of_post(adapter: AnyAdapter) -> frozenset[str]:
    """The codes by which the platform says that a post is gone, and not its channel."""
    return adapter.aftercare.gone if adapter.aftercare is not None else frozenset()


def _account(account: Listed) -> Account:
    return Account(
        id=str(account.id),
        platform=account.platform,
        username=account.username,
        external_user=account.external_user,
        channels=tuple(account.channels),
        channel_id=account.channel_id,
    )


def _wanted(draft: Draft[Any], name: str) -> Any:
    return msgspec.to_builtins(draft.block).get(name)


def _built(live: Live) -> Result:
    built: Result = msgspec.to_builtins(live)
    return built
