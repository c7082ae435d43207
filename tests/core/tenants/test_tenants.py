"""Organizations and their teams."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.errors import NotFound
from core.ids import new_id
from core.tenants.callers import Reach
from core.tenants.tenants import TeamChange, Tenants


@pytest.fixture
def tenants(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> Tenants:
    return Tenants(pool)


@pytest.fixture
async def organization_id(tenants: Tenants) -> UUID:
    return await tenants.create_organization("ours")


async def test_a_team_is_known_to_its_organization_only(tenants: Tenants, organization_id: UUID) -> None:
    team = await tenants.create_team(organization_id, "team")
    other = await tenants.create_organization("other")
    assert await tenants.team(organization_id, team.id) == team
    assert await tenants.team(other, team.id) is None
    assert await tenants.team(organization_id, new_id()) is None
    assert await tenants.teams(organization_id) == [team]
    assert await tenants.teams(other) == []


async def test_nothing_is_made_for_an_organization_that_is_not_there(tenants: Tenants) -> None:
    with pytest.raises(NotFound):
        await tenants.create_team(new_id(), "team")
    with pytest.raises(NotFound):
        await tenants.team_named(new_id(), "team")


async def test_who_asks_for_a_name_at_the_same_time_gets_the_same_one(tenants: Tenants) -> None:
    found = await asyncio.gather(*(tenants.organization("same") for _ in range(8)))
    assert len(set(found)) == 1
    teams = await asyncio.gather(*(tenants.team_named(found[0], "same") for _ in range(8)))
    assert len({team.id for team in teams}) == 1
    assert (await tenants.team_named(found[0], "another")).id != teams[0].id


async def test_a_reach_hides_the_other_teams(tenants: Tenants, organization_id: UUID) -> None:
    mine, other = [await tenants.create_team(organization_id, name) for name in ("mine", "other")]
    reach = Reach(team_ids=frozenset([mine.id]))
    assert await tenants.teams(organization_id, reach) == [mine]
    assert await tenants.team(organization_id, mine.id, reach) == mine
    assert await tenants.team(organization_id, other.id, reach) is None


async def test_a_change_touches_what_it_names_and_nothing_else(tenants: Tenants, organization_id: UUID) -> None:
    team = await tenants.create_team(organization_id, "team", avatar_url="https://example.com/a.png")
    changed = await tenants.change_team(organization_id, team.id, TeamChange(when_not_found="review"))
    assert (changed.name, changed.avatar_url, changed.when_not_found) == ("team", team.avatar_url, "review")
    changed = await tenants.change_team(organization_id, team.id, TeamChange(name="new", avatar_url=None))
    assert (changed.name, changed.avatar_url, changed.when_not_found) == ("new", None, "review")
    with pytest.raises(NotFound):
        await tenants.change_team(await tenants.create_organization("other"), team.id, TeamChange(name="theirs"))


async def test_a_deleted_team_is_gone(tenants: Tenants, organization_id: UUID) -> None:
    team = await tenants.create_team(organization_id, "team")
    with pytest.raises(NotFound):
        await tenants.delete_team(await tenants.create_organization("other"), team.id)
    assert (await tenants.delete_team(organization_id, team.id)).deleted_at is not None
    assert await tenants.team(organization_id, team.id) is None
    assert await tenants.teams(organization_id) == []
    for act in (
        tenants.delete_team(organization_id, team.id),
        tenants.change_team(organization_id, team.id, TeamChange()),
    ):
        with pytest.raises(NotFound):
            await act
