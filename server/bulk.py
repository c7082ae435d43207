"""The bulk intake of the API: up to a thousand posts in one body, or any number of them as lines."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec import Meta

from core.convert import convert
from core.errors import FingerpostError
from core.findings import Finding, Report
from core.post import PostRequest
from core.posts.bulk import MOST, Bulk, BulkItem, Told
from core.posts.idempotency import LONGEST_KEY
from core.posts.new_post import NewPost
from core.posts.views import NewPostView
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import MAX_BYTES, InvalidRequest, decode
from server.lines import NDJSON, LineTooLong, StreamedAnswer, lines
from server.problems import Problem, problem_of
from server.queries import read_query
from server.spool import Spool

MAX_BULK_BYTES = 16_000_000
"""The largest body that is not sent as lines."""


class BulkQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `POST /api/v1/post/bulk`."""

    mode: Annotated[
        Literal["partial", "atomic"],
        Meta(description="partial stores what can be stored; atomic stores all of up to 1,000, or nothing."),
    ] = "partial"


class BulkItemRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One post of many, which is one line where they come as lines."""

    post: Annotated[PostRequest, Meta(description="What `POST /api/v1/post/` takes.")]
    idempotency_key: (
        Annotated[
            str,
            Meta(min_length=1, max_length=LONGEST_KEY, description="As the header `Idempotency-Key` of a create."),
        ]
        | None
    ) = None


class BulkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/v1/post/bulk`."""

    items: Annotated[list[BulkItemRequest], Meta(min_length=1, max_length=MOST)]


class BulkResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one item, by its place: as a create of it would have been answered, with that status."""

    index: int
    status: int
    post: NewPostView | None = None
    problem: Problem | None = None


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every item, in their order; lines are answered by lines, each a result."""

    stored: int
    refused: int
    items: list[BulkResult]


class _Item(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An item whose post is checked like any other, not by its shape."""

    post: Any
    idempotency_key: str | None = None


class BulkController(Controller):
    """`/api/v1/post/bulk`, ours: the vendor has no such call."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(
        "/bulk",
        status_code=200,
        operation_id="postCreateBulk",
        summary="Create many posts",
        opt=access("write", "accounts"),
        # Lines are bounded one by one; a body that is not of lines is bounded where it is read.
        request_max_body_size=None,
    )
    async def create(self, request: Request[Caller, None, State], bulk: NamedDependency[Bulk]) -> Response[BulkAnswer]:
        """Check and take in many posts, each with an idempotency key of its own and an answer of its own.

        As `application/x-ndjson` any number of items may come, a line each; the answer is of lines too, and begins
        while the request is still under way. With `mode=atomic` up to 1,000 are stored together or not at all: then a
        fault of any is a 400, and a conflict of any a 409.
        """
        atomic = read_query(request, BulkQuery).mode == "atomic"
        by_line = request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON
        if by_line and not atomic:
            return StreamedAnswer(_Lines(request, bulk).answer)
        items = await _lined(request) if by_line else _listed(await _whole(request))
        caller = request.user
        if not atomic:
            return Response(_answer(request, await bulk.each(caller.organization_id, items, caller.reach)))
        views = await bulk.all(caller.organization_id, items, caller.reach)
        if by_line:
            written = b"".join(map(_line, _results(request, views, 0)))
            return StreamedAnswer(lambda spool: _write(spool, written))
        return Response(_answer(request, views))


async def _write(spool: Spool, written: bytes) -> None:
    spool.write(written)


class _Lines:
    """Items that come as lines, taken in as they come."""

    def __init__(self, request: Request[Caller, None, State], bulk: Bulk) -> None:
        self._request = request
        self._bulk = bulk

    async def answer(self, spool: Spool) -> None:
        """Write a line for each line; while some are stored the next are read and checked."""
        caller, index = self._request.user, 0
        storing: asyncio.Task[None] | None = None
        try:
            async for batch in _batches(self._request):
                items = [_item_of(line) for line in batch]
                prepared = await self._bulk.prepared(caller.organization_id, items, caller.reach)
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._store(prepared, index, spool))
                index += len(items)
        finally:
            if storing is not None:
                await storing

    async def _store(self, prepared: Sequence[NewPost | Exception], start: int, spool: Spool) -> None:
        told = await self._bulk.store(prepared)
        spool.write(b"".join(map(_line, _results(self._request, told, start))))


async def _batches(request: Request[Any, Any, Any]) -> AsyncIterator[Sequence[bytes | LineTooLong]]:
    async for found in lines(request.stream(), MAX_BYTES):
        for start in range(0, len(found), MOST):
            yield found[start : start + MOST]


async def _lined(request: Request[Any, Any, Any]) -> list[BulkItem | Exception]:
    """Lines that are to be stored together. Raises `InvalidRequest` for too many."""
    items: list[BulkItem | Exception] = []
    size = 0
    async for found in lines(_bounded(request), MAX_BYTES):
        items += map(_item_of, found)
        size += len(found)
        if size > MOST:
            raise _too_many()
    return items


async def _bounded(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BULK_BYTES:
            raise RequestEntityTooLarge
        yield chunk


async def _whole(request: Request[Any, Any, Any]) -> bytes:
    return b"".join([chunk async for chunk in _bounded(request)])


def _listed(raw: bytes) -> list[BulkItem | Exception]:
    """The items of a body. Raises `InvalidRequest` where it holds no list of at most so many."""
    try:
        body = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        items = msgspec.json.decode(body.pop("items"), type=list[msgspec.Raw])
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
        # What exactly is wrong is told by those who decode everything.
        _, findings = convert(BulkRequest, decode(raw))
        raise InvalidRequest(Report(tuple(findings))) from None
    if body or not items:
        _, findings = convert(BulkRequest, dict.fromkeys(body) | {"items": []})
        wrong = [each for each in findings if each.code == "unknown_field" or not items]
        raise InvalidRequest(Report(tuple(wrong)))
    if len(items) > MOST:
        raise _too_many()
    return [_item_of(bytes(item)) for item in items]


def _too_many() -> InvalidRequest:
    words = f"At most {MOST:,} posts fit into one body; send more as lines ({NDJSON}), which is never atomic."
    return InvalidRequest(Report((Finding(code="too_many", path=("items",), message=words),)))


def _item_of(line: bytes | LineTooLong) -> BulkItem | Exception:
    """An item, or why it cannot be read."""
    if isinstance(line, LineTooLong):
        return RequestEntityTooLarge()
    try:
        item, findings = convert(_Item, decode(line))
    except FingerpostError as error:
        return error
    if item is None:
        return InvalidRequest(Report(tuple(findings)))
    return BulkItem(post=item.post, idempotency_key=item.idempotency_key)


def _answer(request: Request[Any, Any, Any], told: Sequence[Told]) -> BulkAnswer:
    results = _results(request, told, 0)
    stored = sum(result.post is not None for result in results)
    return BulkAnswer(stored=stored, refused=len(results) - stored, items=results)


def _results(request: Request[Any, Any, Any], told: Sequence[Told], start: int) -> list[BulkResult]:
    return [_result(request, each, index) for index, each in enumerate(told, start)]


def _result(request: Request[Any, Any, Any], told: Told, index: int) -> BulkResult:
    if isinstance(told, NewPostView):
        return BulkResult(index=index, status=200, post=told)
    problem = problem_of(request, told)
    return BulkResult(index=index, status=problem.status, problem=problem)


def _line(result: BulkResult) -> bytes:
    return msgspec.json.encode(result) + b"\n"
