"""bundle.social's calls that are known and not offered: each answers 501 and says why."""

from typing import Literal

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler

from core.errors import NotOffered
from core.tenants.callers import Scope
from server.auth import access

REASON = "not_offered"
"""Under which name a route's reason stands among its options."""

_PARTS = (
    "Uploads in signed parts are not offered here: POST /api/v1/upload/init, one PUT to its `url` and POST "
    "/api/v1/upload/finalize take files up to the largest size allowed."
)
_CSV = (
    "Posts are not read from CSV files here yet: POST /api/v1/post/bulk takes any number of them as lines of JSON, and "
    "answers each."
)
_FORCED = "Figures are read anew when they are asked for and an hour old; nothing has to be forced."
_RAW = "A platform's own numbers stand in `raw` of each item of the call without /raw."
_LEAVING = "Accounts are not kept for a while and then deleted here: a disconnected one is gone at once."
_HISTORY = "What was published elsewhere is not imported here yet; GET /api/v1/post/ lists what went out from here."


Method = Literal["GET", "POST", "PATCH", "DELETE"]


class NotOfferedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of bundle.social's, and why it is not offered."""

    method: Method
    path: str
    operation: str
    what: str
    tag: str
    why: str


def _calls(tag: str, what: str, why: str, *calls: tuple[Method, str, str]) -> list[NotOfferedCall]:
    return [
        NotOfferedCall(method=method, path=path, operation=operation, what=what, tag=tag, why=why)
        for method, path, operation in calls
    ]


CALLS = (
    *_calls(
        "Uploads",
        "uploads in signed parts",
        _PARTS,
        ("POST", "/upload/multipart/init", "uploadInitMultipartUpload"),
        ("POST", "/upload/multipart/sign", "uploadSignMultipartParts"),
        ("POST", "/upload/multipart/complete", "uploadCompleteMultipartUpload"),
        ("POST", "/upload/multipart/abort", "uploadAbortMultipartUpload"),
    ),
    *_calls(
        "Imports",
        "posts from CSV files",
        _CSV,
        ("GET", "/post-csv-import", "postCsvGetList"),
        ("POST", "/post-csv-import", "postCsvCreate"),
        ("GET", "/post-csv-import/{importId:str}", "postCsvGetById"),
        ("GET", "/post-csv-import/{importId:str}/rows", "postCsvGetRows"),
        ("GET", "/post-csv-import/{importId:str}/status", "postCsvGetStatus"),
    ),
    *_calls(
        "Imports",
        "the history of an account",
        _HISTORY,
        ("GET", "/post-history-import", "postImportGetStatus"),
        ("POST", "/post-history-import", "postImportCreate"),
        ("GET", "/post-history-import/posts", "postImportGetImportedPosts"),
        ("DELETE", "/post-history-import/posts", "postImportDeleteImportedPosts"),
        ("GET", "/post-history-import/{importId:str}", "postImportGetById"),
        ("POST", "/post-history-import/{importId:str}/retry", "postImportRetryImport"),
    ),
    *_calls(
        "Analytics",
        "figures by force",
        _FORCED,
        ("POST", "/analytics/post/force", "analyticsForcePostAnalytics"),
        ("POST", "/analytics/social-account/force", "analyticsForceSocialAccountAnalytics"),
    ),
    *_calls(
        "Analytics",
        "figures as the platform words them",
        _RAW,
        ("GET", "/analytics/post/raw", "analyticsGetPostAnalyticsRaw"),
        ("GET", "/analytics/social-account/raw", "analyticsGetSocialAccountAnalyticsRaw"),
    ),
    *_calls(
        "Social accounts",
        "accounts that will be deleted",
        _LEAVING,
        ("GET", "/social-account/to-delete", "socialAccountGetAccountsToDelete"),
    ),
)

_SCOPES: dict[Method, Scope] = {"GET": "read", "POST": "write", "PATCH": "write", "DELETE": "destructive"}


def not_offered() -> list[HTTPRouteHandler]:
    """A handler for each of `CALLS`; whatever its path names, there is none of it."""
    return [refusing(call) for call in CALLS]


def refusing(call: NotOfferedCall) -> HTTPRouteHandler:
    """What answers a call that is not offered."""

    @route(
        f"/api/v1{call.path}",
        http_method=call.method,
        status_code=200,
        tags=[call.tag],
        operation_id=call.operation,
        opt={**access(_SCOPES[call.method], "accounts"), REASON: call.why},
        summary=f"Not offered: {call.what}",
        description=f"Always answers 501. {call.why}",
    )
    async def handler() -> None:
        raise NotOffered(call.why)

    return handler
