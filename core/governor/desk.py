"""A desk: what one process asks about one app, what is asked at the same time in one call."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from core.clock import elapsed
from core.governor.asks import AHEAD_SECONDS, Ask, Window, micro
from core.governor.line import Away, Line

MOST = 512
"""How many asks go into one call: Redis does nothing else meanwhile."""

REMEMBERED_WINDOWS, REMEMBERED_PLACES = 16, 4096
"""Of how many windows together, and how many such sets, it is remembered how the script is told of them."""

RENEWAL_SECONDS = 30.0
"""How often a process sees to it that the logs it writes to are kept."""

REMEMBERED_RENEWALS = 65_536
"""Of how many windows it is remembered when that was done."""

PATIENCE_SECONDS = 2.0
"""How long Redis is waited for before the caller is told that it is away."""


WIDTHS = msgspec.msgpack.Encoder()
UNPACKER = msgspec.msgpack.Decoder(list[list[int]])


class Lost(Exception):
    """The log is not the one that was begun: Redis was emptied, restarted, or replaced."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call can take at most, how late a booked one may come, and the wait after a loss, in seconds."""

    call: float
    slack: float
    grace: float


class _Entry(msgspec.Struct, frozen=True):
    asks: Sequence[Ask]
    answers: "asyncio.Future[list[list[int]]]"


class _Place(msgspec.Struct, gc=False):
    """Some windows as the script is told of them: how many keys, the keys, the widths, and when we renewed them."""

    count: int
    keys: bytes
    widths: msgspec.Raw
    renewed: int = 0


class Desk:
    """Asks about one app; a lone ask goes at once, and what comes while a call is under way shares the next."""

    def __init__(self, app: str, url: str, bounds: Bounds) -> None:
        self.app = app
        self._prefix = f"fp:{{{app}}}:"
        self._line = Line(url)
        life = RENEWAL_SECONDS + AHEAD_SECONDS + bounds.slack + bounds.call
        times = (bounds.call, bounds.slack, bounds.grace, life, RENEWAL_SECONDS)
        self._times = tuple(micro(seconds) for seconds in times)
        self._places: dict[tuple[Window, ...], _Place] = {}
        self._renewed: dict[Window, int] = {}
        self._waiting: deque[_Entry] = deque()
        self._free = asyncio.Event()
        self._free.set()
        self._task: asyncio.Task[None] | None = None
        self._away_since: float | None = None
        self.calls = 0

    async def submit(self, asks: Sequence[Ask]) -> list[list[int]]:
        """Answers to `asks`, in their order. Raises `Lost` and `Away`."""
        if self._free.is_set():
            self._free.clear()
            try:
                return await self._call(asks)
            finally:
                self._next_turn()
        entry = _Entry(asks, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        return await entry.answers

    async def reopen(self, *, used_ago: float | None, anew: bool = False) -> None:
        """Let the log begin anew. Raises `Away`."""
        await self._turn()
        try:
            await self._line.reopen(f"{self._prefix}epoch", used_ago=used_ago, anew=anew)
        finally:
            self._next_turn()

    async def aclose(self) -> None:
        """Answer what was asked, and hang up."""
        await self._turn()
        try:
            await self._line.aclose()
        finally:
            self._next_turn()

    async def _turn(self) -> None:
        """Wait until nobody uses the line; it is the caller's then, until the next turn."""
        while not self._free.is_set():
            await self._free.wait()
        self._free.clear()

    def _next_turn(self) -> None:
        if self._waiting:
            self._task = asyncio.create_task(self._serve())
        else:
            self._free.set()

    async def _serve(self) -> None:
        try:
            while self._waiting:
                group = self._next()
                try:
                    answers = await self._call([ask for entry in group for ask in entry.asks])
                except Exception as error:  # noqa: BLE001 - whoever asked is told
                    for entry in group:
                        if not entry.answers.done():
                            entry.answers.set_exception(error)
                    continue
                start = 0
                for entry in group:
                    if not entry.answers.done():
                        entry.answers.set_result(answers[start : start + len(entry.asks)])
                    start += len(entry.asks)
        finally:
            self._next_turn()

    def _next(self) -> list[_Entry]:
        group = [self._waiting.popleft()]
        size = len(group[0].asks)
        while self._waiting and size + len(self._waiting[0].asks) <= MOST:
            group.append(self._waiting.popleft())
            size += len(group[-1].asks)
        return group

    async def _call(self, asks: Sequence[Ask]) -> list[list[int]]:
        if len(asks) == 1:
            windows = asks[0].windows
            packed = [(asks[0].kind, list(range(1, len(windows) + 1)), *asks[0].rest)]
        else:
            indexes: dict[Window, int] = {}
            packed = [
                (ask.kind, [indexes.setdefault(window, len(indexes) + 1) for window in ask.windows], *ask.rest)
                for ask in asks
            ]
            windows = tuple(indexes)
        place = self._place(windows)
        told = await self._patiently(place, (*self._times, place.renewed, place.widths, packed))
        if told is None:
            raise Lost(self.app)
        answers = UNPACKER.decode(told)
        if len(answers) > len(asks):
            (place.renewed,) = answers.pop()
            self._renew(windows, place.renewed)
        return answers

    def _renew(self, windows: Iterable[Window], time: int) -> None:
        if len(self._renewed) >= REMEMBERED_RENEWALS:
            self._renewed.clear()
        self._renewed.update(dict.fromkeys(windows, time))

    def _place(self, windows: tuple[Window, ...]) -> _Place:
        place = self._places.get(windows)
        if place is None:
            widths = [each for window in windows for each in (window.calls, micro(window.seconds), window.long)]
            keys = _keys(self._prefix, windows)
            renewed = min([self._renewed.get(window, 0) for window in windows], default=0)
            place = _Place(1 + 2 * len(windows), keys, msgspec.Raw(WIDTHS.encode(widths)), renewed)
            if len(windows) <= REMEMBERED_WINDOWS:
                if len(self._places) >= REMEMBERED_PLACES:
                    self._places.clear()
                self._places[windows] = place
        return place

    async def _patiently(self, place: _Place, rest: tuple[Any, ...]) -> bytes | None:
        while True:
            try:
                self.calls += 1
                answer = await self._line.take(place.count, place.keys, rest)
            except Away:
                self._away_since = self._away_since or elapsed()
                if elapsed() - self._away_since >= PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(0.1)
            else:
                self._away_since = None
                return answer


def _keys(prefix: str, windows: Iterable[Window]) -> bytes:
    """The keys of the script as words: the epoch's, those of the windows' words, and those of their logs."""
    words, logs = [f"${len(prefix.encode()) + 5}\r\n{prefix}epoch\r\n"], []
    for window in windows:
        log = prefix + window.name
        size = len(log.encode())
        words.append(f"${size + 5}\r\n{log}:word\r\n")
        logs.append(f"${size}\r\n{log}\r\n")
    return "".join(words + logs).encode()
