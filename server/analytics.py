"""The figures of posts and accounts, in bundle.social's shape."""

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from core.accounts.upkeep import Upkeep
from core.errors import NotFound, NotOffered
from core.findings import Finding, Report
from core.ids import parse_id
from core.insights.statistics import Statistics, Told, failure
from core.posts.posts import Posts
from core.tenants.bounds import Bounds
from core.tenants.callers import Caller
from core.tenants.tenants import Tenants
from server.analytics_views import (
    AccountAnalyticsQuery,
    AccountAnalyticsView,
    AccountItemView,
    BulkAnalyticsQuery,
    BulkAnalyticsView,
    BulkResultView,
    PaginationView,
    PostAnalyticsQuery,
    PostAnalyticsView,
    PostItemView,
    ProfilePostView,
)
from server.auth import access
from server.bodies import InvalidRequest
from server.queries import read_query
from server.social_account_views import SocialAccountView
from server.social_accounts import own_team

NO_POST = "There is no such post."


class AnalyticsController(Controller):
    """`/api/v1/analytics`. Figures are read when they are asked for, and then shown for an hour."""

    path = "/api/v1/analytics"
    tags = ("Analytics",)

    @get(
        "/post",
        operation_id="analyticsGetPostAnalytics",
        summary="Get the figures of a post",
        opt=access("read", "accounts"),
    )
    async def of_post(
        self,
        request: Request[Caller, None, State],
        posts: NamedDependency[Posts],
        bounds: NamedDependency[Bounds],
        statistics: NamedDependency[Statistics],
    ) -> PostAnalyticsView:
        """What platforms tell of a post that is live, the newest reading first; `error` says why none is newer."""
        query = read_query(request, PostAnalyticsQuery)
        if query.post_id is None:
            raise _unnamed(query.imported_post_id)
        id = parse_id(query.post_id)
        if id is None or not await bounds.reached(request.user, "post", id):
            raise NotFound(NO_POST)
        shown = await posts.get(request.user.organization_id, query.post_id)
        told = (await statistics.of_posts(request.user.organization_id, [id], query.platform_type))[id]
        error = next((each.error for each in told if each.error is not None), None)
        if error is not None and not any(each.readings for each in told):
            raise error
        return PostAnalyticsView(
            post=shown,
            profile_post=ProfilePostView.of(told[0].subject, shown) if told and told[0].subject else None,
            items=_items(told),
            error=failure(error) if error is not None else None,
        )

    @get(
        "/post/bulk",
        operation_id="analyticsGetBulkPostAnalytics",
        summary="Get the figures of many posts",
        opt=access("read", "accounts"),
    )
    async def of_posts(
        self,
        request: Request[Caller, None, State],
        bounds: NamedDependency[Bounds],
        statistics: NamedDependency[Statistics],
    ) -> BulkAnalyticsView:
        """The same of up to 60 posts; what stands in the way of one is told in its place."""
        query = read_query(request, BulkAnalyticsQuery)
        page = list(dict.fromkeys(query.post_ids))[(query.page - 1) * query.limit : query.page * query.limit]
        ids = {text: id for text in page if (id := parse_id(text)) is not None}
        known = [id for id in ids.values() if await bounds.reached(request.user, "post", id)]
        told = await statistics.of_posts(request.user.organization_id, known, query.platform_type)
        total = len(dict.fromkeys(query.post_ids))
        return BulkAnalyticsView(
            results=[_result(text, told.get(ids[text]) if text in ids else None) for text in page],
            pagination=PaginationView.of(query.page, query.limit, total),
        )

    @get(
        "/social-account",
        operation_id="analyticsGetSocialAccountAnalytics",
        summary="Get the figures of an account",
        opt=access("read", "accounts"),
    )
    async def of_account(
        self,
        request: Request[Caller, None, State],
        tenants: NamedDependency[Tenants],
        upkeep: NamedDependency[Upkeep],
        statistics: NamedDependency[Statistics],
    ) -> AccountAnalyticsView:
        """What a platform tells of an account as a whole, the newest reading first; `error` says why none is newer."""
        query = read_query(request, AccountAnalyticsQuery)
        team_id, caller = await own_team(request, tenants, query.team_id), request.user
        account_id = parse_id(query.social_account_id) if query.social_account_id is not None else None
        if query.social_account_id is not None and account_id is None:
            raise NotFound("There is no such connected account.")
        account = await upkeep.only(caller.organization_id, team_id, query.platform_type, account_id, caller.reach)
        told = await statistics.of_account(account)
        if told.error is not None and not told.readings:
            raise told.error
        return AccountAnalyticsView(
            social_account=SocialAccountView.of(account),
            items=[AccountItemView.of(reading) for reading in told.readings],
            error=failure(told.error) if told.error is not None else None,
        )


def _unnamed(imported: str | None) -> Exception:
    """What is wrong with a query that names no post of ours."""
    if imported is not None:
        return NotOffered("Posts are not imported here, so there are no figures of imported ones; give postId.")
    words = "Say which post: give postId."
    return InvalidRequest(Report((Finding(code="missing_field", path=("query", "postId"), message=words),)))


def _items(told: list[Told]) -> list[PostItemView]:
    return [PostItemView.of(reading, each.subject.id) for each in told if each.subject for reading in each.readings]


def _result(text: str, told: list[Told] | None) -> BulkResultView:
    if told is None:
        return BulkResultView(post_id=text, items=[], error=NO_POST)
    error = next((each.error for each in told if each.error is not None), None)
    return BulkResultView(post_id=text, items=_items(told), error=error.message if error is not None else None)
