"""The webhook endpoints of the API: URLs that want to hear of events."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.errors import Forbidden, InvalidPost, NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.posts.views import timestamp
from core.tenants.callers import Caller
from core.webhooks.endpoints import Endpoint, Endpoints
from core.webhooks.terms import Change, Format, Terms
from server.auth import access
from server.bodies import read_struct

Url = Annotated[str, Meta(min_length=1, max_length=2048, description="Where events are sent.")]
Description = Annotated[str, Meta(max_length=500, description="What it is for.")]
Name = Annotated[str, Meta(max_length=100)]
EventTypes = Annotated[list[Name], Meta(max_length=100, description="Only these events; empty: all.")]
Platforms = Annotated[
    list[Name],
    Meta(max_length=100, description="Only events of these platforms, and those that concern none; empty: all."),
]
TeamIds = Annotated[
    list[Name], Meta(max_length=1000, description="Only events of these teams, for an endpoint of no one team.")
]
FormatOf = Annotated[
    Format,
    Meta(description="Whose events: ours, or those of bundle.social, with its names and whole objects."),
]
Ordered = Annotated[
    bool,
    Meta(description="Whether the events of one subject come one after the other; one that fails holds up the next."),
]


class EndpointRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/webhook-endpoint`."""

    url: Url
    team_id: Annotated[str, Meta(description="Only events of this team; left out: of all of them.")] | None = None
    description: Description = ""
    event_types: EventTypes = []
    platforms: Platforms = []
    team_ids: TeamIds = []
    format: FormatOf = "fingerpost"
    ordered: Ordered = False


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `PATCH /api/v1/webhook-endpoint/{id}`; what is left out stays as it is."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    event_types: EventTypes | msgspec.UnsetType = msgspec.UNSET
    platforms: Platforms | msgspec.UnsetType = msgspec.UNSET
    team_ids: TeamIds | msgspec.UnsetType = msgspec.UNSET
    format: FormatOf | msgspec.UnsetType = msgspec.UNSET
    ordered: Ordered | msgspec.UnsetType = msgspec.UNSET
    enabled: Annotated[bool, Meta(description="Whether it is sent anything.")] | msgspec.UnsetType = msgspec.UNSET


class EndpointView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An endpoint. Empty lists stand for everything; one with `disabledAt` is sent nothing.

    `failures` in a row lead to ever longer waits, until `retryAt`; one that has taken nothing for three days is
    switched off. `previousSecretUntil` is when the secret before the last rotation ends.
    """

    id: str
    organization_id: str
    team_id: str | None
    url: str
    description: str
    event_types: list[str]
    platforms: list[str]
    team_ids: list[str]
    format: str
    ordered: bool
    failures: int
    failing_since: str | None
    retry_at: str | None
    previous_secret_until: str | None
    created_at: str
    updated_at: str
    disabled_at: str | None
    disabled_reason: str | None


class NewEndpointView(EndpointView, frozen=True, kw_only=True, rename="camel"):
    """An endpoint with a secret of its signatures that was just made, and is shown this once."""

    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewEndpointView({self.id})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secret."""
        return [("id", self.id)]


class EndpointPage(msgspec.Struct, frozen=True, kw_only=True):
    """All endpoints of an organization."""

    items: list[EndpointView]
    total: int


class TestView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A test that is on its way: `GET /api/v1/webhook-message/{id}` says what became of it."""

    message_id: str


Asked = Request[Caller, None, State]


class EndpointController(Controller):
    """`/api/v1/webhook-endpoint`, ours: the vendor has no such calls."""

    path = "/api/v1/webhook-endpoint"
    tags = ("Webhooks",)

    @post(operation_id="webhookEndpointCreate", summary="Create a webhook endpoint", opt=access("write", "team"))
    async def create(self, request: Asked, endpoints: NamedDependency[Endpoints]) -> NewEndpointView:
        """Register a URL for events; its answer is the only one with the secret. 409 where there are too many."""
        body = await read_struct(request, EndpointRequest)
        team_id = parse_id(body.team_id) if body.team_id is not None else None
        if body.team_id is None and not request.user.reach.whole:
            raise Forbidden("This API key is for one team only; name it as `teamId`.")
        if body.team_id is not None and (team_id is None or not request.user.reach.has_team(team_id)):
            raise NotFound("There is no such team; use one of your own.")
        terms = Terms(
            url=body.url,
            description=body.description,
            event_types=body.event_types,
            platforms=body.platforms,
            team_ids=_teams(body.team_ids),
            format=body.format,
            ordered=body.ordered,
        )
        new = await endpoints.create(request.user.organization_id, team_id, body.url, terms=terms)
        return NewEndpointView(**_fields(new.endpoint), secret=new.secret)

    @get(operation_id="webhookEndpointGetList", summary="List webhook endpoints", opt=access("read", "team"))
    async def page(self, request: Asked, endpoints: NamedDependency[Endpoints]) -> EndpointPage:
        """All endpoints that the key reaches, the oldest first; without their secrets."""
        found = await endpoints.list(request.user.organization_id, request.user.reach)
        items = [EndpointView(**_fields(endpoint)) for endpoint in found]
        return EndpointPage(items=items, total=len(items))

    @get(
        "/{id:str}",
        operation_id="webhookEndpointGet",
        summary="Get a webhook endpoint",
        opt=access("read", "team", id="webhook_endpoint"),
    )
    async def read(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> EndpointView:
        """One endpoint, with how it fares."""
        return EndpointView(**_fields(await endpoints.get(request.user.organization_id, known(id))))

    @patch(
        "/{id:str}",
        operation_id="webhookEndpointUpdate",
        summary="Change a webhook endpoint",
        opt=access("write", "team", id="webhook_endpoint"),
    )
    async def update(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> EndpointView:
        """Change what an endpoint wants to hear, where it is, or whether it is sent anything."""
        body = await read_struct(request, EndpointChange)
        team_ids = body.team_ids if isinstance(body.team_ids, msgspec.UnsetType) else _teams(body.team_ids)
        change = Change(**{**msgspec.structs.asdict(body), "team_ids": team_ids})
        changed = await endpoints.change(request.user.organization_id, known(id), change)
        return EndpointView(**_fields(changed))

    @delete(
        "/{id:str}",
        operation_id="webhookEndpointDelete",
        summary="Delete a webhook endpoint",
        opt=access("destructive", "team", id="webhook_endpoint"),
    )
    async def remove(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> None:
        """Remove an endpoint and all that waits for it."""
        await endpoints.delete(request.user.organization_id, known(id))

    @post(
        "/{id:str}/enable",
        status_code=200,
        operation_id="webhookEndpointEnable",
        summary="Switch a webhook endpoint on",
        opt=access("write", "team", id="webhook_endpoint"),
    )
    async def enable(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> EndpointView:
        """Switch an endpoint on. What failed can be sent again; what happened while it was off is in the feed."""
        return EndpointView(**_fields(await endpoints.enable(request.user.organization_id, known(id))))

    @post(
        "/{id:str}/rotate-secret",
        status_code=200,
        operation_id="webhookEndpointRotateSecret",
        summary="Give a webhook endpoint a new secret",
        opt=access("write", "team", id="webhook_endpoint"),
    )
    async def rotate(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> NewEndpointView:
        """Make a new secret, which this answer alone shows. For a day the one before it is valid too."""
        new = await endpoints.rotate_secret(request.user.organization_id, known(id))
        return NewEndpointView(**_fields(new.endpoint), secret=new.secret)

    @post(
        "/{id:str}/test",
        status_code=200,
        operation_id="webhookEndpointTest",
        summary="Send a webhook endpoint a test",
        opt=access("write", "team", id="webhook_endpoint"),
    )
    async def test(self, request: Asked, endpoints: NamedDependency[Endpoints], id: FromPath[str]) -> TestView:
        """Send an event that says nothing, signed and tried again like any other. 409 where the endpoint is off."""
        return TestView(message_id=str(await endpoints.test(request.user.organization_id, known(id))))


def known(text: str) -> UUID:
    """The id that is spelled, or `NotFound`: a malformed id is an unknown one."""
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such webhook endpoint.")
    return id


def _teams(texts: list[str]) -> list[UUID]:
    """The ids of teams that are spelled. Raises `InvalidPost` with every one that is none."""
    found = [parse_id(text) for text in texts]
    words = "There is no such team; use one of your own."
    findings = [
        Finding(code="unknown_team", path=("teamIds", place), message=words)
        for place, id in enumerate(found)
        if id is None
    ]
    if findings:
        raise InvalidPost(Report(tuple(findings)))
    return [id for id in found if id is not None]


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    def moment(name: str) -> str | None:
        value = getattr(endpoint, name)
        return timestamp(value) if value else None

    return {
        "id": str(endpoint.id),
        "organization_id": str(endpoint.organization_id),
        "team_id": str(endpoint.team_id) if endpoint.team_id else None,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": list(endpoint.event_types),
        "platforms": list(endpoint.platforms),
        "team_ids": [str(id) for id in endpoint.team_ids],
        "format": endpoint.format,
        "ordered": endpoint.ordered,
        "failures": endpoint.failures,
        "failing_since": moment("failing_since"),
        "retry_at": moment("retry_at"),
        "previous_secret_until": moment("previous_until"),
        "created_at": timestamp(endpoint.created_at),
        "updated_at": timestamp(endpoint.updated_at),
        "disabled_at": moment("disabled_at"),
        "disabled_reason": endpoint.disabled_reason,
    }
