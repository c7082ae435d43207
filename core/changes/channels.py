"""The channels of accounts: listed from what we keep, read anew, made, renamed and taken away."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.abilities import ChannelFields, Places
from core.accounts.upkeep import Listed
from core.accounts.visits import Visits
from core.changes.absence import deleting, gone, is_gone
from core.changes.change import Asked
from core.changes.changes import Changes, Result
from core.changes.place import asked_at, built, places_of, refuse, too_long
from core.database.queries import queries
from core.drafting import AnyAdapter
from core.errors import Rejected
from core.findings import Finding
from core.post import Channel
from core.session import Session

T = TypeVar("T")


class Channels:
    """The channels of connected accounts. What a platform says no to is raised as a `PublishError`."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        changes: Changes,
        visits: Visits,
        adapters: Mapping[str, AnyAdapter],
    ) -> None:
        self._pool = pool
        self._changes = changes
        self._visits = visits
        self._adapters = adapters
        self._sql = queries("core.changes")

    async def refresh(self, account: Listed) -> list[Channel]:
        """The channels as the platform has them now; kept from here on."""
        channels = list(await self._visit(account, lambda adapter, session: adapter.channels(session)))
        async with self._pool.connection() as connection:
            await self._keep(connection, account, lambda kept: channels, whole=True)
        return channels

    async def read(self, account: Listed, channel_id: str) -> Channel:
        """One channel as the platform has it now, and whether the account may publish to it."""
        places = places_of(self._adapters, account, "read")
        try:
            channel = await self._visit(account, lambda adapter, session: places.read(channel_id, session))
        except Rejected as error:
            if is_gone(error):
                async with self._pool.connection() as connection:
                    await self._keep(connection, account, _without(channel_id))
            raise
        async with self._pool.connection() as connection:
            await self._keep(connection, account, _with(channel))
        return channel

    async def create(self, account: Listed, fields: ChannelFields, key_id: UUID) -> Channel:
        """Make a channel. One whose answer does not come is found by its name before it is made again."""
        places = places_of(self._adapters, account, "create")
        refuse(_faults(fields, places, places.privacies))
        name = fields.name or ""

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return built(await places.create(fields, session))

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            fitting = [channel for channel in await adapter.channels(session) if channel.name == name]
            return built(fitting[0]) if len(fitting) == 1 else None

        lane = sha256(name.casefold().encode()).hexdigest()
        asked = asked_at(account, "channel.create", f"new channel:{lane}", built(fields), key_id, repeatable=False)
        return await self._made(account, asked, act, look)

    async def change(self, account: Listed, channel_id: str, fields: ChannelFields, key_id: UUID) -> Channel:
        """Rename a channel, or change what else is given."""
        places = places_of(self._adapters, account, "change")
        refuse(_faults(fields, places, places.privacy_changes))

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return built(await places.change(channel_id, fields, session))

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            channel = await places.read(channel_id, session)
            return built(channel) if _has(channel, fields) else None

        asked = asked_at(account, "channel.change", f"channel:{channel_id}", built(fields), key_id)
        return await self._made(account, asked, act, look)

    async def delete(self, account: Listed, channel_id: str, key_id: UUID) -> bool:
        """Take a channel away with all that is in it; whether it was still there. Twice is fine."""
        places = places_of(self._adapters, account, "delete")
        asked = asked_at(account, "channel.delete", f"channel:{channel_id}", {}, key_id)
        known = any(channel.id == channel_id for channel in account.channels) or await self._changes.was_armed(asked)

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            return await gone(places.read(channel_id, session))

        async def effect(connection: AsyncConnection[Any], id: UUID, result: Result) -> None:
            await self._keep(connection, account, _without(channel_id))

        act = deleting(lambda session: places.delete(channel_id, session), known=known)
        done = await self._changes.carry_out(asked, act, look, effect)
        return not done.result["already"]

    async def _visit(self, account: Listed, call: Callable[[AnyAdapter, Session], Awaitable[T]]) -> T:
        return await self._visits.visit(account.organization_id, account.id, call)

    async def _made(self, account: Listed, asked: Asked, act: Any, look: Any) -> Channel:
        async def effect(connection: AsyncConnection[Any], id: UUID, result: Result) -> None:
            await self._keep(connection, account, _with(msgspec.convert(result, Channel)))

        done = await self._changes.carry_out(asked, act, look, effect)
        return msgspec.convert(done.result, Channel)

    async def _keep(
        self,
        connection: AsyncConnection[Any],
        account: Listed,
        changed: Callable[[Sequence[Channel]], Sequence[Channel]],
        *,
        whole: bool = False,
    ) -> None:
        """Keep the channels with a change, for every account of the organization that shares the grant."""
        whose = {"organization_id": account.organization_id, "grant_id": account.grant_id}
        rows = await (await connection.execute(self._sql["lock_channels"], whose)).fetchall()
        for id, channels in rows:
            kept = changed(msgspec.convert(channels, list[Channel]))
            slim = [msgspec.structs.replace(channel, description=None) for channel in kept]
            values = {**whose, "id": id, "channels": Jsonb(msgspec.to_builtins(slim)), "whole": whole}
            await connection.execute(self._sql["set_channels"], values)


def _with(channel: Channel) -> Callable[[Sequence[Channel]], Sequence[Channel]]:
    """Channels with one in the place of what was known of it, the newest first."""

    def changed(kept: Sequence[Channel]) -> Sequence[Channel]:
        if any(each.id == channel.id for each in kept):
            return [channel if each.id == channel.id else each for each in kept]
        return [channel, *kept]

    return changed


def _without(channel_id: str) -> Callable[[Sequence[Channel]], Sequence[Channel]]:
    return lambda kept: [channel for channel in kept if channel.id != channel_id]


def _has(channel: Channel, fields: ChannelFields) -> bool:
    wanted = built(fields)
    return all(getattr(channel, name) == value for name, value in wanted.items())


def _faults(fields: ChannelFields, places: Places, privacies: Sequence[str]) -> Iterable[Finding]:
    yield from too_long(fields.name or "", places.name_max)
    if fields.privacy is not None and fields.privacy not in privacies:
        words = f"It can be {', '.join(privacies)} here." if privacies else "That is not chosen on this platform."
        yield Finding(code="not_a_choice", path=("privacy",), message=words)
