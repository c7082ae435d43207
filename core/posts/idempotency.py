"""Idempotency keys: a request that comes again under one key makes nothing twice and is answered as before."""

import hashlib
from typing import Any

import msgspec
from psycopg import AsyncConnection
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


class Keys:
    """The keys of one database, which are kept for `KEPT_HOURS`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def expire(self) -> int:
        """Forget keys that are old enough, some at a time; answers how many."""
        values = {"hours": KEPT_HOURS, "limit": 1000}
        async with single(self._pool) as connection:
            return (await connection.execute(queries("core.posts")["expire_keys"], values)).rowcount
