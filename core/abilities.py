"""Abilities beside publishing that a platform may have: its channels, what is live there, and the figures of it.

An adapter overrides the methods that its platform has; the others are answered as not supported. Every method is
handed a session. Those that change something are called past a point of no return: they make one write, and an answer
that does not come is looked up by the methods that read.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from inspect import iscoroutinefunction
from typing import Any, ClassVar

import msgspec

from core.post import Channel, Draft, Privacy
from core.session import Session


class Ability:
    """A group of things that a platform may be able to do."""

    @property
    def offers(self) -> tuple[str, ...]:
        """What of it the platform can do, by the names of its methods."""
        (base,) = (kind for kind in type(self).__mro__ if Ability in kind.__bases__)
        names = [name for name, member in vars(base).items() if iscoroutinefunction(member)]
        return tuple(name for name in names if getattr(type(self), name) is not getattr(base, name))


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a channel."""

    id: str
    name: str


class ChannelFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is to be like; a field that is None is left as it is, or to the platform."""

    name: str | None = None
    description: str | None = None
    privacy: Privacy | None = None


class Places(Ability):
    """The channels of an account, and their sections.

    A channel or section that is not there is refused with the platform's status 404. `name_max` and `section_max` are
    the longest names in characters, where there is a bound; `privacies` those that a new channel may have, none
    where that is not chosen, and `privacy_changes` those that it may be given later.
    """

    name_max: ClassVar[int | None] = None
    section_max: ClassVar[int | None] = None
    privacies: ClassVar[tuple[Privacy, ...]] = ()
    privacy_changes: ClassVar[tuple[Privacy, ...]] = ()

    async def read(self, channel_id: str, session: Session) -> Channel:
        """The channel as it is now, with its description, and whether the account may publish to it."""
        raise NotImplementedError

    async def create(self, fields: ChannelFields, session: Session) -> Channel:
        """Make a channel; its name is given."""
        raise NotImplementedError

    async def change(self, channel_id: str, fields: ChannelFields, session: Session) -> Channel:
        """Rename a channel, or change what else is given."""
        raise NotImplementedError

    async def delete(self, channel_id: str, session: Session) -> None:
        """Take a channel away, with all that is in it."""
        raise NotImplementedError

    async def sections(self, channel_id: str, session: Session) -> Sequence[Section]:
        """The sections of a channel, all pages of them."""
        raise NotImplementedError

    async def create_section(self, channel_id: str, name: str, session: Session) -> Section:
        """Make a section."""
        raise NotImplementedError

    async def rename_section(self, channel_id: str, section_id: str, name: str, session: Session) -> Section:
        """Give a section another name."""
        raise NotImplementedError

    async def delete_section(self, channel_id: str, section_id: str, session: Session) -> None:
        """Take a section away."""
        raise NotImplementedError


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What is live on a platform, as it is now; `fields` are those of the block, by their names on the wire."""

    external_id: str
    permalink: str | None = None
    fields: dict[str, Any] = {}


class Aftercare(Ability):
    """What may be done with a post that is live. One that is gone is refused with the platform's status 404.

    `editable` are the fields of the block that can be changed, by their names on the wire; `gone` our codes for a post
    that is not there, where the platform says 404 of its channel as well; `noun` what the wire format calls a post of
    this platform in its addresses (`/misc/<platform>/<noun>`), where it has such.
    """

    noun: ClassVar[str] = ""

    editable: ClassVar[tuple[str, ...]] = ()
    gone: ClassVar[frozenset[str]] = frozenset()

    async def read(self, external_id: str, session: Session) -> Live:
        """What is there now."""
        raise NotImplementedError

    async def change(self, external_id: str, draft: Draft[Any], names: Sequence[str], session: Session) -> Live:
        """Change the fields `names` to what they are in the draft; None empties one."""
        raise NotImplementedError

    async def delete(self, external_id: str, session: Session) -> None:
        """Take it off the platform."""
        raise NotImplementedError

    async def save(self, external_id: str, channel_id: str, section_id: str | None, session: Session) -> Live:
        """Put a copy of it into another channel of the account."""
        raise NotImplementedError

    async def saved(self, external_id: str, channel_id: str, since: datetime, session: Session) -> Live | None:
        """Such a copy that was made since then (UTC), if there is one; a listing has to be read to its end."""
        raise NotImplementedError

    def shows(self, live: Live, draft: Draft[Any], names: Sequence[str], session: Session) -> bool:
        """Whether what is live has the fields `names` as they are in the draft."""
        wanted = msgspec.to_builtins(draft.block)
        return all((live.fields.get(name) or None) == (wanted.get(name) or None) for name in names)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A post whose figures are asked for; `is_video` where it is known to be a film."""

    external_id: str
    published_at: datetime
    is_video: bool = False


class Figures(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a platform counts of a post or an account; None where it does not tell.

    `metrics` are its own numbers by its own names; `lacks` says in words what could not be read, and why.
    """

    impressions: int | None = None
    impressions_unique: int | None = None
    views: int | None = None
    views_unique: int | None = None
    likes: int | None = None
    dislikes: int | None = None
    comments: int | None = None
    shares: int | None = None
    saves: int | None = None
    post_count: int | None = None
    followers: int | None = None
    following: int | None = None
    metrics: dict[str, float] = {}
    lacks: tuple[str, ...] = ()


class Insights(Ability):
    """The figures of posts and accounts. `today` is the day up to which they are asked for, in UTC."""

    async def post(self, watched: Watched, today: date, session: Session) -> Figures:
        """The figures of one post; one that is gone is refused with the platform's status 404."""
        raise NotImplementedError

    async def posts(self, watched: Sequence[Watched], today: date, session: Session) -> Mapping[str, Figures]:
        """Those of many at a time, by the platform's ids; what is missing in the answer is asked for one by one."""
        raise NotImplementedError

    async def account(self, today: date, session: Session) -> Figures:
        """The figures of the session's account."""
        raise NotImplementedError
