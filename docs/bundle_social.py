"""The page on bundle.social's calls: which of those for publishing are served, and why the others are not."""

from collections.abc import Mapping
from typing import NamedTuple

from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from core.registry import Registry
from core.settings import Settings
from core.vault import Vault
from docs.markdown import code, page, table
from server.app import create_app
from server.not_offered import REASON

HEAD = """\
The API is that of bundle.social, so its official npm package `bundlesocial` runs as it is. Of the vendor's 58 calls for
publishing:
"""

TAIL = """\
What answers 501 says why in the answer as well, in the manner of every other error. Calls of the vendor's that have
nothing to do with publishing are not there, and answer 404. Fingerpost has more calls than these; its own page
`/reference` lists all.

The answers fit the types of the package. `appGetHealth` tells of all platforms that the package knows: one for which no
adapter is installed is in an `outage`, with a note that says so. `GET /api/v1/platforms` lists those that are served.
"""


class Call(NamedTuple):
    """A call of the vendor's API, by the name that its package gives it."""

    method: str
    path: str
    name: str


CALLS = (
    Call("GET", "/api/v1/", "appGetHealth"),
    Call("GET", "/api/v1/analytics/post", "analyticsGetPostAnalytics"),
    Call("GET", "/api/v1/analytics/post/bulk", "analyticsGetBulkPostAnalytics"),
    Call("POST", "/api/v1/analytics/post/force", "analyticsForcePostAnalytics"),
    Call("GET", "/api/v1/analytics/post/raw", "analyticsGetPostAnalyticsRaw"),
    Call("GET", "/api/v1/analytics/social-account", "analyticsGetSocialAccountAnalytics"),
    Call("POST", "/api/v1/analytics/social-account/force", "analyticsForceSocialAccountAnalytics"),
    Call("GET", "/api/v1/analytics/social-account/raw", "analyticsGetSocialAccountAnalyticsRaw"),
    Call("DELETE", "/api/v1/misc/pinterest/pin", "miscPinterestDeletePin"),
    Call("PATCH", "/api/v1/misc/pinterest/pin", "miscPinterestEditPin"),
    Call("GET", "/api/v1/organization/", "organizationGetOrganization"),
    Call("GET", "/api/v1/organization/usage/comments", "organizationGetCommentsUsage"),
    Call("GET", "/api/v1/organization/usage/daily-limits", "organizationGetDailyLimitsUsage"),
    Call("GET", "/api/v1/organization/usage/imports", "organizationGetImportsUsage"),
    Call("GET", "/api/v1/organization/usage/posts", "organizationGetPostsUsage"),
    Call("GET", "/api/v1/organization/usage/uploads", "organizationGetUploadsUsage"),
    Call("GET", "/api/v1/post-csv-import/", "postCsvGetList"),
    Call("POST", "/api/v1/post-csv-import/", "postCsvCreate"),
    Call("GET", "/api/v1/post-csv-import/{importId}", "postCsvGetById"),
    Call("GET", "/api/v1/post-csv-import/{importId}/rows", "postCsvGetRows"),
    Call("GET", "/api/v1/post-csv-import/{importId}/status", "postCsvGetStatus"),
    Call("GET", "/api/v1/post/", "postGetList"),
    Call("POST", "/api/v1/post/", "postCreate"),
    Call("POST", "/api/v1/post/reconnect-social-account", "postReconnectSocialAccount"),
    Call("GET", "/api/v1/post/reconnect-social-account/candidates", "postGetReconnectSocialAccountCandidates"),
    Call("GET", "/api/v1/post/reference-key/{referenceKey}", "postGetByReferenceKey"),
    Call("DELETE", "/api/v1/post/{id}", "postDelete"),
    Call("GET", "/api/v1/post/{id}", "postGet"),
    Call("PATCH", "/api/v1/post/{id}", "postUpdate"),
    Call("POST", "/api/v1/post/{id}/retry", "postRetry"),
    Call("GET", "/api/v1/social-account/by-type", "socialAccountGetByType"),
    Call("POST", "/api/v1/social-account/connect", "socialAccountConnect"),
    Call("POST", "/api/v1/social-account/connection-check", "socialAccountConnectionCheck"),
    Call("POST", "/api/v1/social-account/copy", "socialAccountCopy"),
    Call("POST", "/api/v1/social-account/create-portal-link", "socialAccountCreatePortalLink"),
    Call("DELETE", "/api/v1/social-account/disconnect", "socialAccountDisconnect"),
    Call("POST", "/api/v1/social-account/profile-refresh", "socialAccountProfileRefresh"),
    Call("POST", "/api/v1/social-account/refresh-channels", "socialAccountRefreshChannels"),
    Call("POST", "/api/v1/social-account/set-channel", "socialAccountSetChannel"),
    Call("GET", "/api/v1/social-account/to-delete", "socialAccountGetAccountsToDelete"),
    Call("POST", "/api/v1/social-account/unset-channel", "socialAccountUnsetChannel"),
    Call("GET", "/api/v1/team/", "teamGetList"),
    Call("POST", "/api/v1/team/", "teamCreateTeam"),
    Call("DELETE", "/api/v1/team/{id}", "teamDeleteTeam"),
    Call("GET", "/api/v1/team/{id}", "teamGetTeam"),
    Call("PATCH", "/api/v1/team/{id}", "teamUpdateTeam"),
    Call("DELETE", "/api/v1/upload/", "uploadDeleteMany"),
    Call("GET", "/api/v1/upload/", "uploadGetList"),
    Call("POST", "/api/v1/upload/", "uploadCreate"),
    Call("POST", "/api/v1/upload/finalize", "uploadFinalizeLargeUpload"),
    Call("POST", "/api/v1/upload/from-url", "uploadCreateFromUrl"),
    Call("POST", "/api/v1/upload/init", "uploadInitLargeUpload"),
    Call("POST", "/api/v1/upload/multipart/abort", "uploadAbortMultipartUpload"),
    Call("POST", "/api/v1/upload/multipart/complete", "uploadCompleteMultipartUpload"),
    Call("POST", "/api/v1/upload/multipart/init", "uploadInitMultipartUpload"),
    Call("POST", "/api/v1/upload/multipart/sign", "uploadSignMultipartParts"),
    Call("DELETE", "/api/v1/upload/{id}", "uploadDelete"),
    Call("GET", "/api/v1/upload/{id}", "uploadGet"),
)
"""After the package, version 2.64.2; the order is the vendor's."""


def bundle_social_page(registry: Registry) -> str:
    """The page."""
    rows = [[code(call.name), code(f"{call.method} {call.path}"), word] for call, word in statuses(registry).items()]
    return page("bundle.social's calls", HEAD, table(("call", "address", "here"), rows), TAIL)


def statuses(registry: Registry) -> Mapping[Call, str]:
    """Of each call: `served`, `501: ` with the reason, or `not there`."""
    handlers = _handlers(registry)
    return {call: _status(handlers.get((call.method, call.path.rstrip("/"))), call.name) for call in CALLS}


def _status(handler: HTTPRouteHandler | None, name: str) -> str:
    if handler is None:
        return "not there"
    if handler.operation_id != name:
        raise ValueError(f"{name} is served as {handler.operation_id}")
    reason = handler.opt.get(REASON)
    return f"501: {reason}" if reason else "served"


def _handlers(registry: Registry) -> dict[tuple[str, str], HTTPRouteHandler]:
    """What answers a method at an address."""
    app = create_app(
        Settings(database_url="postgresql://", redis_url="redis://", master_keys=Vault.generate(), state="nowhere"),
        registry,
    )
    return {
        (str(method), _plain(route.path_format)): handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
    }


def _plain(path: str) -> str:
    return path.replace("{reference_key}", "{referenceKey}").rstrip("/")
