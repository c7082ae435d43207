"""Idempotency keys: a request that comes again under one key makes nothing twice and is answered as before."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
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
    """What is known of a key that was used before: for which post, and how that was answered when it was stored.

    `answer` is None while that request is under way.
    """

    digest: bytes
    post_id: UUID
    answer: dict[str, Any] | None = None
    stored_at: datetime | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept: for which post of which organization, and the answer that is given again."""

    post_id: UUID
    organization_id: UUID
    route: str = ROUTE
    key: str
    digest: str
    answer: Any

    @classmethod
    def of(cls, post_id: UUID, organization_id: UUID, key: Key, answer: Any) -> "Claim":
        """A client's key, claimed for a post."""
        return cls(
            post_id=post_id, organization_id=organization_id, key=key.key, digest=key.digest.hex(), answer=answer
        )


async def earlier_uses(connection: AsyncConnection[Any], claims: Sequence[Claim]) -> dict[UUID, Earlier]:
    """What is known of keys that could not be claimed, by the posts that came with them.

    Of a key that another transaction is using at this moment nothing is known; it is not waited for.
    """
    under_way = {claim.post_id: Earlier(digest=bytes.fromhex(claim.digest), post_id=claim.post_id) for claim in claims}
    cursor = await connection.execute(queries("core.posts")["used_keys"], {"keys": Jsonb(list(claims))})
    return under_way | {
        row[0]: Earlier(digest=row[1], post_id=row[2], answer=row[3], stored_at=row[4]) async for row in cursor
    }


class Keys:
    """The keys of one database, which are kept for `KEPT_HOURS`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def expire(self) -> int:
        """Forget keys that are old enough, some at a time; answers how many."""
        values = {"hours": KEPT_HOURS, "limit": 1000}
        async with single(self._pool) as connection:
            return (await connection.execute(queries("core.posts")["expire_keys"], values)).rowcount
