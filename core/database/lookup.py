"""Group look-up: what is asked for at the same time is read by one statement."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class GroupLookup(Generic[K, V]):
    """Reads what concurrent callers ask for in shared statements.

    A lone key is read at once; while a statement is under way newcomers collect for the next. So nobody is told
    what was read before the question was put, and an answer is never older than its caller. `read` gets the distinct
    keys and answers a value for each that there is.
    """

    def __init__(self, read: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value of a key, None where there is none. Raises what `read` raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                # A context of its own: what is logged here belongs to no single caller.
                self._task = asyncio.create_task(self._work(), context=contextvars.Context())
        # Who goes away leaves the answer to the others.
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, {}
            try:
                found = await self._read(group.keys())
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                for answer in group.values():
                    answer.set_exception(error)
                    answer.exception()  # it may be that nobody waits for it any more
            else:
                for key, answer in group.items():
                    answer.set_result(found.get(key))
            finally:
                for answer in group.values():  # those left without one, because the loop is being ended
                    answer.cancel()
