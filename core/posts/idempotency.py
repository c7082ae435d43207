"""Idempotency keys: a request that comes again under one key makes nothing twice and is answered as before."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from core.database.pool import single
from core.database.queries import queries
from core.errors import InvalidPost
from core.findings import Finding, Report

ROUTE = "POST /api/v1/post/"
"""Keys are told apart by route; so far one route takes them."""

LONGEST_KEY = 255

KEPT_HOURS = 24
"""How long the answer under a key is given again."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A client's key and the digest of the request that came with it, whatever the order of its fields."""

    key: str
    digest: bytes

    @classmethod
    def of(cls, key: str, body: object) -> "Key":
        """The key of a request. Raises `InvalidPost` for one that is empty, too long or not printable."""
        if not key or len(key) > LONGEST_KEY or not key.isprintable():
            words = f"Idempotency-Key has to be 1 to {LONGEST_KEY} printable characters."
            raise InvalidPost(Report((Finding(code="bad_format", path=("header", "idempotency-key"), message=words),)))
        return cls(key=key, digest=hashlib.sha256(msgspec.json.encode(body, order="sorted")).digest())


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key that was used before; `answer` is None while that request is under way."""

    digest: bytes
    post_id: UUID
    answer: dict[str, Any] | None


async def claim(connection: AsyncConnection[Any], wanted: Sequence[tuple[UUID, UUID, Key]]) -> dict[UUID, Earlier]:
    """Claim keys for posts, each as (post, organization, key); answers what is known of those that were used before.

    The claim belongs to the transaction. A key that another transaction is using at this moment is answered
    without waiting for that one.
    """
    sql = queries("core.posts")
    rows = [
        {
            "post_id": str(post),
            "organization_id": str(owner),
            "route": ROUTE,
            "key": key.key,
            "digest": key.digest.hex(),
        }
        for post, owner, key in wanted
    ]
    cursor = await connection.execute(sql["claim_keys"], {"keys": Jsonb(rows)})
    free = {row[0]: row[1] async for row in cursor}
    cursor = await connection.execute(sql["used_keys"], {"keys": Jsonb(rows)})
    used = {row[0]: Earlier(digest=row[1], post_id=row[2], answer=row[3]) async for row in cursor}
    digests = {post: key.digest for post, _, key in wanted}
    under_way = {
        post: Earlier(digest=digests[post], post_id=post, answer=None)
        for post, is_free in free.items()
        if not is_free and post not in used
    }
    return under_way | {post: earlier for post, earlier in used.items() if earlier.post_id != post}


class Keys:
    """The keys of one database, which are kept for `KEPT_HOURS`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def expire(self) -> int:
        """Forget keys that are old enough, some at a time; answers how many."""
        values = {"hours": KEPT_HOURS, "limit": 1000}
        async with single(self._pool) as connection:
            return (await connection.execute(queries("core.posts")["expire_keys"], values)).rowcount
