"""The uploads of the API: media files taken in before they are named in a post."""

from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.errors import InvalidUpload, NotFound
from core.ids import parse_id
from core.media.formats import TAKEN
from core.post import Url
from core.posts.views import UploadView
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from core.uploads.filters import read_upload_filters
from core.uploads.slots import Slot, Slots
from core.uploads.uploads import Uploads
from server.auth import OPEN, access
from server.bodies import read_struct
from server.forms import FileForm, fault

Team = Annotated[str, Meta(description="May be left out where the organization has one team.")]
AltText = Annotated[
    str, Meta(max_length=10_000, description="What it shows, for those who cannot see it; used where a post says none.")
]

MOST_IDS = 1000


class UploadFromUrl(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/upload/from-url`."""

    url: Annotated[Url, Meta(description="Where the file is fetched from, now and once.")]
    team_id: Team | None = None
    alt_text: AltText | None = None


class UploadInit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/upload/init`."""

    file_name: Annotated[str, Meta(min_length=1, max_length=1000, description="What the file is called.")]
    mime_type: Annotated[str, Meta(max_length=255, description="Its type; what counts is what the file then is.")]
    file_size: Annotated[int, Meta(ge=1, description="How many bytes will come; held against what does.")] | None = None
    team_id: Team | None = None
    alt_text: AltText | None = None


class UploadFinalize(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/upload/finalize`."""

    path: Annotated[str, Meta(description="The path that `init` answered.")]
    team_id: Team | None = None


class UploadIds(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `DELETE /api/v1/upload/`."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=MOST_IDS, description="All of them go, or none.")]


class UploadController(Controller):
    """`/api/v1/upload`, in bundle.social's shape."""

    path = "/api/v1/upload"
    tags = ("Uploads",)

    @post(
        status_code=200,
        operation_id="uploadCreate",
        summary="Upload a file",
        opt=access("write", "accounts"),
        # The file is bounded where it is written, by a setting.
        request_max_body_size=None,
    )
    async def create(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> UploadView:
        """Take a file in as `multipart/form-data` with the fields `file` and `teamId`, and `altText` if you like.

        The same file is kept once.
        """
        organization_id = request.user.organization_id
        form = FileForm(request)
        async with aclosing(form.chunks()) as chunks, uploads.receive(chunks) as incoming:
            team = await _team(tenants, request.user, (form.fields.get("teamId") or "").strip() or None)
            alt_text = form.fields.get("altText") or None
            if alt_text and ("\0" in alt_text or len(alt_text) > 10_000):
                raise fault("too_long", ("altText",), "altText takes at most 10,000 characters, and no U+0000.")
            upload = await uploads.take_in(organization_id, team, incoming, form.file_name, alt_text)
        return UploadView.of(upload)

    @post(
        "/from-url",
        status_code=200,
        operation_id="uploadCreateFromUrl",
        summary="Upload a file from a URL",
        opt=access("write", "accounts"),
    )
    async def create_from_url(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> UploadView:
        """Fetch a file from a public URL and take it in."""
        organization_id = request.user.organization_id
        body = await read_struct(request, UploadFromUrl)
        team = await _team(tenants, request.user, body.team_id)
        return UploadView.of(await uploads.create_from_url(organization_id, team, body.url, body.alt_text))

    @post(
        "/init",
        status_code=200,
        operation_id="uploadInitLargeUpload",
        summary="Begin a large upload",
        opt=access("write", "accounts"),
    )
    async def init(
        self,
        request: Request[Caller, None, State],
        slots: NamedDependency[Slots],
        tenants: NamedDependency[Tenants],
    ) -> Slot:
        """Make a place ready: send the file to `url` with PUT, then finalize its `path`. Both last four hours."""
        organization_id = request.user.organization_id
        body = await read_struct(request, UploadInit)
        team = await _team(tenants, request.user, body.team_id)
        if body.mime_type.partition("/")[0] not in ("image", "video"):
            words = f"{body.mime_type!r} cannot be uploaded. Taken are {TAKEN}."
            raise InvalidUpload(words, code="file_type_not_supported")
        return await slots.open(
            organization_id,
            team,
            file_name=body.file_name,
            bytes=body.file_size,
            alt_text=body.alt_text,
            server_url=str(request.base_url),
        )

    @put(
        "/put/{token:str}",
        opt={OPEN: True},
        status_code=200,
        operation_id="uploadPut",
        summary="Send the file of a large upload",
        request_max_body_size=None,
    )
    async def receive(
        self, request: Request[None, None, State], slots: NamedDependency[Slots], token: FromPath[str]
    ) -> None:
        """Where `init` sends a client when the storage has no address of its own; the body is the file as it is."""
        await slots.put(token, request.stream())

    @post(
        "/finalize",
        status_code=200,
        operation_id="uploadFinalizeLargeUpload",
        summary="Finish a large upload",
        opt=access("write", "accounts"),
    )
    async def finalize(
        self,
        request: Request[Caller, None, State],
        slots: NamedDependency[Slots],
        tenants: NamedDependency[Tenants],
    ) -> UploadView:
        """Take the file in that was put at a path; asked again, it answers the same upload."""
        organization_id = request.user.organization_id
        body = await read_struct(request, UploadFinalize)
        team = await _team(tenants, request.user, body.team_id)
        return UploadView.of(await slots.finalize(organization_id, team, body.path))

    @get(operation_id="uploadGetList", summary="List uploads", opt=access("read", "accounts"))
    async def page(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> list[UploadView]:
        """Uploads, the newest first."""
        organization_id = request.user.organization_id
        filters = read_upload_filters(request.query_params.multi_items())
        reach = request.user.reach
        if filters.team_id and await tenants.team(organization_id, filters.team_id, reach) is None:
            raise NotFound("There is no such team.")
        found = await uploads.page(
            organization_id,
            team_ids=[filters.team_id] if filters.team_id else await _teams(tenants, request.user),
            kinds=filters.kinds,
            ids=filters.ids,
            used=filters.used,
            offset=filters.query.offset,
            limit=filters.query.limit,
        )
        return [UploadView.of(upload) for upload in found]

    @get(
        "/{id:str}",
        operation_id="uploadGet",
        summary="Get an upload",
        opt=access("read", "accounts", id="upload"),
    )
    async def read(
        self, request: Request[Caller, None, State], uploads: NamedDependency[Uploads], id: FromPath[str]
    ) -> UploadView:
        """The upload with this id."""
        return UploadView.of(await uploads.get(request.user.organization_id, _known(id)))

    @delete(
        "/{id:str}",
        status_code=200,
        operation_id="uploadDelete",
        summary="Delete an upload",
        opt=access("destructive", "team", id="upload"),
    )
    async def remove(
        self, request: Request[Caller, None, State], uploads: NamedDependency[Uploads], id: FromPath[str]
    ) -> UploadView:
        """Let a file go that no post still waits for; what is live on a platform stays live."""
        (upload,) = await uploads.delete(request.user.organization_id, [_known(id)])
        return UploadView.of(upload)

    @delete(
        status_code=200,
        operation_id="uploadDeleteMany",
        summary="Delete many uploads",
        opt=access("destructive", "team"),
    )
    async def remove_many(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> list[UploadView]:
        """Let files go, all of them or none."""
        body = await read_struct(request, UploadIds)
        ids = list(dict.fromkeys(_known(id) for id in body.ids))
        organization_id, reached = request.user.organization_id, await _teams(tenants, request.user)
        if len(await uploads.page(organization_id, team_ids=reached, ids=ids, limit=MOST_IDS)) < len(ids):
            raise NotFound("There is no such upload.")
        gone = await uploads.delete(organization_id, ids)
        return [UploadView.of(upload) for upload in gone]


def _known(text: str) -> UUID:
    """The id that is spelled, or `NotFound`: a malformed id is an unknown one."""
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such upload.")
    return id


async def _teams(tenants: Tenants, caller: Caller) -> list[UUID] | None:
    """The teams that a key reaches; None stands for all of its organization."""
    if caller.reach.whole:
        return None
    return [team.id for team in await tenants.teams(caller.organization_id, caller.reach)]


async def _team(tenants: Tenants, caller: Caller, sent: str | None) -> UUID:
    """The team that is meant. Raises `NotFound` for a stranger's, `InvalidRequest` where none is named of several."""
    if sent is not None:
        team_id = parse_id(sent.strip())
        team = await tenants.team(caller.organization_id, team_id, caller.reach) if team_id else None
        if team is None:
            raise NotFound("There is no such team; use one of your own.")
        return team.id
    teams = await tenants.teams(caller.organization_id, caller.reach)
    if len(teams) != 1:
        raise fault("missing_field", ("teamId",), f"'teamId' is required: there are {len(teams)} teams.")
    return teams[0].id
