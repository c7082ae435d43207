"""No interleaving of asks, ends, gifts back, words of the platform and losses lets too many calls into a window."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from core.governor.asks import Ask, Window, back, book, ended, go, learn, look, micro, shut
from tests.core.governor.driven import Driven

pytestmark = pytest.mark.engine

BOUND, SLACK, GRACE = 4.0, 5.0, 6.0

limits = st.integers(min_value=1, max_value=6)


class Call(msgspec.Struct):
    """A call that was let go: the platform counts it at some moment from `start` to `end`, nobody knows which."""

    windows: tuple[Window, ...]
    start: int
    end: int | None = None

    def over(self, now: int) -> int:
        return self.end if self.end is not None else max(now, self.start)


def most(window: Window, calls: Sequence[Call], now: int) -> int:
    """The most calls that any span of a window's length can have seen, whenever each of them arrived."""
    spans = [(call.start, call.over(now)) for call in calls if window in call.windows]
    length = micro(window.seconds)
    return max((sum(start < end + length and other >= end for start, other in spans) for _, end in spans), default=0)


class Interleavings(RuleBasedStateMachine):
    """Callers that do whatever they may, at whatever time."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.log = Driven(self.url, bound=BOUND, slack=SLACK, grace=GRACE)
        self.log.reopen(in_use=False)
        self.calls: dict[str, Call] = {}
        self.booked: dict[str, tuple[tuple[Window, ...], int]] = {}
        self.uses: dict[Window, list[tuple[str, int]]] = {}
        self.numbers = 0
        self.undisturbed_since = self.log.now
        self.booked_at: dict[str, int] = {}

    @initialize(sizes=st.tuples(limits, limits, limits), lengths=st.tuples(*[st.sampled_from([1.0, 2.5, 7.0])] * 2))
    def open(self, sizes: tuple[int, ...], lengths: tuple[float, ...]) -> None:
        short = [Window(name=f"w{n}", calls=sizes[n], seconds=lengths[n]) for n in range(2)]
        self.windows = (*short, Window(name="long", calls=sizes[2] * 4, seconds=130.0))
        self.uses = {window: [] for window in self.windows}

    def teardown(self) -> None:
        self.log.close()

    def chosen(self, mask: int) -> tuple[Window, ...]:
        return tuple(window for number, window in enumerate(self.windows) if mask >> number & 1)

    def name(self) -> str:
        self.numbers += 1
        return f"n{self.numbers}"

    def ask(self, asks: list[Ask]) -> list[Any]:
        """The answers, once everything that was lost is in place again, as the governor sees to it."""
        while True:
            answers = self.log.ask(asks)
            if answers == b"lost":
                self.log.reopen(in_use=True)
                continue
            missing = {ask.windows[answer[1]] for ask, answer in zip(asks, answers, strict=True) if answer[:1] == [-1]}
            if not missing:
                return list(answers)
            again = [place for place, answer in enumerate(answers) if answer[:1] == [-1]]
            for window in missing:
                uses = [(name, self.log.now - at, 1) for name, at in self.uses[window]]
                self.log.ask([Ask("restore", (window,), (uses,))])
            for place, answer in zip(again, self.ask([asks[each] for each in again]), strict=True):
                answers[place] = answer
            return list(answers)

    def went(self, windows: tuple[Window, ...], name: str) -> None:
        self.calls[name] = Call(windows, self.log.now)
        for window in windows:
            found = most(window, list(self.calls.values()), self.log.now)
            assert found <= window.calls, (window, found)

    @rule(asks=st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=6))
    def go(self, asks: list[tuple[int, bool]]) -> None:
        """Several calls would go at once; some of them want to be booked otherwise."""
        takes = [(self.chosen(mask), self.name(), self.name() if books else None) for mask, books in asks]
        answers = self.ask([go(*take) for take in takes])
        for (windows, name, later), (delay, again, _) in zip(takes, answers, strict=True):
            assert delay >= 0
            assert again >= 0
            if delay == 0:
                self.went(windows, name)
            elif later and not again:
                self.hold(windows, later, delay)

    @rule(groups=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 4), st.sampled_from("ab")), max_size=4))
    def book(self, groups: list[tuple[int, int, str]]) -> None:
        takes = [(self.chosen(mask), [self.name() for _ in range(units)], group) for mask, units, group in groups]
        for (windows, names, _), (delay, again, _) in zip(
            takes, self.ask([book(*take) for take in takes]), strict=True
        ):
            if delay >= 0 and not again:
                for name in names:
                    self.hold(windows, name, delay)

    def hold(self, windows: tuple[Window, ...], name: str, delay: int) -> None:
        assert delay <= micro(min([5.0, *(window.seconds / 2 for window in windows)]))
        self.booked[name] = (windows, self.log.now + delay)
        self.booked_at[name] = self.log.now

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), punctual=st.booleans(), books=st.booleans())
    def confirm(self, data: st.DataObject, punctual: bool, books: bool) -> None:
        """A booked call goes, at its moment or whenever."""
        name = data.draw(st.sampled_from(sorted(self.booked)))
        windows, at = self.booked.pop(name)
        if punctual and at > self.log.now:
            self.pass_to(at)
        kept = at <= self.log.now <= at + micro(SLACK) and self.booked_at[name] >= self.undisturbed_since
        later = self.name() if books else None
        ((delay, again, _),) = self.ask([go(windows, name, later)])
        if delay == 0:
            self.went(windows, name)
        elif later and not again:
            self.hold(windows, later, delay)
        assert delay == 0 or not kept, "a moment that was given is kept"

    @precondition(lambda self: any(call.end is None for call in self.calls.values()))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.finish(data.draw(st.sampled_from(sorted(name for name, call in self.calls.items() if call.end is None))))

    def finish(self, name: str) -> None:
        call = self.calls[name]
        call.end = self.log.now
        for window in call.windows:
            self.uses[window].append((name, call.end))
        self.ask([ended(call.windows, name)])

    @precondition(lambda self: self.booked)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.booked)))
        windows, _ = self.booked.pop(name)
        self.ask([back(windows, [name])])

    @rule(mask=st.integers(1, 7), seconds=st.floats(0.001, 200.0))
    def shut(self, mask: int, seconds: float) -> None:
        until = self.log.now + micro(seconds)
        windows = self.chosen(mask)
        self.ask([shut(windows, seconds)])
        self.undisturbed_since = max(self.undisturbed_since, until)
        ((delay, *_),) = self.ask([go(windows, self.name())])
        assert delay >= until - self.log.now

    @rule(number=st.integers(0, 2), remaining=st.integers(0, 8), reset=st.floats(0.0, 20.0))
    def learn(self, number: int, remaining: int, reset: float) -> None:
        window = self.windows[number]
        self.ask([learn(window, remaining=remaining, reset=reset)])
        self.undisturbed_since = self.log.now + micro(window.seconds + reset)

    @rule(number=st.integers(0, 2))
    def look(self, number: int) -> None:
        window = self.windows[number]
        ((limit, used, booked, free),) = self.ask([look(window)])
        assert limit <= window.calls
        assert min(used, booked, free) >= 0

    @rule(keep=st.booleans(), notice=st.booleans())
    def lose(self, keep: bool, notice: bool) -> None:
        self.log.lose(keep=keep)
        self.undisturbed_since = self.log.now + micro(200.0)
        if notice:
            self.ask([look(self.windows[0])])

    @rule(seconds=st.one_of(st.floats(0.0, 1.0), st.floats(0.0, 10.0), st.floats(0.0, 150.0)))
    def wait(self, seconds: float) -> None:
        self.pass_to(self.log.now + micro(seconds))

    def pass_to(self, moment: int) -> None:
        """Let time pass; a call ends within its bound."""
        for name, call in sorted(self.calls.items(), key=lambda item: item[1].start):
            if call.end is None and call.start + micro(BOUND) <= moment:
                self.log.now = max(self.log.now, call.start + micro(BOUND))
                self.finish(name)
        self.log.now = moment
        horizon = moment - 2 * micro(130.0)
        self.calls = {name: call for name, call in self.calls.items() if call.end is None or call.end > horizon}
        for window, uses in self.uses.items():
            self.uses[window] = [(name, at) for name, at in uses if at + micro(window.seconds) > moment]
            assert self.log.members(window) <= 3 * window.calls + 8


@pytest.mark.parametrize(
    ("examples", "steps"), [(60, 60), pytest.param(1500, 200, marks=pytest.mark.big)], ids=["quick", "long"]
)
def test_no_interleaving_lets_too_many_calls_into_a_window(redis_url: str, examples: int, steps: int) -> None:
    machine = type("Machine", (Interleavings,), {"url": redis_url})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    plan = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=plan)


@pytest.fixture
def log(redis_url: str) -> Iterator[Driven]:
    driven = Driven(redis_url, bound=BOUND, slack=SLACK, grace=GRACE)
    driven.reopen(in_use=False)
    yield driven
    driven.close()


def goes(log: Driven, windows: tuple[Window, ...], name: str) -> bool:
    ((delay, *_),) = log.ask([go(windows, name)])
    if delay == -1:
        log.ask([Ask("restore", windows, ([],))])
        return goes(log, windows, name)
    return bool(delay == 0)


def test_a_call_that_was_under_way_at_a_loss_still_counts(log: Driven) -> None:
    windows = (Window(name="w", calls=1, seconds=1.0),)
    assert goes(log, windows, "slow")
    log.lose(keep=False)
    assert log.ask([go(windows, "b")]) == b"lost"
    log.reopen(in_use=True)
    log.now += micro(1.1)
    assert not goes(log, windows, "b"), "the slow one may arrive only now"
    log.now += micro(2.9)
    assert not goes(log, windows, "b"), "it may have arrived at its bound"
    log.now += micro(1.0)
    assert goes(log, windows, "b")


def test_a_log_that_is_written_to_again_and_again_outlives_its_last_call(log: Driven) -> None:
    windows = (Window(name="w", calls=8, seconds=100.0),)
    for number in range(8):
        assert goes(log, windows, f"a{number}")
        log.ask([ended(windows, f"a{number}")])
        log.now += micro(11.0)
    log.now += micro(80.0)
    # What was told at the first call would have let the log go by now.
    assert log.members(windows[0]) == 8
    gone = sum(goes(log, windows, f"b{number}") for number in range(8))
    assert gone == 7, "the last of the eight ended less than a hundred seconds ago, all others have left"


def test_a_booked_call_that_is_later_than_its_window_is_long_still_counts(log: Driven) -> None:
    windows = (Window(name="w", calls=2, seconds=1.0),)
    assert log.ask([book(windows, ["a", "b"], "lane")])[0][0] == 0
    log.now += micro(1.5)
    ((delay, again, _),) = log.ask([book(windows, ["c", "d"], "lane")])
    assert (delay, bool(again)) == (micro(1.0), True), "both may still come"
    assert not goes(log, windows, "c")
    assert goes(log, windows, "b")
    assert goes(log, windows, "a")
    assert not goes(log, windows, "d")
    log.now += micro(SLACK)
    assert goes(log, windows, "d"), "the bound of both has passed"


@pytest.mark.parametrize("seconds", [0.5, 60.0, 3600.0])
def test_keys_live_for_as_long_as_a_call_of_theirs_counts(log: Driven, seconds: float) -> None:
    windows = (Window(name="w", calls=1, seconds=seconds),)
    assert goes(log, windows, "slow")
    log.now += micro(BOUND) - 1
    log.ask([ended(windows, "slow")])
    log.now += micro(seconds) - 1
    assert not goes(log, windows, "b")
    log.now += 1
    assert goes(log, windows, "b")
    log.now += micro(BOUND + seconds) - 1
    assert not goes(log, windows, "c"), "nobody ended it"
    log.now += 1
    assert goes(log, windows, "c")


def test_a_word_about_a_long_window_is_not_taken_before_its_uses_are_back(log: Driven) -> None:
    window = Window(name="day", calls=10, seconds=86_400.0)
    log.lose(keep=False)
    log.reopen(in_use=True)
    log.ask([learn(window, remaining=4, reset=100.0)])
    log.now += micro(GRACE)
    ((missing, *_),) = log.ask([go((window,), "a")])
    assert missing == -1
    log.ask([Ask("restore", (window,), ([("u", 1_000_000, 6)],))])
    assert [goes(log, (window,), f"c{number}") for number in range(5)] == [True] * 4 + [False]
