"""Bulk: posts that come as lines in one stream, beside a bare COPY of the same rows."""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import msgspec
import psycopg
from psycopg.types.json import Jsonb

from bench.accept import request_body
from bench.load import PLACEHOLDER
from bench.place import Place, Tenant, url_of
from bench.results import Result, compared
from bench.rounds import Plan, Say, interleaved
from core.database.queries import queries
from core.ids import new_id
from core.posts.terms import folded, terms_of
from server.serve import bound

PLATFORMS = ("ECHO", "PINTEREST")
LINES, COPY = "POST /post/bulk as lines", "COPY of the same rows"
PATIENCE_SECONDS = 600.0


def bulk(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure one stream of posts with two platforms each; what is written has all its indexes and references."""
    tenant = place.tenant(*PLATFORMS)
    body, numbers = request_body(tenant, *PLATFORMS), count()
    say(f"schedule: {plan.lines:,} posts in one stream")
    with (
        bound("127.0.0.1", 0) as listener,
        place.process("serve", "server.cli", "serve", listener=listener),
        httpx.Client(base_url=url_of(listener), timeout=PATIENCE_SECONDS, trust_env=False, verify=False) as server,
        psycopg.connect(place.database_url) as connection,
    ):
        _sent(server, tenant, body, numbers, 1)
        contestants = {
            LINES: lambda: _sent(server, tenant, body, numbers, plan.lines),
            COPY: lambda: _copied(connection, tenant, body, numbers, plan.lines),
        }
        found = interleaved(plan.rounds, contestants, say=say, words=lambda rate: f"{rate:,.0f}/s")
    return [compared("posts taken in by bulk", "/s", found[LINES], found[COPY], against=COPY, goal=None)]


def _sent(server: httpx.Client, tenant: Tenant, body: str, numbers: "count[int]", number: int) -> float:
    """Posts a second, from the first byte sent to the last answer. Raises RuntimeError where one was not stored."""
    before, _, after = body.partition(PLACEHOLDER)

    def lines() -> Iterator[bytes]:
        for _ in range(number):
            yield f'{{"post":{before}{next(numbers)}{after}}}\n'.encode()

    headers = {"x-api-key": tenant.keys[0], "content-type": "application/x-ndjson"}
    start, stored = time.perf_counter(), 0
    with server.stream("POST", "/api/v1/post/bulk", content=lines(), headers=headers) as answer:
        for line in answer.iter_lines():
            if '"status":200' not in line:
                raise RuntimeError(f"A post was not stored: {line[:500]}")
            stored += 1
    if stored != number:
        raise RuntimeError(f"{number} posts were to be stored, not {stored}.")
    return number / (time.perf_counter() - start)


def _copied(
    connection: psycopg.Connection[Any], tenant: Tenant, body: str, numbers: "count[int]", number: int
) -> float:
    """Posts a second: the same rows, made by nothing and checked by nobody, committed as one."""
    named = queries("bench")
    posts, terms, deliveries = _rows(connection, tenant, body, numbers, number)
    start = time.perf_counter()
    with connection.cursor() as cursor:
        for name, rows in (("copy_posts", posts), ("copy_terms", terms), ("copy_deliveries", deliveries)):
            with cursor.copy(named[name]) as copy:
                for row in rows:
                    copy.write_row(row)
    connection.commit()
    return number / (time.perf_counter() - start)


def _rows(
    connection: psycopg.Connection[Any], tenant: Tenant, body: str, numbers: "count[int]", number: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    due = datetime.now(UTC) + timedelta(days=1)
    accounts = connection.execute(queries("bench")["account_rows"], {"team_id": tenant.team_id}).fetchall()
    organization, team = tenant.organization_id, tenant.team_id
    posts: list[tuple[Any, ...]] = []
    terms: list[tuple[Any, ...]] = []
    deliveries: list[tuple[Any, ...]] = []
    for _ in range(number):
        post, content = new_id(), msgspec.json.decode(body.replace(PLACEHOLDER, str(next(numbers))))
        title = folded(content["title"])
        posts.append(
            (post, organization, team, content["title"], title, due, "SCHEDULED", [*PLATFORMS], Jsonb(content))
        )
        terms.append((post, terms_of(accounts[0][1], title, [*PLATFORMS])))
        for platform, account, grant, lane in accounts:
            block = Jsonb(content["data"][platform])
            sign = hashlib.sha256(post.bytes).digest()
            row = (new_id(), organization, team, post, account, grant, lane, platform, 0, block, sign, "scheduled")
            deliveries.append((*row, due, due, due + timedelta(days=1)))
    return posts, terms, deliveries
