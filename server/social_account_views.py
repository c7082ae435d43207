"""Social accounts as clients see them, and what they send about them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from core.accounts.upkeep import ASKS, WINDOW_SECONDS, Listed, Looked
from core.ledger.moves import Failure
from core.posts.views import AccountView, timestamp

Type = Annotated[str, Meta(min_length=1, max_length=100, description="The platform.")]


class SocialAccountView(AccountView, frozen=True, kw_only=True, rename="camel"):
    """A social account in bundle.social's words, and how it fares.

    `state` is `live`, `at_risk` (it works, and will end unless somebody connects it again) or `needs_reauth`;
    `error` says why it is not live, `expiresAt` when its token ends, which is renewed long before if it can be.
    """

    user_username: str
    user_display_name: str
    user_id: str
    bio: None = None
    disconnected_check_try_at: None = None
    delete_on: None = None
    channel_id: str | None
    state: str
    error: Failure | None
    scopes: list[str]
    expires_at: str | None

    @classmethod
    def of(cls, account: Listed) -> "SocialAccountView":
        """The view of an account."""
        return cls(
            id=account.id,
            type=account.platform,
            team_id=account.team_id,
            username=account.username,
            display_name=account.display_name,
            avatar_url=account.avatar_url,
            external_id=account.external_user,
            user_username=account.username,
            user_display_name=account.display_name,
            user_id=account.external_user,
            channels=account.channels,
            channel_id=account.channel_id,
            state=account.state,
            error=account.reason,
            scopes=account.scopes,
            expires_at=timestamp(account.expires_at) if account.expires_at else None,
            created_at=timestamp(account.created_at),
            updated_at=timestamp(account.updated_at),
            deleted_at=None,
        )


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """The connected accounts of a team."""

    items: list[SocialAccountView]
    total: int


class AccountQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/social-account/`."""

    team_id: Annotated[str, Meta(description="Whose accounts.")]
    type: Annotated[Type, Meta(description="Only those on this platform.")] | None = None


class ByTypeQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/social-account/by-type`."""

    team_id: Annotated[str, Meta(description="Whose account.")]
    type: Type


class AccountRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which account of a team is meant, by its platform; by its id where the team has several there."""

    team_id: str
    type: Type
    social_account_id: Annotated[str, Meta(description="Which, where the team has several there.")] | None = None


class ChannelRequest(AccountRequest, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/social-account/set-channel`."""

    channel_id: Annotated[str, Meta(min_length=1, max_length=500, description="One of the account's channels.")]


class CopyRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/social-account/copy`."""

    from_team_id: str
    to_team_id: str
    social_account_types: Annotated[list[Type], Meta(min_length=1, max_length=100)]
    reset_channel: Annotated[bool, Meta(description="The chosen channel is not copied.")] = False


class LookView(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What came of looking at an account on its platform; `limit` such calls may be made in `windowSeconds`."""

    success: bool
    social_account_id: str
    limit: int
    used: int
    remaining: int
    window_seconds: int
    message: str | None = None
    checked_at: str | None = None
    refreshed_at: str | None = None
    social_account: SocialAccountView | None = None

    @classmethod
    def of(cls, looked: Looked, at: str, *, kind: Literal["check", "refresh"]) -> "LookView":
        """The view of a look at the moment `at`."""
        return cls(
            success=looked.error is None,
            social_account_id=str(looked.account.id),
            limit=ASKS,
            used=looked.used,
            remaining=max(ASKS - looked.used, 0),
            window_seconds=WINDOW_SECONDS,
            message=f"{looked.error.message} {looked.error.hint}".strip() if looked.error else None,
            checked_at=at if kind == "check" else None,
            refreshed_at=at if kind == "refresh" else None,
            social_account=SocialAccountView.of(looked.account) if kind == "refresh" else None,
        )
