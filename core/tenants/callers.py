"""Callers: who a key makes of those who send it, what they may do, and how far they reach."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Scope = Literal["read", "write", "destructive"]
"""What a key allows: to look; to create and change; to take away, and to settle what cannot be undone."""

SCOPES: tuple[Scope, ...] = ("read", "write", "destructive")

ADMIN = "admin"
"""The scope of a platform admin's key, and its only one: it makes organizations and the first key of each."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its organization a caller sees: `None` stands for all teams, or all accounts.

    Who reaches some accounts only reaches the teams in which these are, and nothing there that concerns others.
    """

    team_ids: frozenset[UUID] | None = None
    account_ids: frozenset[UUID] | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the whole organization."""
        return self.team_ids is None and self.account_ids is None

    def has_team(self, id: UUID) -> bool:
        """Whether the team, if it is the organization's at all, is within reach."""
        return self.team_ids is None or id in self.team_ids

    def has_account(self, id: UUID) -> bool:
        """The same of a social account that is in a team within reach."""
        return self.account_ids is None or id in self.account_ids

    @property
    def values(self) -> dict[str, list[UUID] | None]:
        """As parameters of a query, `teams` and `accounts`; null stands for all."""
        return {"teams": _listed(self.team_ids), "accounts": _listed(self.account_ids)}


WHOLE = Reach()
"""The whole organization."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key came with a request, and what it allows until when."""

    organization_id: UUID
    key_id: UUID
    scopes: frozenset[str] = frozenset(SCOPES)
    reach: Reach = WHOLE
    expires_at: datetime | None = None


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """A platform admin: belongs to no organization, and sees nothing of any."""

    key_id: UUID


def _listed(ids: Iterable[UUID] | None) -> list[UUID] | None:
    return None if ids is None else sorted(ids)
