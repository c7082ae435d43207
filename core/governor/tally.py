"""A tally of what comes in, such as calls of our own API: what comes at the same time is counted together."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from itertools import count

from core.governor.asks import Reading, Window
from core.governor.governor import Governor

MOST = 500
"""So many of one window are counted at a time."""

_Answer = asyncio.Future[tuple[bool, Reading]]


class Tally:
    """Counts in windows of one app that are shared by all processes.

    What comes in alone is counted at once; while an answer is under way newcomers collect, and those of one window are
    counted by one ask.
    """

    def __init__(self, governor: Governor, app: str) -> None:
        self._governor = governor
        self._app = app
        self._waiting: dict[Window, list[_Answer]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._own = os.urandom(8).hex()
        self._numbers = count()

    def count(self, window: Window) -> "asyncio.Future[tuple[bool, Reading]]":
        """Whether there was room for one more, which counts then, and how the window stands. Raises `Away`.

        It is asked for in the background from now on.
        """
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._waiting[window].append(answer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return answer

    async def _work(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, defaultdict(list)
            group = {window: answers[:MOST] for window, answers in waiting.items()}
            self._waiting.update({window: answers[MOST:] for window, answers in waiting.items() if answers[MOST:]})
            try:
                await self._settle(group)
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                for answer in _open(group):
                    answer.set_exception(error)
            finally:
                for answer in _open(group):  # those left without one, because the loop is being ended
                    answer.cancel()

    async def _settle(self, group: Mapping[Window, list[_Answer]]) -> None:
        wanted = [(window, f"{self._own}-{next(self._numbers)}-", len(answers)) for window, answers in group.items()]
        counted = await self._governor.count(self._app, wanted)
        for answers, (admitted, reading) in zip(group.values(), counted, strict=True):
            for place, answer in enumerate(answers):
                if not answer.done():
                    answer.set_result((place < admitted, reading))


def _open(group: Mapping[Window, list[_Answer]]) -> list[_Answer]:
    return [answer for answers in group.values() for answer in answers if not answer.done()]
