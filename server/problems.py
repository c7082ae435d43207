"""Problems: from every error that can leave a handler to the one document that a client gets (RFC 9457)."""

import math
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from psycopg_pool import PoolClosed, PoolTimeout

from core.database.group import ConnectionLost
from core.errors import (
    Conflict,
    FingerpostError,
    Forbidden,
    InvalidPost,
    InvalidUpload,
    KeyReused,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    NotOffered,
    NotSupported,
    OutcomeUnknown,
    PreconditionFailed,
    PublishError,
    RateLimited,
    RefusedUrl,
    Rejected,
    TooManyRequests,
    Unavailable,
    Unready,
)
from core.findings import Finding
from core.governor.line import Away
from core.posts.bulk import BulkRefused
from core.posts.intake import UnclearPost
from server.caller_limit import CallerLimited

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""What a client is told to wait when we are not ready."""

MOST_ISSUES = 200
"""How many findings of a kind one answer lists."""

STATUSES: dict[type[Exception], int] = {
    InvalidPost: 400,
    InvalidUpload: 400,
    RefusedUrl: 400,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    KeyReused: 422,
    TooManyRequests: 429,
    NotOffered: 501,
    NotSupported: 501,
    # What a platform said to a call that was made for a client.
    Rejected: 422,
    NotAuthorized: 409,
    RateLimited: 429,
    OutcomeUnknown: 502,
    Unavailable: 503,
    Away: 503,
    Unready: 503,
    ConnectionLost: 503,
    psycopg.OperationalError: 503,
    PoolTimeout: 503,
    PoolClosed: 503,
    FingerpostError: 500,
    Exception: 500,
}
"""The status of each error; the nearest class counts."""

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_WORDS = {
    404: "There is nothing at this address.",
    405: "This address does not know that method; the header `allow` lists those it knows.",
    413: "The body is too large for this endpoint.",
    500: "Something went wrong on our side; it is in our log under the id in `x-request-id`.",
    503: "A server that we need is away for the moment; try again shortly.",
}


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a request, and where it stands."""

    code: str
    message: str
    path: list[str | int]


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A problem document (RFC 9457), with the fields under which bundle.social's clients look.

    `type` leads to what its `code` means, which is stable; under `requestId`, as in the header `x-request-id`, the
    request stands in the log. `issues` are the faults to be mended, `warnings` those that stop nothing. `hint` says
    what to do about what a platform said, whose own code and status come with it. `id` and `outcome` come only when
    the database went away: the post's id, and whether it is stored.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    status_code: int
    message: str
    issues: list[Issue]
    warnings: list[Issue]
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    hint: str | msgspec.UnsetType = msgspec.UNSET
    platform_code: str | msgspec.UnsetType = msgspec.UNSET
    platform_status: int | msgspec.UnsetType = msgspec.UNSET
    id: UUID | msgspec.UnsetType = msgspec.UNSET
    outcome: str | msgspec.UnsetType = msgspec.UNSET


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The answer to a request that failed; what nobody foresaw is logged and told without its insides."""
    problem = problem_of(request, error)
    headers = _headers(error, problem.status)
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def problem_of(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """What is told of an error; what nobody foresaw is logged."""
    status = _status(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and not _hung_up(error):
        structlog.get_logger().error("request failed", exc_info=error)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        structlog.get_logger().warning("not ready", reason=type(error).__name__)
    return _problem(error, status, _instance(request))


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, Rejected) and error.http_status in _GONE:
        return HTTPStatus.NOT_FOUND
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def _hung_up(error: Exception) -> bool:
    """Whether the client went away while it was sending; Litestar has no class for that."""
    return isinstance(error, InternalServerException) and "disconnect" in error.detail


def _problem(error: Exception, status: int, instance: str) -> Problem:
    told = isinstance(error, FingerpostError) and status != HTTPStatus.INTERNAL_SERVER_ERROR
    code, words = _of_status(status)
    if isinstance(error, FingerpostError) and told and not isinstance(error, ConnectionLost):
        code, words = error.code, error.message
    elif isinstance(error, HTTPException) and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        words = _WORDS.get(status, error.detail)
    report = error.report if isinstance(error, InvalidPost | BulkRefused) else None
    said = error if isinstance(error, PublishError) else PublishError("")
    return Problem(
        type=f"/errors/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=words,
        instance=instance,
        code=code,
        status_code=status,
        message=words,
        issues=[_issue(finding) for finding in (report.errors if report else ())[:MOST_ISSUES]],
        warnings=[_issue(finding) for finding in (report.warnings if report else ())[:MOST_ISSUES]],
        request_id=structlog.contextvars.get_contextvars().get("request_id", msgspec.UNSET),
        hint=said.hint or msgspec.UNSET,
        platform_code=said.platform_code or msgspec.UNSET,
        platform_status=said.http_status or msgspec.UNSET,
        id=error.post_id if isinstance(error, UnclearPost) else msgspec.UNSET,
        outcome=error.outcome if isinstance(error, UnclearPost) else msgspec.UNSET,
    )


def _of_status(status: int) -> tuple[str, str]:
    fallback = {500: "internal", 503: Unready.code}.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
    return _CODES.get(status, fallback), _WORDS.get(status, f"{HTTPStatus(status).phrase}.")


def _issue(finding: Finding) -> Issue:
    return Issue(code=finding.code, message=finding.message, path=list(finding.path))


def _instance(request: Request[Any, Any, Any]) -> str:
    return quote(request.scope["path"])


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="fingerpost"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_SECONDS)
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(math.ceil(error.after))
    if isinstance(error, RateLimited):
        headers["retry-after"] = str(max(math.ceil(error.after.total_seconds()), 1))
    if isinstance(error, CallerLimited):
        headers |= error.headers
    return headers
