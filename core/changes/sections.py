"""The sections of channels: read, made, renamed and taken away on the platform; nothing of them is kept."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from core.abilities import Places, Section
from core.accounts.upkeep import Listed
from core.accounts.visits import Visits
from core.changes.absence import deleting
from core.changes.change import Asked
from core.changes.changes import Changes, Result
from core.changes.place import asked_at, built, places_of, refuse, too_long
from core.drafting import AnyAdapter
from core.session import Session


class Sections:
    """The sections of the channels of connected accounts. What a platform says no to is raised as a `PublishError`."""

    def __init__(self, changes: Changes, visits: Visits, adapters: Mapping[str, AnyAdapter]) -> None:
        self._changes = changes
        self._visits = visits
        self._adapters = adapters

    async def of(self, account: Listed, channel_id: str) -> list[Section]:
        """The sections of a channel, as the platform has them now."""
        places = places_of(self._adapters, account, "sections")
        return list(
            await self._visits.visit(
                account.organization_id, account.id, lambda adapter, session: places.sections(channel_id, session)
            )
        )

    async def create(self, account: Listed, channel_id: str, name: str, key_id: UUID) -> Section:
        """Make a section. One whose answer does not come is found by its name before it is made again."""
        places = places_of(self._adapters, account, "create_section")
        refuse(too_long(name, places.section_max))

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return built(await places.create_section(channel_id, name, session))

        asked = asked_at(account, "section.create", f"channel:{channel_id}", {"name": name}, key_id, repeatable=False)
        look = _looked(places, channel_id, lambda section: section.name == name)
        return await self._made(asked, act, look)

    async def rename(self, account: Listed, channel_id: str, section_id: str, name: str, key_id: UUID) -> Section:
        """Give a section another name."""
        places = places_of(self._adapters, account, "rename_section")
        refuse(too_long(name, places.section_max))

        async def act(adapter: AnyAdapter, session: Session) -> Result:
            return built(await places.rename_section(channel_id, section_id, name, session))

        request = {"sectionId": section_id, "name": name}
        asked = asked_at(account, "section.change", f"channel:{channel_id}", request, key_id)
        look = _looked(places, channel_id, lambda section: (section.id, section.name) == (section_id, name))
        return await self._made(asked, act, look)

    async def delete(self, account: Listed, channel_id: str, section_id: str, key_id: UUID) -> bool:
        """Take a section away; whether it was still there. Twice is fine."""
        places = places_of(self._adapters, account, "delete_section")
        request = {"sectionId": section_id}
        asked = asked_at(account, "section.delete", f"channel:{channel_id}", request, key_id)
        known = await self._changes.was_armed(asked)

        async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
            there = await places.sections(channel_id, session)
            return None if any(section.id == section_id for section in there) else {"already": False}

        act = deleting(lambda session: places.delete_section(channel_id, section_id, session), known=known)
        done = await self._changes.carry_out(asked, act, look, _nothing)
        return not done.result["already"]

    async def _made(self, asked: Asked, act: Any, look: Any) -> Section:
        done = await self._changes.carry_out(asked, act, look, _nothing)
        return msgspec.convert(done.result, Section)


def _looked(places: Places, channel_id: str, fits: Callable[[Section], bool]) -> Any:
    async def look(adapter: AnyAdapter, session: Session, since: datetime) -> Result | None:
        fitting = [section for section in await places.sections(channel_id, session) if fits(section)]
        return built(fitting[0]) if len(fitting) == 1 else None

    return look


async def _nothing(connection: AsyncConnection[Any], id: UUID, result: Result) -> None:
    """Nothing of it is kept."""
