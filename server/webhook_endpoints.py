"""The webhook endpoints of the API: URLs that want to hear of events."""

from typing import Annotated

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.errors import NotFound
from core.ids import parse_id
from core.posts.views import timestamp
from core.tenants.tenants import Caller
from core.webhooks.endpoints import Endpoint, Endpoints
from server.bodies import read_struct


class EndpointRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/webhook-endpoint`."""

    url: Annotated[str, Meta(min_length=1, max_length=2048, description="Where events are sent.")]
    team_id: Annotated[str, Meta(description="Only events of this team; left out: of all of them.")] | None = None
    event_types: Annotated[list[str], Meta(max_length=100, description="Only these events; left out: all.")] = []


class EndpointView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint. No `eventTypes` means all of them; one with `disabledAt` is sent nothing."""

    id: str
    organization_id: str
    team_id: str | None
    url: str
    event_types: list[str]
    created_at: str
    updated_at: str
    disabled_at: str | None


class NewEndpointView(EndpointView, frozen=True, kw_only=True, rename="camel"):
    """An endpoint that was just made, with the secret of its signatures, which is shown this once."""

    secret: str


class EndpointPage(msgspec.Struct, frozen=True, kw_only=True):
    """All endpoints of an organization."""

    items: list[EndpointView]
    total: int


class EndpointController(Controller):
    """`/api/v1/webhook-endpoint`, ours: the vendor has no such calls."""

    path = "/api/v1/webhook-endpoint"
    tags = ("Webhooks",)

    @post(operation_id="webhookEndpointCreate", summary="Create a webhook endpoint")
    async def create(
        self, request: Request[Caller, None, State], endpoints: NamedDependency[Endpoints]
    ) -> NewEndpointView:
        """Register a URL for events; its answer is the only one with the secret."""
        body = await read_struct(request, EndpointRequest)
        team_id = parse_id(body.team_id) if body.team_id is not None else None
        if body.team_id is not None and team_id is None:
            raise NotFound("There is no such team; use one of your own.")
        new = await endpoints.create(request.user.organization_id, team_id, body.url, body.event_types)
        return NewEndpointView(**msgspec.structs.asdict(_view(new.endpoint)), secret=new.secret)

    @get(operation_id="webhookEndpointGetList", summary="List webhook endpoints")
    async def page(self, request: Request[Caller, None, State], endpoints: NamedDependency[Endpoints]) -> EndpointPage:
        """All endpoints of the organization, the oldest first; without their secrets."""
        items = [_view(endpoint) for endpoint in await endpoints.list(request.user.organization_id)]
        return EndpointPage(items=items, total=len(items))

    @delete("/{id:str}", operation_id="webhookEndpointDelete", summary="Delete a webhook endpoint")
    async def remove(
        self, request: Request[Caller, None, State], endpoints: NamedDependency[Endpoints], id: FromPath[str]
    ) -> None:
        """Remove an endpoint and all that waits for it."""
        endpoint_id = parse_id(id)
        if endpoint_id is None:
            raise NotFound("There is no such webhook endpoint.")
        await endpoints.delete(request.user.organization_id, endpoint_id)


def _view(endpoint: Endpoint) -> EndpointView:
    return EndpointView(
        id=str(endpoint.id),
        organization_id=str(endpoint.organization_id),
        team_id=str(endpoint.team_id) if endpoint.team_id else None,
        url=endpoint.url,
        event_types=list(endpoint.event_types),
        created_at=timestamp(endpoint.created_at),
        updated_at=timestamp(endpoint.updated_at),
        disabled_at=timestamp(endpoint.disabled_at) if endpoint.disabled_at else None,
    )
