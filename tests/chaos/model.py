"""A model of everybody who acts on the ledger at once: authors, workers that die, platforms that fail, time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import hypothesis.strategies as some
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.database.pool import open_pool
from core.errors import Conflict, NotFound
from core.ledger.control import Control
from core.ledger.ledger import Taken
from core.ledger.states import State, may_follow
from tests.chaos.brittle import POINTS, Point, Worker
from tests.chaos.kinds import KINDS, STORM, Kind, every
from tests.chaos.tally import ENDED, text_of, things
from tests.conftest import new_database
from tests.world import Clock, World, world

T = TypeVar("T")

HISTORY = """
create table history (number bigint generated always as identity, delivery_id uuid, before text, after text);
create function note_move() returns trigger language plpgsql as $$
begin
    insert into history (delivery_id, before, after) values (new.id, old.state, new.state);
    return null;
end
$$;
create trigger every_move after update of state on deliveries
for each row when (old.state is distinct from new.state) execute function note_move();
"""
"""Every move that is ever made, noted by the database itself."""

OPEN_ATTEMPTS = "select a.* from attempts a where ended_at is null"
"""What was begun, and of which nobody has written down the end."""

UNTOLD = """
with moved as (
    select delivery_id::text as id, after as state, count(*) as n from history
    where after not in ('scheduled', 'queued', 'publishing') group by 1, 2
), told as (
    select data->>'deliveryId' as id, data->>'state' as state, count(*) as n from events
    where data ? 'deliveryId' group by 1, 2
)
select * from moved full join told using (id, state) where coalesce(told.n, 0) < coalesce(moved.n, 0) or moved.n is null
"""
"""Moves of which no event tells, and events of states that never were."""

TEXTS = some.sampled_from(["alpha", "beta", "gamma", "delta"])
"""So few that many are twins."""

NOT_OUT = frozenset({"failed", "cancelled"})


class Model(RuleBasedStateMachine):
    """Random commands, faults and deaths; what must always hold is looked at after each of them."""

    def __init__(self, kind: Kind, database_server: str, template: str, folder: Path) -> None:
        super().__init__()
        self.kind = kind
        self.loop = asyncio.new_event_loop()
        self._closing = ExitStack()
        self._opened = AsyncExitStack()
        self._server, self._template, self._folder = database_server, template, folder
        self._posts: list[Any] = []
        self._refused = False
        self._stale: list[Taken] = []
        self._hanging: list[asyncio.Task[None]] = []

    def run(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    @initialize(
        seed=some.integers(0, 2**16),
        texts=some.lists(TEXTS, min_size=3, max_size=8),
        faults=some.lists(some.sampled_from(sorted(STORM)), max_size=4),
    )
    def begin(self, seed: int, texts: list[str], faults: list[str]) -> None:
        """A world in which some posts are due, and something is wrong with the platform already."""
        url = self._closing.enter_context(new_database(self._server, template=self._template))
        self.run(self._open(url, seed))
        for text in texts:
            self.create(text, later=False)
        for fault in faults:
            self.fail(fault, times=2, on_create=True)

    async def _open(self, url: str, seed: int) -> None:
        pool = await self._opened.enter_async_context(open_pool(url, size=8, name="model"))
        async with pool.connection() as connection:
            await connection.execute(HISTORY)
        sandbox = self.kind.sandbox(rng=Random(seed), clock=Clock())
        settings: dict[str, Any] = {"lease": 30.0, "readback": "1,2,4", "request_seconds": 0.4}
        around = world(pool, self._folder, sandbox, registry=every(), **settings)
        self.here: World = await self._opened.enter_async_context(around)
        self.worker = Worker(self.here)
        self._opened.push_async_callback(self.worker.aclose)
        self.control = Control(pool, self.here.ledger.notices, patience=self.here.settings.max_delay)

    # --- what people do ---

    @rule(text=TEXTS, later=some.booleans())
    def create(self, text: str, later: bool) -> None:
        date = datetime.now(UTC) + timedelta(seconds=30 if later else 0)
        self._posts.append(self.run(self.here.say(text, postDate=date.isoformat())))

    @precondition(lambda self: self._posts)
    @rule(which=some.integers(0, 99), what=some.sampled_from(["delete", "retry", "reschedule"]))
    def change(self, which: int, what: str) -> None:
        self.run(self._change(which, what))

    @precondition(lambda self: self._posts)
    @rule(text=TEXTS, which=some.integers(0, 99), what=some.sampled_from(["delete", "retry", "reschedule"]))
    def race(self, text: str, which: int, what: str) -> None:
        """A change in the very moment in which workers take what is due, and somebody else repairs."""
        self.create(text, later=False)
        self.run(self._race(which, what))

    async def _race(self, which: int, what: str) -> None:
        sweep = self.here.ledger.sweep(self.here.policy, self.here.random)
        await asyncio.gather(self.here.work(), self._change(which, what), sweep, self._change(-1, what))

    async def _change(self, which: int, what: str) -> None:
        post = self._posts[which % len(self._posts)]
        org, date = self.here.organization_id, datetime.now(UTC) + timedelta(seconds=20)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "delete": lambda: self.control.delete(org, post.id),
            "retry": lambda: self.control.retry(org, post.id),
            "reschedule": lambda: self.here.changing.change(org, post.id, {"postDate": date.isoformat()}),
        }
        try:
            await calls[what]()
        except (Conflict, NotFound) as refused:
            note(f"refused: {refused.message}")

    @rule()
    def resolve(self) -> None:
        """A person looks at everything that needs review, and says what is so."""
        self.run(self._resolve())

    async def _resolve(self) -> None:
        rows = await self.here.rows(
            "select d.id, p.title from deliveries d join posts p on p.id = d.post_id"
            " where d.state = 'needs_review' and p.deleted_at is null order by d.id"
        )
        for number, row in enumerate(rows):
            claimed = {each["external_id"] for each in await self.here.rows("select external_id from deliveries")}
            free = [
                each["id"] for each in things(self.here) if text_of(each) == row["title"] and each["id"] not in claimed
            ]
            org = self.here.organization_id
            if free:
                await self.control.resolve(org, row["id"], "published", external_id=free[0])
            else:
                await self.control.resolve(org, row["id"], "retry" if number % 2 else "fail")

    # --- what workers do ---

    @rule()
    def work(self) -> None:
        self.run(self.here.work())

    @rule(text=TEXTS, point=some.sampled_from(POINTS), count=some.integers(1, 3))
    def die(self, text: str, point: Point, count: int) -> None:
        """A worker takes something and dies over it, at the point or, where that is not passed, after it."""
        self.create(text, later=False)
        self.run(self._die(point, count))

    async def _die(self, point: Point, count: int) -> None:
        await self.here.ledger.claim()
        for taken in await self.worker.take(count):
            await self.worker.carry_out(taken, dying=point)

    @rule(text=TEXTS)
    def fall_asleep(self, text: str) -> None:
        """A worker takes something, and does nothing with it for a long time."""
        self.create(text, later=False)
        self.run(self.here.ledger.claim())
        self._stale += self.run(self.worker.take())

    @precondition(lambda self: self._stale)
    @rule()
    def wake_up(self) -> None:
        self.run(self.worker.carry_out(self._stale.pop()))

    @rule(text=TEXTS, overtaken=some.booleans())
    def hang(self, text: str, overtaken: bool) -> None:
        """A create whose answer takes so long that anything may happen meanwhile, such as others taking over."""
        self.create(text, later=False)
        self.run(self._hang(overtaken))

    async def _hang(self, overtaken: bool) -> None:
        await self.here.fault(self.kind.create, "hang_after", times=1, seconds=0.25)
        await self.here.ledger.claim()
        calls = len(self.here.sandbox.log.calls())
        for taken in await self.worker.take():
            task = asyncio.create_task(self.worker.carry_out(taken))
            self._hanging.append(task)
            while not task.done() and len(self.here.sandbox.log.calls()) == calls:  # noqa: ASYNC110 - a log raises no event
                await asyncio.sleep(0.002)
        if overtaken:
            await self.here.travel(31)
            await self.here.live_on()

    @rule()
    def sweep(self) -> None:
        self.run(self.here.ledger.sweep(self.here.policy, self.here.random))

    # --- what the world does ---

    @rule(fault=some.sampled_from(sorted(STORM)), times=some.integers(1, 4), on_create=some.booleans())
    def fail(self, fault: str, times: int, on_create: bool) -> None:
        on = self.kind.create if on_create else self.kind.read
        self.run(self.here.fault(on, fault, times=times, **STORM[fault]))

    @rule(limited=some.booleans(), times=some.integers(1, 3))
    def refuse(self, limited: bool, times: int) -> None:
        """The platform says no: for a while, or for good."""
        self._refused = self._refused or not limited
        refusal = {"status": 429, "headers": {"Retry-After": "9"}} if limited else {"status": 400}
        self.run(self.here.fault(self.kind.create, "error", times=times, **refusal))

    @rule()
    def mend(self) -> None:
        self.run(self.here.mend())

    @rule(seconds=some.sampled_from([0.5, 3.0, 31.0, 70.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; what is armed has been sent by then, for a host's own clock does not travel along."""
        self.run(self.here.travel(seconds))

    # --- what must hold, always ---

    @invariant()
    def every_move_is_legal(self) -> None:
        if not hasattr(self, "here"):
            return
        for row in self.run(self.here.rows("select distinct before, after from history")):
            assert may_follow(State(row["before"]), State(row["after"])), row

    @invariant()
    def no_word_is_wrong(self) -> None:
        if hasattr(self, "here"):
            self.run(self._no_word_is_wrong())

    async def _no_word_is_wrong(self) -> None:
        rows = await self._rows()
        live = things(self.here)
        claimed = [row["external_id"] for row in rows if row["external_id"] is not None]
        assert len(claimed) == len(set(claimed)), "an id is claimed twice"
        published = {row["external_id"] for row in rows if row["state"] == "published"}
        assert published <= {thing["id"] for thing in live}, "published, and not live"
        said = Counter(map(text_of, live))
        possible = Counter(row["title"] for row in rows if row["state"] not in NOT_OUT)
        assert all(count <= possible[text] for text, count in said.items()), "live, and said to have failed"

    async def _rows(self) -> list[dict[str, Any]]:
        return await self.here.rows(
            "select d.*, p.title, p.status, p.deleted_at from deliveries d join posts p on p.id = d.post_id"
        )

    # --- the end ---

    def teardown(self) -> None:
        try:
            if hasattr(self, "here"):
                self.run(self._heal())
                self.run(self._no_word_is_wrong())
                self.run(self._everything_has_ended())
        finally:
            self.run(self._opened.aclose())
            self.loop.close()
            self._closing.close()

    async def _heal(self) -> None:
        await asyncio.gather(*self._hanging)
        for taken in self._stale:
            await self.worker.carry_out(taken)
        await self.here.mend()
        await self.here.to_the_end()

    async def _everything_has_ended(self) -> None:
        rows = await self._rows()
        states = Counter(row["state"] for row in rows)
        assert set(states) <= ENDED, states
        # A key that is refused tells nothing of the create before it.
        reviews = self.kind.reviews or (self._refused and self.kind is KINDS["key"])
        assert reviews or not states["needs_review"], "only where nobody can look a person has to"
        live = {thing["id"] for thing in things(self.here)}
        published = {row["external_id"] for row in rows if row["state"] == "published"}
        in_review = Counter(row["title"] for row in rows if row["state"] == "needs_review")
        unclaimed = Counter(text_of(thing) for thing in things(self.here) if thing["id"] not in published)
        assert published <= live
        assert all(count <= in_review[text] for text, count in unclaimed.items()), unclaimed
        words = {"published": "POSTED", "failed": "ERROR", "needs_review": "PROCESSING"}
        wrong = [row for row in rows if row["deleted_at"] is None and row["status"] != words.get(row["state"])]
        assert wrong == []
        assert await self.here.rows(OPEN_ATTEMPTS) == []
        assert await self.here.rows(UNTOLD) == []
