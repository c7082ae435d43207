"""Posts by the thousand: checked together, stored by shared transactions, each with an answer of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from core.database.notices import Notices
from core.errors import Conflict, FingerpostError, InvalidPost, NotFound
from core.findings import Finding, Report
from core.posts.idempotency import Key
from core.posts.intake import NotAllStored
from core.posts.new_post import NewPost
from core.posts.posts import Posts
from core.posts.views import NewPostView
from core.tenants.callers import WHOLE, Reach

MOST = 1000
"""So many posts are taken in together."""

_BREATH = 50
"""After so many checks others have their turn."""


class BulkItem(msgspec.Struct, frozen=True, kw_only=True):
    """One of many posts: its request, and the client's idempotency key for it."""

    post: Any
    idempotency_key: str | None = None


Told = NewPostView | Exception
"""What became of an item: its post, or what stood against it."""


class BulkRefused(Conflict):
    """Nothing was stored, because of what stood against some; `report` says what and which. HTTP 409."""

    code = "bulk_refused"

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("Some of the posts cannot be stored, so none was; each is in `issues`.")
        self.report = Report(tuple(findings))


class Bulk:
    """Takes many posts in, exactly as each would be by itself."""

    def __init__(self, posts: Posts, notices: Notices) -> None:
        self._posts = posts
        self._notices = notices

    async def each(
        self, organization_id: UUID, items: Sequence[BulkItem | Exception], within: Reach = WHOLE
    ) -> list[Told]:
        """Take in those that can be; an item that could not even be read stands for its error."""
        return await self.store(await self.prepared(organization_id, items, within))

    async def store(self, prepared: Sequence[NewPost | Exception]) -> list[Told]:
        """Store those of which nothing stands in the way."""
        told = await asyncio.gather(*map(self._stored, prepared))
        self._notices.tell("deliveries")
        return told

    async def all(
        self, organization_id: UUID, items: Sequence[BulkItem | Exception], within: Reach = WHOLE
    ) -> list[NewPostView]:
        """Take in all of them or none.

        Raises `InvalidPost` with every finding on every item, its path beginning with `items` and the item's place,
        `BulkRefused` with everything else that stood against one, and `UnclearPost` when the database went away.
        """
        prepared = await self.prepared(organization_id, items, within)
        if faults := {place: item for place, item in enumerate(prepared) if isinstance(item, Exception)}:
            raise _refused(faults)
        try:
            views = await self._posts.intake.store_all([item for item in prepared if isinstance(item, NewPost)])
        except NotAllStored as error:
            raise _refused(error.refusals) from error
        self._notices.tell("deliveries")
        return views

    async def prepared(
        self, organization_id: UUID, items: Sequence[BulkItem | Exception], within: Reach = WHOLE
    ) -> list[NewPost | Exception]:
        """The post that each item asks for, or what stands against it; nothing is stored."""
        preparation = self._posts.preparation
        bodies = [None if isinstance(item, Exception) else item.post for item in items]
        every = await preparation.all_facts(organization_id, bodies, within)
        prepared: list[NewPost | Exception] = []
        for place, (item, facts) in enumerate(zip(items, every, strict=True)):
            if place % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            if isinstance(item, Exception):
                prepared.append(item)
                continue
            try:
                key = None if item.idempotency_key is None else Key.of(item.idempotency_key, item.post)
                prepared.append(preparation.prepared_with(facts, organization_id, item.post, key=key))
            except FingerpostError as error:
                prepared.append(error)
        return prepared

    async def _stored(self, item: NewPost | Exception) -> Told:
        if isinstance(item, Exception):
            return item
        try:
            return await self._posts.intake.store(item)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's answer
            return error


def _refused(faults: Mapping[int, Exception]) -> FingerpostError:
    """One error for all: the request is at fault where a post is, else there is a conflict."""
    if all(isinstance(error, NotFound) for error in faults.values()):
        return NotFound("There is no such team; use one of your own.")
    findings = [finding for place, error in faults.items() for finding in _findings(place, error)]
    if any(isinstance(error, InvalidPost) for error in faults.values()):
        return InvalidPost(Report(tuple(findings)))
    return BulkRefused(findings)


def _findings(place: int, error: Exception) -> list[Finding]:
    if isinstance(error, InvalidPost):
        at = ("items", place, "post")
        return [msgspec.structs.replace(each, path=(*at, *each.path)) for each in error.report.findings]
    assert isinstance(error, FingerpostError)
    return [Finding(code=error.code, path=("items", place), message=error.message)]
