"""Lists and single posts: how long an answer takes with a thousand posts in the team and with a million."""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import httpx
import msgspec
import psycopg

from bench.place import Place, Tenant, url_of
from bench.plans import read_for
from bench.results import Goal, Result, compared
from bench.rounds import Plan, Say, interleaved
from core.ids import new_id
from core.posts.terms import folded, terms_of
from server.serve import bound

REPEATS = 15
MOST_PAGES = 10_000
"""More pages of 8 kB than this no list is to read, of however many posts."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("POSTED",) * 90 + ("SCHEDULED",) * 7 + ("DRAFT", "ERROR", "DELETED")
WORDS = ("soup", "bread", "gardens", "shoes", "holidays", "spring", "winter", "pictures")
SCHEDULED = {"orderBy": "postDate", "order": "ASC", "status": "SCHEDULED"}
ASKED: dict[str, dict[str, str]] = {
    "the newest": {},
    "the last updated": {"orderBy": "updatedAt"},
    "what was posted last": {"orderBy": "postedDate", "status": "POSTED"},
    "what comes next": SCHEDULED | {"postDateFrom": "2026-01-01T00:30:00Z"},
    "a frequent word": {"q": "Bread"},
    "a rare word": {"q": "einhorn"},
    "a word that nothing has": {"q": "nowhere to be seen"},
    "a rare platform": {"platforms": "TWITTER", "orderBy": "postDate"},
    "failures of a platform": {"platforms": "PINTEREST", "status": "ERROR", "orderBy": "updatedAt"},
}
"""What is asked for, each a list of ten."""


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team with so many posts, a key for it, and the id of one of its posts."""

    size: int
    tenant: Tenant
    post_id: UUID


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure every list and a single post in teams of each size, beside the smallest."""
    teams = [_filled(place, size, say) for size in plan.teams]
    place.settle()
    results: list[Result] = []
    with (
        bound("127.0.0.1", 0) as here,
        place.process("serve", "server.cli", "serve", listener=here),
        httpx.Client(base_url=url_of(here), trust_env=False, timeout=60) as client,
    ):
        for name, query in {"one post by its id": None, **ASKED}.items():
            say(f"lists: {name}")
            calls = {f"{team.size:,}": partial(_timed, client, team, query) for team in teams}
            results += _results(name, interleaved(plan.rounds, calls, say=say, words=lambda ms: f"{ms:.2f} ms"))
        for name, query in ASKED.items():
            results.append(_read(place, teams, name, query, say))
    return results


def _results(name: str, found: dict[str, list[float]]) -> list[Result]:
    (smallest, baseline), *others = found.items()
    goal = Goal(of="ratio", sense="≤", bound=3)
    return [
        compared(f"{name}, of {size}", "ms", taken, baseline, against=f"of {smallest}", goal=goal)
        for size, taken in others
    ]


def _read(place: Place, teams: list[Team], name: str, query: dict[str, str], say: Say) -> Result:
    """How much of the database a list of the largest team reads, which no other work on the machine changes."""
    found = []
    for team in teams:
        tenant = team.tenant
        read = read_for(place.database_url, UUID(tenant.organization_id), UUID(tenant.team_id), query)
        say(f"lists: {name}, of {team.size:,}: {read.pages:,} pages; {'; '.join(read.ways)}")
        found.append(read.pages)
    return compared(
        f"{name}, of {teams[-1].size:,}: pages read",
        "pages",
        found[-1:],
        found[:1],
        against=f"of {teams[0].size:,}",
        goal=Goal(of="value", sense="≤", bound=MOST_PAGES),
    )


def _timed(client: httpx.Client, team: Team, query: dict[str, str] | None) -> float:
    """Milliseconds until an answer, the median of some."""
    path = f"/api/v1/post/{team.post_id}" if query is None else "/api/v1/post/"
    values = None if query is None else {"teamId": team.tenant.team_id, **query}
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        answer = client.get(path, params=values, headers={"x-api-key": team.tenant.keys[0]})
        times.append(1000 * (time.perf_counter() - start))
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:200]}")
    return statistics.median(times)


def _filled(place: Place, size: int, say: Say) -> Team:
    """A team of its own with posts written straight into the tables."""
    tenant = place.tenant("ECHO")
    say(f"lists: writing {size:,} posts")
    rows = list(_posts(UUID(tenant.team_id), size, Random(size)))
    names = "id, team_id, title, folded, status, platforms, created_at, updated_at, post_date, posted_at, deleted_at"
    with psycopg.connect(place.database_url) as connection, connection.cursor() as cursor:
        found = cursor.execute("select organization_id from teams where id = %s", [tenant.team_id]).fetchone()
        assert found is not None
        with cursor.copy(f"copy posts ({names}, organization_id, content) from stdin") as copy:
            for row in rows:
                copy.write_row([*row, found[0], "{}"])
        with cursor.copy("copy post_terms (post_id, terms) from stdin") as copy:
            for id, team_id, _, title, _, platforms, *_ in rows:
                copy.write_row([id, terms_of(team_id, title, platforms)])
    return Team(size=size, tenant=tenant, post_id=rows[size // 2][0])


def _posts(team_id: UUID, size: int, random: Random) -> Iterator[tuple[Any, ...]]:
    for number in range(size):
        status, at = random.choice(STATUSES), EPOCH + timedelta(minutes=number)
        rare = number % 997 == 13
        title = f"{random.choice(WORDS).title()} and {random.choice(WORDS)} {number}{' Einhorn' if rare else ''}"
        platforms = ["TWITTER"] if rare else random.choice([["PINTEREST"], ["PINTEREST", "BLUESKY"]])
        updated_at = at + timedelta(minutes=random.randrange(600))
        dates = (at, updated_at, at + timedelta(days=1), at if status == "POSTED" else None)
        deleted_at = updated_at if status == "DELETED" else None
        yield (new_id(), team_id, title, folded(title), status, platforms, *dates, deleted_at)
