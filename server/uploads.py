"""The uploads of the API: media files taken in before they are named in a post."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State, UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from msgspec import Meta

from core.errors import NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.post import Url
from core.posts.views import UploadView
from core.tenants.tenants import Caller, Tenants
from core.uploads.uploads import MAX_BYTES, Uploads
from server.bodies import InvalidRequest, read_struct

_PIECE = 256 * 1024
_AROUND_FILE = 64 * 1024


class UploadFromUrl(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/upload/from-url`."""

    url: Annotated[Url, Meta(description="Where the file is fetched from, now and once.")]
    team_id: Annotated[str, Meta(description="May be left out where the organization has one team.")] | None = None


class UploadController(Controller):
    """`/api/v1/upload`, in bundle.social's shape."""

    path = "/api/v1/upload"
    tags = ("Uploads",)

    @post(
        status_code=200,
        operation_id="uploadCreate",
        summary="Upload a file",
        request_max_body_size=MAX_BYTES + _AROUND_FILE,
    )
    async def create(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> UploadView:
        """Take a file in as `multipart/form-data` with the fields `file` and `teamId`; the same file is kept once."""
        organization_id = request.user.organization_id
        file, team_id = await _form(request)
        try:
            team = await _team(tenants, organization_id, team_id)
            async with aclosing(_pieces(file)) as pieces:
                return UploadView.of(await uploads.create(organization_id, team, pieces, file.filename))
        finally:
            await file.close()

    @post("/from-url", status_code=200, operation_id="uploadCreateFromUrl", summary="Upload a file from a URL")
    async def create_from_url(
        self,
        request: Request[Caller, None, State],
        uploads: NamedDependency[Uploads],
        tenants: NamedDependency[Tenants],
    ) -> UploadView:
        """Fetch a file from a public URL and take it in."""
        organization_id = request.user.organization_id
        body = await read_struct(request, UploadFromUrl)
        team = await _team(tenants, organization_id, body.team_id)
        return UploadView.of(await uploads.create_from_url(organization_id, team, body.url))

    @get("/{id:str}", operation_id="uploadGet", summary="Get an upload")
    async def read(
        self, request: Request[Caller, None, State], uploads: NamedDependency[Uploads], id: FromPath[str]
    ) -> UploadView:
        """The upload with this id."""
        upload_id = parse_id(id)
        if upload_id is None:
            raise NotFound("There is no such upload.")
        return UploadView.of(await uploads.get(request.user.organization_id, upload_id))


async def _form(request: Request[Any, Any, Any]) -> tuple[UploadFile, str | None]:
    """The file and the team's id in a form; what else is in it is let go of."""
    try:
        form = await request.form()
    except (UnicodeDecodeError, LookupError):
        raise _faulty("malformed_form", (), "A field of the form is not text in the character set it names.") from None
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise _faulty("malformed_form", (), "The form cannot be read; send multipart/form-data.") from None
    files = [value for value in form.getall("file", []) if isinstance(value, UploadFile)]
    for value in form.multi_items():
        if isinstance(value[1], UploadFile) and value[1] not in files[:1]:
            await value[1].close()
    if not files:
        words = "There is no file; send multipart/form-data with the field `file`, which needs a file name."
        raise _faulty("missing_field", ("file",), words)
    team_id = form.get("teamId")
    return files[0], team_id if isinstance(team_id, str) and team_id.strip() else None


async def _team(tenants: Tenants, organization_id: UUID, sent: str | None) -> UUID:
    """The team that is meant. Raises `NotFound` for a stranger's, `InvalidRequest` where none is named of several."""
    if sent is not None:
        team_id = parse_id(sent.strip())
        team = await tenants.team(organization_id, team_id) if team_id else None
        if team is None:
            raise NotFound("There is no such team; use one of your own.")
        return team.id
    teams = await tenants.teams(organization_id)
    if len(teams) != 1:
        raise _faulty("missing_field", ("teamId",), f"'teamId' is required: there are {len(teams)} teams.")
    return teams[0].id


async def _pieces(file: UploadFile) -> AsyncGenerator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece


def _faulty(code: str, path: tuple[str, ...], words: str) -> InvalidRequest:
    return InvalidRequest(Report((Finding(code=code, path=path, message=words),)))
