"""The allowance of an account: the windows that count its calls, and one attempt's way through them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import msgspec

from core.errors import BrokenAdapter, RateLimited
from core.governor.asks import Window
from core.governor.governor import Governor
from core.limits import Quota, Remaining, category_of

ALL = "all"
"""The category of a quota that counts every call."""


class Exhausted(RateLimited):
    """A call has to wait for its turn, and was not sent."""

    code = "quota_exhausted"


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What one account may use: `app` is whose windows these are, `quotas` say how wide."""

    app: str
    owner: str
    quotas: tuple[Quota, ...]

    @classmethod
    def of(
        cls, platform: str, app: str, grant_id: UUID, quotas: tuple[Quota, ...], own: tuple[Quota, ...]
    ) -> "Allowance":
        """The allowance of a grant; its `own` quotas count instead of those of the same scope and category."""
        told = {(quota.scope, quota.category) for quota in own}
        rest = tuple(quota for quota in quotas if (quota.scope, quota.category) not in told)
        return cls(app=f"{platform}:{app}", owner=grant_id.hex, quotas=own + rest)

    def windows(self, category: str) -> tuple[Window, ...]:
        """The windows that a call of a category counts in."""
        return _windows(self.quotas, self.owner, category)

    def every_window(self) -> tuple[Window, ...]:
        """All windows there are."""
        return tuple(_window(quota, self.owner) for quota in self.quotas)


def calls_of(delivery_id: UUID, fence: int, calls: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """The calls that are reserved for the take with that fence: for each category their names."""
    return [
        (category, [_name(delivery_id, fence, category, number) for number in range(1, count + 1)])
        for category, count in calls.items()
    ]


class Passage:
    """One attempt's way through the windows of its account: lets its calls go, and tells of their ends.

    `reserved` are the calls that were booked for this attempt. With `books` a denied call is booked for the next
    attempt, which then comes at that moment; otherwise that is the scheduler's to do.
    """

    def __init__(
        self,
        governor: Governor,
        allowance: Allowance,
        operations: Mapping[str, str],
        *,
        delivery_id: UUID,
        fence: int,
        reserved: Mapping[str, int] | None = None,
        books: bool = False,
    ) -> None:
        self._governor = governor
        self._allowance = allowance
        self._operations = tuple(operations.items())
        self._delivery_id = delivery_id
        self._fence = fence
        self._reserved = reserved or {}
        self._books = books
        self._made: Counter[str] = Counter()

    async def enter(self, method: str, path: str) -> "Passed":
        """Let a call go. Raises `RateLimited` where it has to wait, and nothing was sent."""
        category = category_of(self._operations, method, path)
        if category is None:
            raise BrokenAdapter(f"{method} {path} has no category; name it in the adapter's operations.")
        self._made[category] += 1
        name = _name(self._delivery_id, self._fence, category, self._made[category])
        windows = self._allowance.windows(category)
        if windows:
            later = _name(self._delivery_id, self._fence + 1, category, 1) if self._books else None
            answer = await self._governor.go(self._allowance.app, windows, name, later)
            if answer.delay > 0:
                raise _exhausted(answer.delay)
        return Passed(self._governor, self._allowance, category, windows, name)

    def leave(self) -> None:
        """Give back what was reserved and not used."""
        for category, count in self._reserved.items():
            unused = range(self._made[category] + 1, count + 1)
            names = [_name(self._delivery_id, self._fence, category, number) for number in unused]
            if names:
                self._governor.back(self._allowance.app, self._allowance.windows(category), names)


class Passed:
    """A call that was let go."""

    def __init__(
        self, governor: Governor, allowance: Allowance, category: str, windows: tuple[Window, ...], name: str
    ) -> None:
        self._governor = governor
        self._allowance = allowance
        self._category = category
        self._windows = windows
        self._name = name

    def ended(self) -> None:
        """Its answer came, or no answer is waited for any more."""
        if self._windows:
            self._governor.ended(self._allowance.app, self._windows, self._name)

    def learn(self, told: Iterable[Remaining]) -> None:
        """Take the platform's word for what remains."""
        for each in told:
            for window in self._of(each.category, each.seconds):
                self._governor.learn(self._allowance.app, window, remaining=each.calls, reset=each.reset)

    async def refused(self, seconds: float) -> None:
        """The platform said that it is too much: nobody calls before so many seconds have passed."""
        own = tuple(window for window in self._windows if window.category == self._category)
        if windows := own or self._windows:
            await self._governor.shut(self._allowance.app, windows, seconds)

    def _of(self, category: str, seconds: float) -> Iterable[Window]:
        return (window for window in self._windows if (window.category, window.seconds) == (category, seconds))


def _exhausted(delay: float) -> Exhausted:
    return Exhausted(
        "The platform's allowance is used up for now; nothing was sent.",
        after=timedelta(seconds=delay),
        hint="It goes out by itself when there is room again.",
    )


def _name(delivery_id: UUID, fence: int, category: str, number: int) -> str:
    return f"{delivery_id.hex}:{fence}:{category}:{number}"


@lru_cache(maxsize=4096)
def _windows(quotas: tuple[Quota, ...], owner: str, category: str) -> tuple[Window, ...]:
    return tuple(_window(quota, owner) for quota in quotas if quota.category in (category, ALL))


def _window(quota: Quota, owner: str) -> Window:
    whose = "app" if quota.scope == "app" else owner
    name = f"{whose}:{quota.category}:{quota.seconds}"
    return Window(name=name, calls=quota.calls, seconds=float(quota.seconds), category=quota.category)


def quotas_in(stored: Sequence[object] | None) -> tuple[Quota, ...]:
    """Quotas as they were stored with an account."""
    return msgspec.convert(stored or (), tuple[Quota, ...])
