"""How organizations and teams are shown: bundle.social's objects, and what ours say beyond them."""

from typing import Any

import msgspec

from core.posts.rows import AccountRow, account_view
from core.posts.views import AccountView, timestamp
from core.tenants.tenants import Organization, Team, WhenNotFound


class CreatorView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who made something, in bundle.social's shape. There are no users here: the organization stands for them."""

    id: str
    external_id: str
    created_at: str
    updated_at: str
    email: str = ""
    email_verified: None = None
    first_name: None = None
    last_name: None = None
    avatar_url: None = None
    timezone: None = None
    role: str = "CUSTOMER"
    deleted_at: None = None


class OrganizationView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An organization. Nothing is billed and no plan limits anything, so what bundle.social says of that is empty."""

    id: str
    name: str
    created_by_id: str
    avatar_url: str | None
    created_at: str
    updated_at: str
    promotion_code_id: None = None
    ref: None = None
    daily_post_limit: None = None
    daily_comment_limit: None = None
    monthly_import_limit_per_account: None = None
    comment_import_limit_per_post: None = None
    monthly_review_import_limit_per_account: None = None
    api_access: bool = True
    analytics_disabled: bool = True
    analytics_posts_disabled: bool = True
    uploads_compression_enabled: bool = False
    analytics_interval: None = None
    analytics_posts_interval: None = None
    forced_account_analytics_daily_limit: None = None
    forced_post_analytics_daily_limit: None = None
    show_verbose_errors: bool = True
    disconnect_check_enabled: bool = False
    delete_account_after: int = 0
    deleted_at: None = None
    suspended: bool = False

    @classmethod
    def of(cls, organization: Organization) -> "OrganizationView":
        """The view of an organization."""
        return cls(**_organization(organization))


class TeamView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A team. `whenNotFound` is ours: what happens to an unclear post that the last look did not find."""

    id: str
    name: str
    avatar_url: str | None
    organization_id: str
    created_by_id: str
    when_not_found: WhenNotFound
    created_at: str
    updated_at: str
    deleted_at: str | None

    @classmethod
    def of(cls, team: Team) -> "TeamView":
        """The view of a team."""
        return cls(**_team(team))


class FullOrganizationView(OrganizationView, frozen=True, kw_only=True, rename="camel"):
    """An organization with the teams that the key reaches."""

    created_by: CreatorView
    teams: list[TeamView]
    subscription: None = None
    promotion_code: None = None

    @classmethod
    def with_teams(cls, organization: Organization, teams: list[Team]) -> "FullOrganizationView":
        """The view of an organization and its teams."""
        shown = [TeamView.of(team) for team in teams]
        return cls(**_organization(organization), created_by=_creator(organization), teams=shown)


class FullTeamView(TeamView, frozen=True, kw_only=True, rename="camel"):
    """A team with its organization and the social accounts that the key reaches."""

    organization: OrganizationView
    created_by: CreatorView
    social_accounts: list[AccountView]
    bots: list[dict[str, Any]] = []

    @classmethod
    def with_accounts(cls, team: Team, organization: Organization, accounts: list[AccountRow]) -> "FullTeamView":
        """The view of a team with everything that belongs to it."""
        return cls(
            **_team(team),
            organization=OrganizationView.of(organization),
            created_by=_creator(organization),
            social_accounts=[account_view(account) for account in accounts],
        )


def _organization(organization: Organization) -> dict[str, Any]:
    return {
        "id": str(organization.id),
        "name": organization.name,
        "created_by_id": str(organization.id),
        "avatar_url": organization.avatar_url,
        "created_at": timestamp(organization.created_at),
        "updated_at": timestamp(organization.updated_at),
    }


def _team(team: Team) -> dict[str, Any]:
    return {
        "id": str(team.id),
        "name": team.name,
        "avatar_url": team.avatar_url,
        "organization_id": str(team.organization_id),
        "created_by_id": str(team.organization_id),
        "when_not_found": team.when_not_found,
        "created_at": timestamp(team.created_at),
        "updated_at": timestamp(team.updated_at),
        "deleted_at": timestamp(team.deleted_at) if team.deleted_at else None,
    }


def _creator(organization: Organization) -> CreatorView:
    return CreatorView(
        id=str(organization.id),
        external_id=str(organization.id),
        created_at=timestamp(organization.created_at),
        updated_at=timestamp(organization.updated_at),
    )
