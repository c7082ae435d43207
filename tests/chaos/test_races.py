"""Changes of people that race with workers and with each other: a definite answer each, and the answer is so."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from core.errors import Conflict, NotFound
from core.ledger.control import Control
from core.posts.views import NewPostView
from tests.chaos.kinds import KINDS, STORM, every
from tests.chaos.tally import record, tally, text_of, things
from tests.world import Clock, Pool, World, world

LATER = timedelta(hours=5)
ROUNDS = 6
WANTED = ["delete", "reschedule", "reschedule", "retry", "retry", "retry"]
"""What people want; of all posts few have failed."""


class People:
    """Some who change posts at any moment; `granted` holds which posts which change was granted for."""

    def __init__(self, here: World) -> None:
        self.granted: dict[str, list[UUID]] = {"delete": [], "retry": [], "reschedule": []}
        self.refused = 0
        self._here = here
        self._control = Control(here.pool, here.ledger.notices, patience=here.settings.max_delay)

    async def change(self, post: NewPostView, what: str, *, after: float) -> None:
        """Ask for a change, and keep the answer."""
        org, date = self._here.organization_id, datetime.now(UTC) + LATER
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "delete": lambda: self._control.delete(org, post.id),
            "retry": lambda: self._control.retry(org, post.id),
            "reschedule": lambda: self._here.changing.change(org, post.id, {"postDate": date.isoformat()}),
        }
        await asyncio.sleep(after)
        try:
            await calls[what]()
        except (Conflict, NotFound):
            self.refused += 1
        else:
            self.granted[what].append(post.id)


async def quarrel(here: World, posts: list[NewPostView], people: People, dice: Random) -> None:
    """Rounds of work and repair, and in the middle of each everybody wants something, some the same."""
    for _ in range(ROUNDS):
        changes = [
            people.change(post, dice.choice(WANTED), after=dice.uniform(0, 0.15))
            for post in dice.choices(posts, k=len(posts) // 2)
        ]
        await asyncio.gather(here.live_on(), here.live_on(), *changes)
        await here.travel(dice.choice([0.5, 2.0, 31.0]))


async def race(pool: Pool, folder: Path, kind: str, *, posts: int, seed: int) -> None:
    dice = Random(seed)
    sandbox = KINDS[kind].sandbox(rng=Random(seed), clock=Clock())
    settings: dict[str, Any] = {"readback": "1,2,4", "request_seconds": 0.3, "lease": 30.0}
    async with world(pool, folder, sandbox, registry=every(), **settings) as here:
        for fault, more in STORM.items():
            await here.fault(KINDS[kind].create, fault, probability=0.1, times=posts // 4, **more)
        await here.fault(KINDS[kind].create, "error", probability=0.6, times=posts // 2, status=400)
        dates = [datetime.now(UTC) + timedelta(seconds=dice.uniform(0, 120)) for _ in range(posts)]
        made = [await here.say(f"Post {n}", postDate=date.isoformat()) for n, date in enumerate(dates)]
        people = People(here)
        await quarrel(here, made, people, dice)
        await held_to(here, people)
        await here.mend()
        await here.to_the_end()
        await judge(here, people)
        found = await tally(here)
    counts = ", ".join(f"{what} {len(granted)}" for what, granted in people.granted.items())
    record(f"kind {kind}: changes granted: {counts}; refused: {people.refused} (seed {seed})", runs=1, found=found)
    assert people.granted["delete"]
    assert people.granted["reschedule"]
    assert people.refused > 0
    assert found.duplicates == found.lost == found.untrue == found.stuck == 0


async def held_to(here: World, people: People) -> None:
    """Before the new date nothing is sent of what was moved there last, unless it is called off."""
    rows = await here.rows(
        "select d.state, p.title from deliveries d join posts p on p.id = d.post_id"
        " where p.post_date > now() + interval '1 hour'"
    )
    assert {row["state"] for row in rows} <= {"scheduled", "cancelled"}
    live = {text_of(thing) for thing in things(here)}
    assert not live & {row["title"] for row in rows}


async def judge(here: World, people: People) -> None:
    """Every answer was so: what is said to be called off is not live, and what was refused has gone its way."""
    rows = {
        row["post_id"]: row
        for row in await here.rows(
            "select d.post_id, d.state, p.title, p.deleted_at from deliveries d join posts p on p.id = d.post_id"
        )
    }
    live = Counter(text_of(thing) for thing in things(here))
    deleted = {id for id, row in rows.items() if row["deleted_at"] is not None}
    assert deleted == set(people.granted["delete"])
    assert len(deleted) == len(people.granted["delete"]), "a post is deleted once"
    for id, row in rows.items():
        expected = {"published": {1}, "needs_review": {0, 1}}.get(row["state"], {0})
        assert live[row["title"]] in expected, row
        assert (row["state"] == "cancelled") <= (id in deleted), row


@pytest.mark.parametrize("kind", KINDS)
async def test_every_answer_is_so(pool: Pool, tmp_path: Path, kind: str) -> None:
    await race(pool, tmp_path, kind, posts=24, seed=1)


@pytest.mark.big
@pytest.mark.parametrize("seed", [7, 11])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_answer_of_many_is_so(pool: Pool, tmp_path: Path, kind: str, seed: int) -> None:
    await race(pool, tmp_path, kind, posts=300, seed=seed)
