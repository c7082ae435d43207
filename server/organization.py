"""The organization of the API: a key's own, and new ones made by a platform admin."""

from typing import Annotated

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.errors import NotFound
from core.ids import parse_id
from core.post import Url
from core.tenants.callers import Caller, Operator
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from server.auth import access
from server.bodies import Name, read_struct
from server.keys import FirstKeyRequest, NewKeyView, asked_expiry
from server.tenant_views import FullOrganizationView, OrganizationView


class OrganizationRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/organization`."""

    name: Name
    avatar_url: Annotated[Url, Meta(description="A picture of it.")] | None = None


class OrganizationController(Controller):
    """`/api/v1/organization`, in bundle.social's shape; making one is ours."""

    path = "/api/v1/organization"
    tags = ("Organization",)

    @get(
        operation_id="organizationGetOrganization",
        summary="Get the organization",
        opt=access("read", "accounts"),
    )
    async def read(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants]
    ) -> FullOrganizationView:
        """The key's own organization, with the teams that the key reaches."""
        organization = await tenants.get_organization(request.user.organization_id)
        teams = await tenants.teams(request.user.organization_id, request.user.reach)
        return FullOrganizationView.with_teams(organization, teams)

    @post(operation_id="organizationCreate", summary="Create an organization", opt=access("admin"))
    async def create(
        self, request: Request[Operator, None, State], tenants: NamedDependency[Tenants]
    ) -> OrganizationView:
        """Make an organization; for platform admins."""
        body = await read_struct(request, OrganizationRequest)
        id = await tenants.create_organization(body.name, avatar_url=body.avatar_url)
        return OrganizationView.of(await tenants.get_organization(id))

    @post(
        "/{id:str}/api-key",
        operation_id="organizationCreateFirstKey",
        summary="Create the first key of an organization",
        opt=access("admin"),
    )
    async def create_key(
        self, request: Request[Operator, None, State], api_keys: NamedDependency[ApiKeys], id: FromPath[str]
    ) -> NewKeyView:
        """Make the first key of an organization that has had none; for platform admins. It is shown this once."""
        body = await read_struct(request, FirstKeyRequest)
        organization_id = parse_id(id)
        if organization_id is None:
            raise NotFound("There is no such organization.")
        made = await api_keys.create(
            organization_id, body.name, scopes=body.scopes, expires_at=asked_expiry(body), first=True
        )
        return NewKeyView.of_new(made)
