"""The governor: asks Redis, mends a log that was lost, and keeps to a share while Redis is away."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from core.clock import elapsed
from core.governor.alone import Alone
from core.governor.asks import Answer, Ask, Reading, Window, back, count, ended, go, learn, look, micro, shut
from core.governor.desk import Bounds, Desk, Lost
from core.governor.journal import BEAT_SECONDS, GRACE_SECONDS, Journal
from core.governor.line import Away

SLACK_SECONDS = 5.0
"""How late a booked call may come before its moment is given to others."""

ELSEWHERE_SECONDS = 2.0
"""When to ask again where Redis answers others, but not us."""

LEAVE_SECONDS = 5.0
"""How long the last words to the journal may take: where PostgreSQL is away, nobody waits for it to end."""


class Governor:
    """One process's way to the allowances that all processes share.

    `call_seconds` is the longest that a call can take from being let go to its end. A `worker` counts among those
    that share an allowance while Redis is away; any other process takes the whole of it for its foresight.
    """

    def __init__(self, url: str, journal: Journal, *, call_seconds: float, worker: bool = False) -> None:
        self._url = url
        self._journal = journal
        self._worker = worker
        self._bounds = Bounds(call=call_seconds, slack=SLACK_SECONDS, grace=GRACE_SECONDS)
        self._desks: dict[str, Desk] = {}
        self._alone: dict[str, Alone] = {}
        self._shares: dict[tuple[str, Window], int] = {}
        self._mending: dict[str, asyncio.Task[None]] = {}
        self._telling: set[asyncio.Task[Any]] = set()
        self._log = structlog.get_logger(__name__)

    @property
    def calls(self) -> int:
        """How many calls to Redis this process has made."""
        return sum(desk.calls for desk in self._desks.values())

    async def go(self, app: str, windows: tuple[Window, ...], name: str, later: str | None = None) -> Answer:
        """Whether a call may go now; where it may not, it is booked as `later` or told when to ask again."""
        (answer,) = await self.ask(app, [go(windows, name, later)])
        return answer

    async def ask(self, app: str, asks: Sequence[Ask]) -> list[Answer]:
        """Answers to several `go` and `book`, in their order."""
        raw = await self._ask(app, asks)
        answers = [_answer(ask, each) for ask, each in zip(asks, raw, strict=True)]
        if any(ask.kind == "go" and answer.delay == 0 for ask, answer in zip(asks, answers, strict=True)):
            await self._journal.use(app)
        return answers

    def ended(self, app: str, windows: tuple[Window, ...], name: str) -> None:
        """Tell that a call has ended; it is told in the background."""
        self._journal.spend(app, windows)
        self._tell(app, ended(windows, name))

    def back(self, app: str, windows: tuple[Window, ...], names: Sequence[str]) -> None:
        """Give back calls that were let go or booked and will not be made."""
        self._tell(app, back(windows, names))

    async def shut(self, app: str, windows: tuple[Window, ...], seconds: float) -> None:
        """Let no call go for so long, whoever asks: the platform has said so."""
        await self._ask(app, [shut(windows, seconds)])

    def learn(self, app: str, window: Window, *, remaining: int, reset: float) -> None:
        """Take the platform's word for what remains of a window, and for the seconds until there will be more."""
        self._tell(app, learn(window, remaining=remaining, reset=reset))

    async def look(self, app: str, windows: Sequence[Window]) -> list[Reading]:
        """How windows stand. Raises `Away`."""
        answers = await self._mended(app, [look(window) for window in windows])
        return [_reading(window, raw) for window, raw in zip(windows, answers, strict=True)]

    async def count(self, app: str, wanted: Sequence[tuple[Window, str, int]]) -> list[tuple[int, Reading]]:
        """Count what has come in: for each window a name and a number, of which so many count as there is room for.

        Answers how many that were, and how the window stands. Raises `Away`.
        """
        answers = await self._mended(app, [count(*each) for each in wanted])
        return [(raw[0], _reading(window, raw[1:])) for (window, _, _), raw in zip(wanted, answers, strict=True)]

    async def keep(self, stop: asyncio.Event) -> None:
        """Write the journal every few seconds until `stop` is set."""
        while not stop.is_set():
            try:
                await self._journal.beat()
            except (psycopg.OperationalError, PoolTimeout) as error:
                self._log.warning("journal_not_written", error=str(error).strip())
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue

    async def aclose(self) -> None:
        """Tell what there is to tell, write the journal, and hang up."""
        if self._telling:
            await asyncio.wait(self._telling)
        for desk in self._desks.values():
            await desk.aclose()
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._journal.leave()
        except (psycopg.OperationalError, PoolTimeout, TimeoutError) as error:
            self._log.warning("journal_not_written", error=str(error).strip())

    def _tell(self, app: str, ask: Ask) -> None:
        task = asyncio.create_task(self._told(app, ask))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, app: str, ask: Ask) -> None:
        try:
            await self._ask(app, [ask])
        except Exception:  # noqa: BLE001 - nobody waits for this; a call that nobody ended ends at its bound
            self._log.exception("governor_not_told", app=app, ask=ask.kind)

    async def _ask(self, app: str, asks: Sequence[Ask]) -> list[list[int]]:
        try:
            alone = self._alone.get(app)
            if alone is not None and alone.used:
                await self._desk(app).reopen(used_ago=0.0, anew=True)
            answers = await self._mended(app, asks)
        except Away:
            return await self._ask_alone(app, asks)
        if self._alone.pop(app, None) is not None:
            self._shares = {key: share for key, share in self._shares.items() if key[0] != app}
        return answers

    async def _mended(self, app: str, asks: Sequence[Ask]) -> list[list[int]]:
        """Answers from Redis, after what was lost there is in place again."""
        while True:
            try:
                answers = await self._desk(app).submit(asks)
                self._journal.redis_seen_at = elapsed()
                again = [place for place, answer in enumerate(answers) if answer[:1] == [-1]]
                for window in {asks[place].windows[answers[place][1]] for place in again}:
                    await self._restore(app, window)
            except Lost:
                await self._mend(app)
                continue
            if again:
                for place, answer in zip(again, await self._mended(app, [asks[each] for each in again]), strict=True):
                    answers[place] = answer
            return answers

    async def _mend(self, app: str) -> None:
        """Begin a log that was lost; once, whoever notices."""
        task = self._mending.get(app)
        if task is None:
            task = self._mending[app] = asyncio.create_task(self._begin(app))
            task.add_done_callback(lambda _: self._mending.pop(app, None))
        await asyncio.shield(task)

    async def _begin(self, app: str) -> None:
        used_ago = await self._journal.used_ago(app)
        self._log.info("governor_log_begins", app=app, used_ago=used_ago)
        await self._desk(app).reopen(used_ago=used_ago)

    async def _restore(self, app: str, window: Window) -> None:
        uses = [(id, micro(age), calls) for id, age, calls in await self._journal.uses(app, window)]
        await self._desk(app).submit([Ask("restore", (window,), (uses,))])

    async def _ask_alone(self, app: str, asks: Sequence[Ask]) -> list[list[int]]:
        alone = self._alone.get(app)
        if alone is None:
            self._log.warning("redis_away", app=app)
            alone = self._alone[app] = Alone(call_seconds=self._bounds.call, grace_seconds=self._bounds.grace)
        workers, elsewhere = await self._journal.peers()
        alone.workers = max(alone.workers, workers)
        for window in {window for ask in asks if ask.kind in ("go", "book") for window in ask.windows}:
            if not elsewhere and alone.opens(window) <= elapsed():
                self._shares[app, window] = await self._share(app, window, alone.workers)
        return [self._one_alone(app, alone, ask, elsewhere) for ask in asks]

    def _one_alone(self, app: str, alone: Alone, ask: Ask, elsewhere: bool) -> list[int]:
        match ask.kind:
            case "go" | "book" if elsewhere:
                return [micro(ELSEWHERE_SECONDS), micro(ELSEWHERE_SECONDS), 0]
            case "go" | "book":
                names = [ask.rest[0]] if ask.kind == "go" else ask.rest[0]
                answer = alone.go(ask.windows, names, lambda window: self._shares.get((app, window), 0))
                return [micro(answer.delay), micro(answer.again), 0]
            case "ended":
                alone.ended(ask.windows, ask.rest[0])
            case "back":
                alone.back(ask.windows, ask.rest[0])
            case "shut":
                alone.shut(ask.windows, ask.rest[0] / 1_000_000)
        return []

    async def _share(self, app: str, window: Window, workers: int) -> int:
        """What this process may use of a window by itself; of a long one, of what was left when Redis went away."""
        if window.long and (app, window) in self._shares:
            return self._shares[app, window]
        used = sum(calls for _, _, calls in await self._journal.uses(app, window)) if window.long else 0
        return max(window.calls - used, 0) // (workers if self._worker else 1)

    def _desk(self, app: str) -> Desk:
        desk = self._desks.get(app)
        if desk is None:
            desk = self._desks[app] = Desk(app, self._url, self._bounds)
        return desk


def _reading(window: Window, raw: Sequence[int]) -> Reading:
    limit, used, booked, free = raw
    return Reading(window=window, limit=limit, used=used, booked=booked, free_in=free / 1_000_000)


def _answer(ask: Ask, raw: Sequence[int]) -> Answer:
    delay, again, window = raw
    if delay == -2:
        return Answer(0.0, skipped=True)
    return Answer(delay / 1_000_000, again / 1_000_000, ask.windows[window] if again else None)
