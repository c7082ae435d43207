"""The channels of accounts in the API, and their sections: boards, pages, whatever a platform calls them."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.abilities import ChannelFields, Section
from core.accounts.upkeep import Listed, Upkeep
from core.changes.channels import Channels
from core.changes.sections import Sections
from core.errors import NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.post import Channel, Privacy
from core.posts.views import timestamp
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import InvalidRequest, read_struct
from server.queries import read_query

LONGEST_ID = 500
"""Characters of a platform's id."""

Name = Annotated[str, Meta(min_length=1, max_length=500, description="What people call it.")]
Description = Annotated[str, Meta(max_length=5000, description="What it is about.")]
Seen = Annotated[Privacy, Meta(description="Who sees it, where the platform lets that be chosen.")]


class ChannelQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `GET /api/v1/social-account/{id}/channels`."""

    refresh: Annotated[
        Literal["true", "false"], Meta(description="Whether the platform is asked, or what is kept is shown.")
    ] = "false"


class ChannelCreate(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/v1/social-account/{id}/channels`."""

    name: Name
    description: Description | None = None
    privacy: Seen | None = None


class ChannelChange(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `PATCH /api/v1/social-account/{id}/channels/{channel_id}`: what is to be another."""

    name: Name | None = None
    description: Description | None = None
    privacy: Seen | None = None


class SectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body by which a section is made or renamed."""

    name: Name


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A channel; `writable` says whether the account may publish to it. A description is told with a single one."""

    id: str
    name: str
    description: str | None
    privacy: Privacy | None
    writable: bool

    @classmethod
    def of(cls, channel: Channel) -> "ChannelView":
        """The view of a channel."""
        return cls(**msgspec.structs.asdict(channel))


class ChannelPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All channels of an account, as they were when the platform was asked last."""

    items: list[ChannelView]
    total: int
    refreshed_at: str | None


class SectionPage(msgspec.Struct, frozen=True, kw_only=True):
    """All sections of a channel."""

    items: list[Section]
    total: int


class Deleted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was taken away; `wasThere` is false where it had gone before."""

    id: str
    deleted: bool = True
    was_there: bool


class ChannelController(Controller):
    """What can be done with channels is the platform's to say, in `GET /api/v1/platforms`. Ours, not the vendor's."""

    path = "/api/v1/social-account/{id:str}/channels"
    tags = ("Channels",)

    @get(
        operation_id="channelGetList",
        summary="List the channels of an account",
        opt=access("read", "accounts", id="social_account"),
    )
    async def page(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        channels: NamedDependency[Channels],
        id: FromPath[str],
    ) -> ChannelPage:
        """The channels that are kept; with `refresh=true` those that the platform has at this moment, all pages."""
        query, account = read_query(request, ChannelQuery), await own(request, upkeep, id)
        if query.refresh == "true":
            await channels.refresh(account)
            account = await upkeep.one(account.organization_id, account.id)
        items = [ChannelView.of(channel) for channel in account.channels]
        at = timestamp(account.channels_at) if account.channels_at else None
        return ChannelPage(items=items, total=len(items), refreshed_at=at)

    @post(operation_id="channelCreate", summary="Make a channel", opt=access("write", "accounts", id="social_account"))
    async def create(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        channels: NamedDependency[Channels],
        id: FromPath[str],
    ) -> ChannelView:
        """Make a channel on the platform."""
        account = await own(request, upkeep, id)
        body = await read_struct(request, ChannelCreate)
        return ChannelView.of(await channels.create(account, _fields(body), request.user.key_id))

    @get(
        "/{channel_id:str}",
        operation_id="channelGet",
        summary="Look at a channel",
        opt=access("read", "accounts", id="social_account"),
    )
    async def read(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        channels: NamedDependency[Channels],
        id: FromPath[str],
        channel_id: FromPath[str],
    ) -> ChannelView:
        """The channel as the platform has it at this moment, and whether the account may publish to it."""
        return ChannelView.of(await channels.read(await own(request, upkeep, id), sound(channel_id)))

    @patch(
        "/{channel_id:str}",
        operation_id="channelUpdate",
        summary="Rename a channel",
        opt=access("write", "accounts", id="social_account"),
    )
    async def change(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        channels: NamedDependency[Channels],
        id: FromPath[str],
        channel_id: FromPath[str],
    ) -> ChannelView:
        """Rename a channel, or change its description or who sees it. Two at a time go one after the other."""
        account = await own(request, upkeep, id)
        fields = _fields(await read_struct(request, ChannelChange))
        if fields == ChannelFields():
            words = "There is nothing to change; give a name, a description or a privacy."
            raise InvalidRequest(Report((Finding(code="missing_field", path=(), message=words),)))
        return ChannelView.of(await channels.change(account, sound(channel_id), fields, request.user.key_id))

    @delete(
        "/{channel_id:str}",
        status_code=200,
        operation_id="channelDelete",
        summary="Delete a channel",
        opt=access("destructive", "accounts", id="social_account"),
    )
    async def delete(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        channels: NamedDependency[Channels],
        id: FromPath[str],
        channel_id: FromPath[str],
    ) -> Deleted:
        """Take a channel off the platform, with everything that was published to it. Twice does no harm."""
        account = await own(request, upkeep, id)
        return Deleted(id=channel_id, was_there=await channels.delete(account, sound(channel_id), request.user.key_id))


class SectionController(Controller):
    """The sections of a channel, where the platform has some; read and changed there, nothing of them is kept."""

    path = "/api/v1/social-account/{id:str}/channels/{channel_id:str}/sections"
    tags = ("Channels",)

    @get(
        operation_id="sectionGetList",
        summary="List the sections of a channel",
        opt=access("read", "accounts", id="social_account"),
    )
    async def page(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        sections: NamedDependency[Sections],
        id: FromPath[str],
        channel_id: FromPath[str],
    ) -> SectionPage:
        """All sections, as the platform has them at this moment."""
        items = await sections.of(await own(request, upkeep, id), sound(channel_id))
        return SectionPage(items=items, total=len(items))

    @post(operation_id="sectionCreate", summary="Make a section", opt=access("write", "accounts", id="social_account"))
    async def create(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        sections: NamedDependency[Sections],
        id: FromPath[str],
        channel_id: FromPath[str],
    ) -> Section:
        """Make a section of a channel on the platform."""
        account = await own(request, upkeep, id)
        body = await read_struct(request, SectionRequest)
        return await sections.create(account, sound(channel_id), body.name, request.user.key_id)

    @patch(
        "/{section_id:str}",
        operation_id="sectionUpdate",
        summary="Rename a section",
        opt=access("write", "accounts", id="social_account"),
    )
    async def change(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        sections: NamedDependency[Sections],
        id: FromPath[str],
        channel_id: FromPath[str],
        section_id: FromPath[str],
    ) -> Section:
        """Give a section another name."""
        account = await own(request, upkeep, id)
        body = await read_struct(request, SectionRequest)
        return await sections.rename(account, sound(channel_id), sound(section_id), body.name, request.user.key_id)

    @delete(
        "/{section_id:str}",
        status_code=200,
        operation_id="sectionDelete",
        summary="Delete a section",
        opt=access("destructive", "accounts", id="social_account"),
    )
    async def delete(
        self,
        request: Request[Caller, None, State],
        upkeep: NamedDependency[Upkeep],
        sections: NamedDependency[Sections],
        id: FromPath[str],
        channel_id: FromPath[str],
        section_id: FromPath[str],
    ) -> Deleted:
        """Take a section away. Twice does no harm."""
        account = await own(request, upkeep, id)
        was_there = await sections.delete(account, sound(channel_id), sound(section_id), request.user.key_id)
        return Deleted(id=section_id, was_there=was_there)


async def own(request: Request[Caller, Any, Any], upkeep: Upkeep, text: str) -> Listed:
    """The caller's connected account of that id. Raises `NotFound`."""
    account_id = parse_id(text)
    if account_id is None:
        raise NotFound("There is no such connected account.")
    return await upkeep.one(request.user.organization_id, account_id)


def sound(text: str) -> str:
    """An id as a platform may have given it. Raises `NotFound` for what can be none."""
    if len(text) > LONGEST_ID or not text.isprintable():
        raise NotFound("There is no such channel or section.")
    return text


def _fields(body: ChannelCreate | ChannelChange) -> ChannelFields:
    return ChannelFields(name=body.name, description=body.description, privacy=body.privacy)
