"""The usage of the API, in bundle.social's shape: counted truly, though nothing is billed and no plan limits it."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from msgspec import Meta

from core.errors import InvalidPost, NotFound
from core.findings import Finding, Report
from core.ids import new_id, parse_id
from core.posts.usage import DailyUse, Imported, Usage, Use
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.auth import access
from server.queries import read_query

Asked = Request[Caller, None, State]


class DailyQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/organization/usage/daily-limits`."""

    social_account_id: Annotated[str, Meta(description="Which account.")]
    date: Annotated[str, Meta(description="The day in UTC, such as 2026-05-14; today where it is left out.")] | None = (
        None
    )


class ImportsQuery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The query of `GET /api/v1/organization/usage/imports`."""

    page: Annotated[int, Meta(ge=1, le=1_000_000, description="Which page, from 1.")] = 1
    page_size: Annotated[int, Meta(ge=1, le=100, description="How many accounts a page has.")] = 20
    team_id: Annotated[str, Meta(description="Only accounts of this team.")] | None = None
    social_account_type: Annotated[str, Meta(max_length=100, description="Only accounts on this platform.")] | None = (
        None
    )
    social_account_id: Annotated[str, Meta(description="Only this account.")] | None = None


class Pagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which part of a list this is."""

    page: int
    page_size: int
    total: int
    total_pages: int


class ImportsUse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was imported of each account: nothing, for imports are not offered yet."""

    limit_per_social_account: int
    social_accounts: list[Imported]
    pagination: Pagination


class UsageController(Controller):
    """`/api/v1/organization/usage`, in bundle.social's shape."""

    path = "/api/v1/organization/usage"
    tags = ("Organization",)

    @get("/posts", operation_id="organizationGetPostsUsage", summary="Usage of posts", opt=access("read", "accounts"))
    async def posts(self, request: Asked, usage: NamedDependency[Usage]) -> Use:
        """How many posts were made this month (UTC); no plan limits them, so `limit` is the largest number there is."""
        return await usage.posts(request.user.organization_id, datetime.now(UTC), request.user.reach)

    @get(
        "/uploads",
        operation_id="organizationGetUploadsUsage",
        summary="Usage of uploads",
        opt=access("read", "accounts"),
    )
    async def uploads(self, request: Asked, usage: NamedDependency[Usage]) -> Use:
        """How many uploads are held; their size is what is limited, for each team."""
        return await usage.uploads(request.user.organization_id, request.user.reach)

    @get(
        "/comments",
        operation_id="organizationGetCommentsUsage",
        summary="Usage of comments",
        opt=access("read", "accounts"),
    )
    async def comments(self) -> Use:
        """None, of none: comments are not published yet."""
        return Use.of(0, 0)

    @get(
        "/imports",
        operation_id="organizationGetImportsUsage",
        summary="Usage of imports",
        opt=access("read", "accounts"),
    )
    async def imports(
        self, request: Asked, usage: NamedDependency[Usage], tenants: NamedDependency[Tenants]
    ) -> ImportsUse:
        """The accounts with what was imported of each, which is nothing: imports are not offered yet."""
        query = read_query(request, ImportsQuery)
        caller, size = request.user, query.page_size
        wanted: dict[str, Any] = {"type": query.social_account_type} if query.social_account_type else {}
        for name, text in (("team_id", query.team_id), ("id", query.social_account_id)):
            if text is not None:
                wanted[name] = parse_id(text) or new_id()
        found, total = await usage.imports(
            caller.organization_id, caller.reach, wanted, limit=size, offset=(query.page - 1) * size
        )
        if not total and "team_id" in wanted:
            known = caller.reach.has_team(wanted["team_id"])
            if not known or await tenants.team(caller.organization_id, wanted["team_id"]) is None:
                raise NotFound("There is no such team.")
        if not total and "id" in wanted:
            raise NotFound("There is no such account.")
        pages = Pagination(page=query.page, page_size=size, total=total, total_pages=-(-total // size))
        return ImportsUse(limit_per_social_account=0, social_accounts=found, pagination=pages)

    @get(
        "/daily-limits",
        operation_id="organizationGetDailyLimitsUsage",
        summary="Usage of an account's day",
        opt=access("read", "accounts"),
    )
    async def daily(self, request: Asked, usage: NamedDependency[Usage]) -> DailyUse:
        """What went out at an account on a day, and the most that its platform's quotas let through in one."""
        query = read_query(request, DailyQuery)
        account_id = parse_id(query.social_account_id)
        day = _day(query.date)
        if account_id is None:
            raise NotFound("There is no such account.")
        return await usage.daily(request.user.organization_id, account_id, day, request.user.reach)


def _day(text: str | None) -> date:
    if text is None:
        return datetime.now(UTC).date()
    try:
        day = date.fromisoformat(text[:10] if len(text) > 10 and text[10] == "T" else text)
        if 1 < day.year < 9999:
            return day
    except ValueError:
        pass
    words = "This is no day; write it as 2026-05-14."
    raise InvalidPost(Report((Finding(code="date_invalid", path=("query", "date"), message=words),)))
