"""The teams of the API, in bundle.social's shape."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.accounts.roster import Roster
from core.convert import convert
from core.errors import NotFound, NotOffered
from core.findings import Report
from core.ids import parse_id
from core.post import Url
from core.posts.filters import InvalidQuery
from core.tenants.callers import Caller
from core.tenants.keyring import Keyring
from core.tenants.tenants import Team, TeamChange, Tenants, WhenNotFound
from server.auth import access
from server.bodies import Name, read_struct
from server.tenant_views import FullTeamView, TeamView

AvatarUrl = Annotated[Url, Meta(description="A picture of it.")] | None
Unclear = Annotated[
    WhenNotFound,
    Meta(description="What happens to an unclear post that was not found on the platform: tried again, or reviewed."),
]


class TeamRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/team`."""

    name: Name
    avatar_url: AvatarUrl = None
    when_not_found: Unclear = "retry"
    copy_team_id: Annotated[str, Meta(description="Not offered; copy the accounts afterwards.")] | None = None


class TeamChangeRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `PATCH /api/v1/team/{id}`; what is left out stays as it is."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    avatar_url: AvatarUrl | msgspec.UnsetType = msgspec.UNSET
    when_not_found: Unclear | msgspec.UnsetType = msgspec.UNSET


class TeamQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `GET /api/v1/team/`."""

    offset: Annotated[int, Meta(ge=0, le=1_000_000_000, description="How many are passed over.")] = 0
    limit: Annotated[int, Meta(ge=1, le=100, description="How many are answered.")] = 10
    search: Annotated[str, Meta(max_length=200, description="A part of the name, in upper or lower case.")] = ""


class TeamPage(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the teams; `total` counts all that fit the search."""

    items: list[FullTeamView]
    total: int


class TeamController(Controller):
    """`/api/v1/team`, in bundle.social's shape."""

    path = "/api/v1/team"
    tags = ("Teams",)

    @post(status_code=200, operation_id="teamCreateTeam", summary="Create a team", opt=access("write"))
    async def create(self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants]) -> TeamView:
        """Make a team."""
        body = await read_struct(request, TeamRequest)
        if body.copy_team_id is not None:
            raise NotOffered("A team is made without accounts; leave `copyTeamId` out, and copy them afterwards.")
        made = await tenants.create_team(
            request.user.organization_id, body.name, avatar_url=body.avatar_url, when_not_found=body.when_not_found
        )
        return TeamView.of(made)

    @get(operation_id="teamGetList", summary="List teams", opt=access("read", "accounts"))
    async def page(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        roster: NamedDependency[Roster],
    ) -> TeamPage:
        """One page of the teams that the key reaches, the oldest first, with their social accounts."""
        query = read_query(request.query_params.multi_items())
        teams = await tenants.teams(request.user.organization_id, request.user.reach)
        found = [team for team in teams if query.search.lower() in team.name.lower()]
        items = await _full(request.user, found[query.offset : query.offset + query.limit], tenants, roster)
        return TeamPage(items=items, total=len(found))

    @get("/{id:str}", operation_id="teamGetTeam", summary="Get a team", opt=access("read", "accounts", id="team"))
    async def read(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        roster: NamedDependency[Roster],
        id: FromPath[str],
    ) -> FullTeamView:
        """The team with this id, with its social accounts."""
        team = await tenants.team(request.user.organization_id, _known(id), request.user.reach)
        if team is None:
            raise NotFound("There is no such team.")
        return (await _full(request.user, [team], tenants, roster))[0]

    @patch("/{id:str}", operation_id="teamUpdateTeam", summary="Change a team", opt=access("write", "team", id="team"))
    async def update(
        self, request: Request[Caller, None, State], tenants: NamedDependency[Tenants], id: FromPath[str]
    ) -> TeamView:
        """Change a team's name, picture, or what happens to its unclear posts."""
        body = await read_struct(request, TeamChangeRequest)
        change = TeamChange(name=body.name, avatar_url=body.avatar_url, when_not_found=body.when_not_found)
        return TeamView.of(await tenants.change_team(request.user.organization_id, _known(id), change))

    @delete(
        "/{id:str}",
        status_code=200,
        operation_id="teamDeleteTeam",
        summary="Delete a team",
        opt=access("destructive", id="team"),
    )
    async def remove(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        keyring: NamedDependency[Keyring],
        id: FromPath[str],
    ) -> TeamView:
        """Put a team away: disconnect its accounts, revoke its keys, switch its webhooks off. What is live stays live.

        409 while a post of it waits or is under way.
        """
        deleted = await tenants.delete_team(request.user.organization_id, _known(id))
        keyring.forget_all()
        return TeamView.of(deleted)


def read_query(pairs: Iterable[tuple[str, str]]) -> TeamQuery:
    """The query that a URL spells. Raises `InvalidQuery` with every fault."""
    values: dict[str, Any] = dict(pairs)
    for name in ("offset", "limit"):
        text = values.get(name, "")
        if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 20:
            values[name] = int(text)
    query, faults = convert(TeamQuery, values, ("query",))
    if query is None:
        raise InvalidQuery(Report(tuple(faults)))
    return query


async def _full(caller: Caller, teams: list[Team], tenants: Tenants, roster: Roster) -> list[FullTeamView]:
    organization = await tenants.get_organization(caller.organization_id)
    accounts = await roster.of_teams(caller.organization_id, [team.id for team in teams], caller.reach)
    return [FullTeamView.with_accounts(team, organization, accounts[team.id]) for team in teams]


def _known(text: str) -> UUID:
    """The id that is spelled, or `NotFound`: a malformed id is an unknown one."""
    id = parse_id(text)
    if id is None:
        raise NotFound("There is no such team.")
    return id
