"""PostgreSQL killed while posts are taken in: what was answered is so, whatever the answer."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from adapters.pinterest.sandbox import PinterestSandbox
from core.database.pool import open_pool
from tests.chaos.ground import ground
from tests.fleet import api, running_world, until
from tests.world import World

CLIENTS = 32


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a client was told of the post with a reference key."""

    key: str
    status: int
    body: dict[str, Any]
    retry_after: str | None

    @property
    def outcome(self) -> str:
        """`stored`, `unknown`, or `not stored`: a refusal that does not say so means that."""
        if self.status == 200:
            return "stored"
        return "unknown" if self.body.get("outcome") == "unknown" else "not stored"


async def client(here: World, url: str, name: int, stop: asyncio.Event, answers: list[Answer]) -> None:
    """One client that creates post after post, and takes every answer for what it is."""
    numbers = count()
    block = here.adapter.example(here.account.channel, f"{here.sandbox_url}/_sandbox/picture.png")
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": here.key}, timeout=60, trust_env=False) as http:
        while not stop.is_set():
            key = f"{name}-{next(numbers)}"
            body = {
                "teamId": str(here.team_id),
                "title": key,
                "postDate": "2031-01-01T00:00:00Z",
                "status": "SCHEDULED",
                "referenceKey": key,
                "socialAccountTypes": [here.sandbox.platform],
                "data": {here.sandbox.platform: block},
            }
            answer = await http.post("/api/v1/post/", json=body)
            retry_after = answer.headers.get("retry-after")
            answers.append(Answer(key=key, status=answer.status_code, body=answer.json(), retry_after=retry_after))


async def survive(folder: Path, *, downs: Sequence[float], seed: int) -> None:
    dice = random.Random(seed)
    async with ground(folder) as below, open_pool(below.servers.database_url, size=4, name="test") as pool:
        urls = (below.servers.database_url, below.servers.redis_url)
        sandbox = PinterestSandbox(rng=random.Random(seed))
        async with running_world(pool, folder / "state", sandbox, *urls) as (here, environment):
            with api(environment, folder / "log") as url:
                stop, answers = asyncio.Event(), list[Answer]()
                clients = [asyncio.create_task(client(here, url, name, stop, answers)) for name in range(CLIENTS)]
                for down in downs:
                    await until(partial(more, answers, len(answers) + dice.randint(300, 500)))
                    await below.end("postgres", signal.SIGKILL, down=down)
                await until(partial(more, answers, len(answers) + 100))
                stop.set()
                await asyncio.gather(*clients)
            stored = {
                row["reference_key"]: str(row["id"])
                for row in await here.rows(
                    "select p.reference_key, p.id from posts p join deliveries d on d.post_id = p.id"
                )
            }
    judge(answers, stored)
    told = dict(Counter((answer.status, answer.outcome) for answer in answers))
    print(f"PostgreSQL killed {len(downs)} times (seed {seed}): {len(answers)} creates, {told}, {len(stored)} stored")


async def more(answers: list[Answer], than: int) -> bool:
    return len(answers) > than


def judge(answers: list[Answer], stored: dict[str, str]) -> None:
    """Hold every answer against what is on disk."""
    outcomes = {outcome: [a for a in answers if a.outcome == outcome] for outcome in ("stored", "not stored")}
    assert {answer.status for answer in answers} <= {200, 503}
    assert [a.key for a in outcomes["stored"] if stored.get(a.key) != a.body["id"]] == [], "2xx is on disk"
    assert [a.key for a in outcomes["not stored"] if a.key in stored] == [], "a failure is not on disk"
    assert [a.key for a in answers if a.status == 503 and not a.retry_after] == []
    told = {answer.key for answer in answers}
    assert set(stored) <= told, "nothing is there that nobody sent"


async def test_an_answer_holds_when_postgresql_is_killed(tmp_path: Path) -> None:
    await survive(tmp_path, downs=[3.0], seed=1)


@pytest.mark.big
async def test_every_answer_holds_when_postgresql_is_killed_again_and_again(tmp_path: Path) -> None:
    await survive(tmp_path, downs=[0.5, 1.0, 6.0, 12.0] * 6, seed=int(os.environ.get("FINGERPOST_TEST_SEED", "7")))
