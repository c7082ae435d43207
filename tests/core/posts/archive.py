"""An archive: many posts of several teams written straight into the tables, and what a list of them has to show."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from core.ids import new_id
from core.posts.filters import Filters
from core.posts.terms import folded, terms_of

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
WORDS = ("Soup", "BREAD", "Gärten", "shoes", "Straße", "日本", "50%_off", "x")
STATUSES = ("DRAFT", "SCHEDULED", "POSTED", "POSTED", "POSTED", "ERROR", "PROCESSING", "REVIEW", "RETRYING", "DELETED")
PLATFORMS = (("PINTEREST",), ("PINTEREST", "BLUESKY"), ("MASTODON",), ("PINTEREST", "MASTODON"))


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A post as far as a list looks at it."""

    id: UUID
    team_id: UUID
    title: str
    status: str
    platforms: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    post_date: datetime
    posted_at: datetime | None
    deleted_at: datetime | None


def kept(team_id: UUID, count: int, random: Random) -> Iterator[Kept]:
    """So many posts of a team; dates repeat, and what is rare is rare."""
    for number in range(count):
        status = random.choice(STATUSES)
        created_at = EPOCH + timedelta(minutes=number // 3)
        posted = status == "POSTED" or (status == "ERROR" and number % 5 == 0)
        rare = number % 97 == 13
        yield Kept(
            id=new_id(),
            team_id=team_id,
            title=f"{random.choice(WORDS)} {random.choice(WORDS)}{' Einhorn' if rare else ''} {number}",
            status=status,
            platforms=("TWITTER",) if rare else random.choice(PLATFORMS),
            created_at=created_at,
            updated_at=created_at + timedelta(hours=random.randrange(50)),
            post_date=EPOCH + timedelta(days=random.randrange(-20, 20)),
            posted_at=created_at + timedelta(hours=random.randrange(3)) if posted else None,
            deleted_at=created_at + timedelta(hours=random.randrange(9)) if status == "DELETED" else None,
        )


async def store(connection: AsyncConnection[Any], organization_id: UUID, posts: Sequence[Kept]) -> None:
    """Write posts as they would lie in the tables."""
    columns = "id, team_id, title, status, platforms, created_at, updated_at, post_date, posted_at, deleted_at"
    into = f"copy posts (organization_id, content, folded, {columns}) from stdin"
    async with connection.cursor() as cursor:
        async with cursor.copy(into) as copy:
            for post in posts:
                fields = [getattr(post, name) for name in columns.split(", ")]
                fields = [list(field) if isinstance(field, tuple) else field for field in fields]
                await copy.write_row([organization_id, "{}", folded(post.title), *fields])
        async with cursor.copy("copy post_terms (post_id, terms) from stdin") as copy:
            for post in posts:
                await copy.write_row([post.id, terms_of(post.team_id, folded(post.title), post.platforms)])


def expected(posts: Sequence[Kept], filters: Filters) -> list[UUID]:
    """The whole list, by the words of the documentation alone."""
    query = filters.query
    fitting = [
        post
        for post in posts
        if post.team_id == filters.team_id
        and (post.status == query.status if query.status else post.status != "DELETED")
        and query.q.casefold() in post.title.casefold()
        and (not query.platforms or set(query.platforms) & set(post.platforms))
        and (filters.date_from is None or post.post_date >= filters.date_from)
        and (filters.date_to is None or post.post_date <= filters.date_to)
    ]
    name = {"postedDate": "posted_at", "postDate": "post_date"}.get(query.order_by)
    name = name or query.order_by.replace("A", "_a")
    down = query.order == "DESC"
    dated = sorted((p for p in fitting if getattr(p, name)), key=lambda p: (getattr(p, name), p.id), reverse=down)
    others = sorted((p for p in fitting if not getattr(p, name)), key=lambda p: (p.created_at, p.id), reverse=down)
    return [post.id for post in (*dated, *others)]
