"""Tokens are renewed once, never overwritten by older ones, and only the platform's own no ends a grant."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from core.accounts.accounts import Accounts
from core.accounts.grants import EARLY, NEEDS_REAUTH, REFRESHING, Grants, refresh_in
from core.adapter import Profile
from core.connect import Tokens
from core.errors import NotAuthorized, OutcomeUnknown, RateLimited, Rejected, Unavailable
from core.tenants.tenants import Tenants
from core.vault import Vault
from tests.world import Pool

pytestmark = pytest.mark.engine

DEAD = NotAuthorized("No.", code="grant_refused")


class Case:
    """A team with one account, whose tokens live for an hour."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.vault = Vault.parse(Vault.generate())
        self.accounts = Accounts(pool, self.vault, Random(1))
        self.grants = self.accounts.grants

    async def settle(self, **changes: Any) -> None:
        tenants = Tenants(self.pool)
        self.organization = await tenants.create_organization("o")
        self.team = (await tenants.create_team(self.organization, "t")).id
        self.account = await self.join(**changes)

    async def join(self, team: UUID | None = None, **changes: Any) -> UUID:
        given: dict[str, Any] = {"access_token": "a1", "refresh_token": "r1", "expires_in": 3600.0, **changes}
        tokens = Tokens(**given)
        profile = Profile(external_user="u", username="u", display_name="U")
        joined = await self.accounts.join(
            self.organization, team or self.team, "PINTEREST", profile, [], tokens, "default"
        )
        return joined.id

    async def due(self) -> None:
        await self.run(
            "update grants set refresh_due_at = now(), refresh_lease_until = null where refresh_due_at is not null"
        )

    async def run(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def grant(self, columns: str) -> Any:
        return (await self.run(f"select {columns} from grants"))[0]

    async def events(self) -> list[str]:
        told = (
            "select type from events where starts_with(type, 'account.') and type <> 'account.connected' "
            "order by sequence"
        )
        return [row[0] for row in await self.run(told)]

    async def token(self) -> str:
        return (await self.accounts.credentials(self.organization, self.account)).token


@pytest.fixture
async def case(pool: Pool) -> Case:
    made = Case(pool)
    await made.settle()
    return made


async def test_tokens_are_renewed_before_half_of_their_life_is_gone(case: Case) -> None:
    ((seconds,),) = await case.run("select extract(epoch from refresh_due_at - now())::float8 from grants")
    assert 3600 * EARLY[0] - 5 < seconds < 1800
    assert await case.grants.take(10) == []
    for expires in (60.0, 2_592_000.0):
        wait = refresh_in(Tokens(access_token="a", expires_in=expires, refresh_expires_in=5_184_000.0), Random(2))
        assert wait is not None
        assert wait < expires / 2
    assert refresh_in(Tokens(access_token="a"), Random(1)) is None


async def test_what_is_taken_is_taken_once(case: Case) -> None:
    await case.due()
    others = [Grants(case.pool, case.vault, Random(n)) for n in range(8)]
    taken = await asyncio.gather(*(grants.take(10) for grants in others))
    ((held,),) = [batch for batch in taken if batch]
    assert case.grants.refresh_token(held) == "r1"
    assert "r1" not in repr(held)


async def test_new_tokens_come_with_their_version_and_end_in_one_write(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    tokens = Tokens(access_token="a2", refresh_token="r2", expires_in=7200.0, scopes=("x",))
    assert await case.grants.renew(held, tokens)
    version, unclear, lease, scopes = await case.grant("token_version, refresh_unclear, refresh_lease_until, scopes")
    assert (version, unclear, lease, scopes) == (held.version + 1, False, None, ["x"])
    assert await case.token() == "a2"
    await case.due()
    (again,) = await case.grants.take(1)
    assert case.grants.refresh_token(again) == "r2"


async def test_what_the_platform_leaves_out_stays(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    assert await case.grants.renew(held, Tokens(access_token="a2"))
    assert (await case.grant("refresh_due_at = 'infinity'"))[0]
    await case.due()
    (again,) = await case.grants.take(1)
    assert case.grants.refresh_token(again) == "r1"


async def test_a_slow_refresher_never_overwrites_a_newer_token(case: Case) -> None:
    await case.due()
    (slow,) = await case.grants.take(1)
    await case.due()
    (fast,) = await case.grants.take(1)
    assert fast.unclear, "the first is still out"
    assert await case.grants.renew(fast, Tokens(access_token="a3", refresh_token="r3", expires_in=60.0))
    assert not await case.grants.renew(slow, Tokens(access_token="a2", refresh_token="r2", expires_in=60.0))
    await case.grants.failed(slow, DEAD)
    assert await case.token() == "a3"
    assert (await case.grant("state, refresh_failures, token_version")) == ("live", 0, fast.version + 1)


async def test_a_slow_refresher_is_heard_where_nobody_has_anything_newer(case: Case) -> None:
    await case.due()
    (slow,) = await case.grants.take(1)
    await case.due()
    (fast,) = await case.grants.take(1)
    assert await case.grants.failed(fast, DEAD) == "at_risk"
    assert await case.grants.renew(slow, Tokens(access_token="a2", refresh_token="r2", expires_in=60.0))
    assert await case.token() == "a2"
    assert (await case.grant("state, reason")) == ("live", None)


async def test_a_consent_given_meanwhile_outweighs_a_refresh(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    await case.join(access_token="by consent", refresh_token="new")
    assert not await case.grants.renew(held, Tokens(access_token="a2"))
    await case.grants.failed(held, DEAD)
    assert await case.token() == "by consent"
    assert (await case.grant("state"))[0] == "live"


@pytest.mark.parametrize(
    ("error", "unclear"),
    [
        (Unavailable("x"), False),
        (Rejected("x", code="app_refused"), False),
        (RateLimited("x", after=timedelta(seconds=900)), False),
        (OutcomeUnknown("x"), True),
    ],
)
async def test_a_failure_that_is_no_no_never_disconnects(case: Case, error: Any, unclear: bool) -> None:
    for failures in range(1, 12):
        await case.due()
        (held,) = await case.grants.take(1)
        assert await case.grants.failed(held, error) == "live"
        state, count, open_, wait = await case.grant(
            "state, refresh_failures, refresh_unclear, extract(epoch from refresh_due_at - now())::float8"
        )
        assert (state, count, open_) == ("live", failures, unclear)
        assert wait > (890 if isinstance(error, RateLimited) else 4)
    assert await case.events() == []
    assert await case.token() == "a1"


async def test_the_platforms_own_no_disconnects_and_is_told(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    assert await case.grants.failed(held, DEAD) == "needs_reauth"
    state, reason, due = await case.grant("state, reason, refresh_due_at")
    assert (state, reason["code"], due) == ("needs_reauth", "account_needs_reauth", None)
    assert await case.events() == ["account.needs_reauth"]


async def test_a_no_after_a_lost_answer_leaves_the_account_to_its_end(case: Case) -> None:
    await case.due()
    await case.grants.take(1)  # and dies
    await case.due()
    (held,) = await case.grants.take(1)
    assert await case.grants.failed(held, DEAD) == "at_risk"
    assert await case.token() == "a1"
    assert await case.events() == ["account.at_risk"]
    await case.grants.sweep()
    assert await case.events() == ["account.at_risk"]
    await case.run("update grants set expires_at = now()")
    await case.grants.sweep()
    await case.grants.sweep()
    assert await case.events() == ["account.at_risk", "account.needs_reauth"]


async def test_a_lost_answer_is_forgotten_with_the_next_that_comes(case: Case) -> None:
    await case.due()
    await case.grants.take(1)
    await case.due()
    (held,) = await case.grants.take(1)
    await case.grants.renew(held, Tokens(access_token="a2", refresh_token="r2", expires_in=3600.0))
    await case.due()
    (held,) = await case.grants.take(1)
    assert not held.unclear
    assert await case.grants.failed(held, DEAD) == "needs_reauth"


async def test_a_refusal_with_a_stale_version_is_told_to_read_again(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    await case.grants.renew(held, Tokens(access_token="a2", refresh_token="r2", expires_in=3600.0))
    id, version = await case.grant("id, token_version")
    assert await case.grants.refused(id, version - 1, DEAD) is None
    assert await case.grants.take(1) == []
    assert await case.grants.refused(id, version, DEAD) is REFRESHING
    assert await case.grants.refused(id, version, DEAD) is REFRESHING
    assert len(await case.grants.take(1)) == 1


async def test_tokens_that_answer_a_refusal_and_are_refused_as_well_are_given_up(case: Case) -> None:
    id, version = await case.grant("id, token_version")
    assert await case.grants.refused(id, version, DEAD) is REFRESHING
    (held,) = await case.grants.take(1)
    await case.grants.renew(held, Tokens(access_token="a2", refresh_token="r2", expires_in=3600.0))
    assert await case.grants.refused(id, version + 1, DEAD) is NEEDS_REAUTH
    assert await case.events() == ["account.needs_reauth"]
    await case.join()
    assert (await case.grant("state"))[0] == "live"
    (newest,) = await case.grant("token_version")
    assert await case.grants.refused(id, newest, DEAD) is REFRESHING, "a new consent begins anew"


async def test_an_account_that_cannot_be_refreshed_needs_a_consent_at_once(pool: Pool) -> None:
    case = Case(pool)
    await case.settle(refresh_token=None)
    id, version = await case.grant("id, token_version")
    assert await case.grants.refused(id, version, DEAD) is NEEDS_REAUTH
    assert await case.grants.refused(id, version, DEAD) is NEEDS_REAUTH
    assert await case.events() == ["account.needs_reauth"]


async def test_risk_is_told_in_the_last_quarter_where_renewing_fails_or_cannot_be(pool: Pool) -> None:
    case = Case(pool)
    await case.settle(refresh_token=None, expires_in=4000.0)
    assert await case.grants.sweep() == 0
    await case.run(
        "update grants set issued_at = issued_at - interval '3100 s', expires_at = expires_at - interval '3100 s'"
    )
    assert await case.grants.sweep() == 1
    assert await case.grants.sweep() == 0
    assert await case.events() == ["account.at_risk"]


async def test_everybody_who_shares_a_grant_is_told(case: Case) -> None:
    other = (await Tenants(case.pool).create_team(case.organization, "other")).id
    await case.join(other)
    assert len(await case.run("select id from grants")) == 1
    await case.due()
    (held,) = await case.grants.take(1)
    await case.grants.failed(held, DEAD)
    told = await case.run("select team_id, sequence from events where type = 'account.needs_reauth'")
    assert {team for team, _ in told} == {case.team, other}
    await case.join()
    back = await case.run("select team_id from events where type = 'account.connected' order by sequence desc limit 2")
    assert {team for (team,) in back} == {case.team, other}


async def test_the_last_to_disconnect_takes_the_tokens_along(case: Case) -> None:
    other = (await Tenants(case.pool).create_team(case.organization, "other")).id
    second = await case.join(other)
    await case.accounts.remove(case.organization, case.account)
    assert (await case.grant("state, access_token is null")) == ("live", False)
    await case.accounts.remove(case.organization, second)
    assert (await case.grant("state, access_token, refresh_token, refresh_due_at")) == ("released", None, None, None)
    assert await case.events() == ["account.disconnected", "account.disconnected"]
    again = await case.join()
    assert again == case.account
    assert await case.token() == "a1"


async def test_a_refresh_that_ends_after_the_disconnect_brings_nothing_back(case: Case) -> None:
    await case.due()
    (held,) = await case.grants.take(1)
    await case.accounts.remove(case.organization, case.account)
    assert not await case.grants.renew(held, Tokens(access_token="a2", refresh_token="r2"))
    assert (await case.grant("access_token, refresh_token")) == (None, None)
