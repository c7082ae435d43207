"""The API keys of the API: made, listed and revoked by those who hold one."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.accounts.roster import Roster
from core.dates import parse_date
from core.errors import Forbidden, NotFound
from core.findings import Finding, Report
from core.ids import parse_id
from core.posts.views import timestamp
from core.tenants.callers import SCOPES, Caller, Scope
from core.tenants.keyring import Keyring
from core.tenants.keys import ApiKey, ApiKeys, NewKey
from server.auth import access
from server.bodies import InvalidRequest, Name, read_struct

Expiry = Annotated[str, Meta(description="When it ends; ISO 8601 with an offset.")] | None


class FirstKeyRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/organization/{id}/api-key`."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, description="What it allows; left out: all.")] = msgspec.field(
        default_factory=lambda: list(SCOPES)
    )
    expires_at: Expiry = None


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `POST /api/v1/api-key`. What is left out is as wide as the key that asks."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, description="What it allows; none that the asking key lacks.")]
    expires_at: Expiry = None
    team_id: Annotated[str, Meta(description="Only for this team.")] | None = None
    social_account_ids: (
        Annotated[list[str], Meta(min_length=1, max_length=1000, description="Only for these social accounts.")] | None
    ) = None


class KeyView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key without its secret. `lastUsedAt` may be a minute behind."""

    id: str
    organization_id: str | None
    name: str
    prefix: str
    scopes: list[str]
    team_id: str | None
    social_account_ids: list[str] | None
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, key: ApiKey) -> "KeyView":
        """The view of a key."""
        accounts = key.social_account_ids
        return cls(
            id=str(key.id),
            organization_id=str(key.organization_id) if key.organization_id else None,
            name=key.name,
            prefix=key.prefix,
            scopes=key.scopes,
            team_id=str(key.team_id) if key.team_id else None,
            social_account_ids=[str(id) for id in accounts] if accounts is not None else None,
            created_at=timestamp(key.created_at),
            expires_at=_optional(key.expires_at),
            last_used_at=_optional(key.last_used_at),
            revoked_at=_optional(key.revoked_at),
        )


class NewKeyView(KeyView, frozen=True, kw_only=True, rename="camel"):
    """A key that was just made, with its secret, which is shown this once."""

    secret: str

    @classmethod
    def of_new(cls, new: NewKey) -> "NewKeyView":
        """The view of a key that was just made."""
        return cls(**msgspec.structs.asdict(KeyView.of(new.key)), secret=new.secret)

    def __repr__(self) -> str:
        """Without the secret."""
        return f"NewKeyView({self.id})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secret."""
        return [("id", self.id)]


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that reach no further than the one that asks."""

    items: list[KeyView]
    total: int


class KeyController(Controller):
    """`/api/v1/api-key`, ours: the vendor has no such calls."""

    path = "/api/v1/api-key"
    tags = ("API keys",)

    @post(operation_id="apiKeyCreate", summary="Create an API key", opt=access("write", "accounts"))
    async def create(
        self,
        request: Request[Caller, None, State],
        api_keys: NamedDependency[ApiKeys],
        roster: NamedDependency[Roster],
    ) -> NewKeyView:
        """Make a key that allows and reaches no more than the one that asks. Its secret is shown this once."""
        caller, body = request.user, await read_struct(request, KeyRequest)
        lacking = [scope for scope in body.scopes if scope not in caller.scopes]
        if lacking:
            raise Forbidden(f"This API key lacks the scope `{lacking[0]}`, and cannot grant it.")
        expires_at = asked_expiry(body)
        if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
            if expires_at is not None:
                raise Forbidden("This API key ends sooner than the one that it asks for; name an earlier `expiresAt`.")
            expires_at = caller.expires_at
        team_id, account_ids = await _bound(caller, body, roster)
        made = await api_keys.create(
            caller.organization_id,
            body.name,
            scopes=body.scopes,
            team_id=team_id,
            social_account_ids=account_ids,
            expires_at=expires_at,
        )
        return NewKeyView.of_new(made)

    @get(operation_id="apiKeyGetList", summary="List API keys", opt=access("read", "accounts"))
    async def page(self, request: Request[Caller, None, State], api_keys: NamedDependency[ApiKeys]) -> KeyPage:
        """The keys that reach no further than the one that asks, the oldest first; without their secrets."""
        found = await api_keys.within(request.user.organization_id, request.user.reach)
        return KeyPage(items=[KeyView.of(key) for key in found], total=len(found))

    @delete(
        "/{id:str}",
        status_code=200,
        operation_id="apiKeyRevoke",
        summary="Revoke an API key",
        opt=access("destructive", "accounts", id="api_key"),
    )
    async def revoke(
        self,
        request: Request[Caller, None, State],
        api_keys: NamedDependency[ApiKeys],
        keyring: NamedDependency[Keyring],
        id: FromPath[str],
    ) -> KeyView:
        """End a key: this server refuses it at once, others within two seconds. A key may revoke itself."""
        key_id = parse_id(id)
        if key_id is None:
            raise NotFound("There is no such API key.")
        revoked = await api_keys.revoke(request.user.organization_id, key_id)
        keyring.forget(key_id)
        return KeyView.of(revoked)


def asked_expiry(body: FirstKeyRequest | KeyRequest) -> datetime | None:
    """When the key that is asked for shall end. Raises `InvalidPost` for what is no date, or is over."""
    if body.expires_at is None:
        return None
    moment = parse_date(body.expires_at, ("expiresAt",))
    if isinstance(moment, Finding):
        raise InvalidRequest(Report((moment,)))
    if moment <= datetime.now(UTC):
        words = "This date is over; a key that ends then could never be used."
        raise InvalidRequest(Report((Finding(code="date_past", path=("expiresAt",), message=words),)))
    return moment


async def _bound(caller: Caller, body: KeyRequest, roster: Roster) -> tuple[UUID | None, list[UUID] | None]:
    """The team or the accounts for which a key shall be; never beyond the reach of the one that asks."""
    if body.team_id is not None and body.social_account_ids is not None:
        words = "A key is for one team or for some accounts; take one of the two out."
        raise InvalidRequest(Report((Finding(code="duplicate", path=("socialAccountIds",), message=words),)))
    reach = caller.reach
    if body.social_account_ids is not None:
        return None, await _accounts(caller, body.social_account_ids, roster)
    if body.team_id is not None:
        team_id = parse_id(body.team_id)
        if team_id is None or not reach.has_team(team_id):
            raise NotFound("There is no such team; use one of your own.")
        if reach.account_ids is not None:
            raise Forbidden("This API key is for some accounts only, and cannot grant a whole team.")
        return team_id, None
    if reach.account_ids is not None:
        return None, sorted(reach.account_ids)
    return next(iter(reach.team_ids or ()), None), None


async def _accounts(caller: Caller, texts: Sequence[str], roster: Roster) -> list[UUID]:
    """The accounts that are named; those of the organization itself are looked at where the key is written."""
    ids = [id for text in texts if (id := parse_id(text)) is not None]
    teams = caller.reach.team_ids
    found = await roster.of_teams(caller.organization_id, sorted(teams), caller.reach) if teams is not None else {}
    reached = {account.id for accounts in found.values() for account in accounts}
    if len(ids) < len(texts) or (teams is not None and not reached.issuperset(ids)):
        raise NotFound("There is no such social account.")
    return ids


def _optional(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment is not None else None
