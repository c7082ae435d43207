"""What becomes of a delivery, by what an attempt brought."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from core.adapter import Certainty, Pending, Published
from core.errors import BrokenAdapter, NotAuthorized, OutcomeUnknown, RateLimited, Rejected, Unavailable
from core.ledger.states import State
from core.ledger.verdicts import (
    LOOK,
    REPEATED,
    REVIEW_SECONDS,
    SOUGHT,
    TRIED,
    Readback,
    after_error,
    after_failed_look,
    after_look,
    after_publish,
    after_repeat,
)
from core.retry import PUBLISHING

READBACK = Readback(seconds=(5.0, 30.0, 120.0))
FOUND = Published(external_id="1")
ALIKE = Published(external_id="2", exact=False)


def error_state(error: Exception, *, failures: int = 0, certainty: Certainty = "read-back") -> State:
    return after_error(
        error, failures=failures, certainty=certainty, readback=READBACK, policy=PUBLISHING, random=Random(1)
    ).state


def look(
    found: list[Published],
    *,
    looks: int = 0,
    unclear_seconds: float = 1000.0,
    failures: int = 0,
    when_not_found: Any = "retry",
    readback: Readback = READBACK,
) -> Any:
    return after_look(
        found,
        looks=looks,
        unclear_seconds=unclear_seconds,
        failures=failures,
        when_not_found=when_not_found,
        readback=readback,
        policy=PUBLISHING,
        random=Random(1),
    )


def test_what_the_adapter_answers_is_taken_at_its_word() -> None:
    assert after_publish(FOUND).state is State.PUBLISHED
    pending = after_publish(Pending(state={"job": 1}, after=timedelta(seconds=7)))
    assert (pending.state, pending.due_in, pending.pending) == (State.PROCESSING, 7.0, {"job": 1})


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Rejected("no"), State.FAILED),
        (NotAuthorized("no"), State.FAILED),
        (BrokenAdapter("bug"), State.FAILED),
        (KeyError("bug"), State.FAILED),
        (Unavailable("later"), State.RETRYING),
        (RateLimited("later", after=timedelta(seconds=60)), State.DEFERRED),
        (OutcomeUnknown("?"), State.UNCONFIRMED),
    ],
)
def test_the_class_of_an_error_says_what_happens_next(error: Exception, state: State) -> None:
    assert error_state(error) is state


def test_what_costs_an_attempt_and_what_does_not() -> None:
    def costs(error: Exception) -> bool:
        return after_error(
            error, failures=0, certainty="read-back", readback=READBACK, policy=PUBLISHING, random=Random(1)
        ).failed

    assert costs(Unavailable("later"))
    assert not costs(RateLimited("later", after=timedelta(seconds=60)))
    assert not costs(OutcomeUnknown("?"))


def test_five_failures_are_the_end() -> None:
    states = [error_state(Unavailable("later"), failures=failures) for failures in range(6)]
    assert states == [State.RETRYING] * 4 + [State.FAILED] * 2


@pytest.mark.parametrize(
    ("certainty", "state"),
    [
        ("key", State.UNCONFIRMED),
        ("two-phase", State.UNCONFIRMED),
        ("read-back", State.UNCONFIRMED),
        ("none", State.NEEDS_REVIEW),
    ],
)
def test_an_unclear_outcome_is_settled_as_the_platform_allows(certainty: Certainty, state: State) -> None:
    assert error_state(OutcomeUnknown("?"), certainty=certainty) is state


@pytest.mark.parametrize(
    ("certainty", "hint"), [("key", REPEATED), ("two-phase", SOUGHT), ("read-back", SOUGHT), ("none", LOOK)]
)
def test_what_is_said_of_an_unclear_outcome_is_what_happens_next(certainty: Certainty, hint: str) -> None:
    error = OutcomeUnknown("?", hint="It is tried again by itself.")
    outcome = after_error(
        error, failures=0, certainty=certainty, readback=READBACK, policy=PUBLISHING, random=Random(1)
    )
    assert outcome.error is not None
    assert outcome.error.hint == hint


def test_only_what_is_tried_again_is_said_to_be() -> None:
    error = Unavailable("down", hint="It is tried again by itself.")
    told = [
        after_error(
            error, failures=failures, certainty="key", readback=READBACK, policy=PUBLISHING, random=Random(1)
        ).error
        for failures in (3, 4)
    ]
    assert [failure and failure.hint for failure in told] == ["It is tried again by itself.", TRIED]
    reviews: list[Any] = [
        after_failed_look(NotAuthorized("no", hint="Connect it again."), unclear_seconds=10, readback=READBACK),
        after_repeat(Rejected("no", hint="Mend it."), looks=0, readback=READBACK),
        look([], looks=2, when_not_found="review"),
    ]
    assert [outcome.error.hint for outcome in reviews] == [LOOK] * 3


def test_looks_come_at_their_times_and_only_after_the_last_it_is_sent_again() -> None:
    waits = [look([], looks=looks).due_in for looks in range(2)]
    assert waits == [25.0, 90.0]
    assert look([], looks=2).state is State.RETRYING
    assert look([], looks=2, failures=4).state is State.FAILED
    assert look([], looks=2, when_not_found="review").state is State.NEEDS_REVIEW


def test_the_last_look_is_not_before_the_platform_must_have_carried_it_out() -> None:
    soon = Readback(seconds=(1.0, 2.0), settled=25.0)
    early = look([], looks=1, unclear_seconds=2.5, readback=soon)
    assert (early.state, early.due_in, early.looked) == (State.UNCONFIRMED, 22.5, False)
    assert look([ALIKE], looks=1, unclear_seconds=2.5, readback=soon).state is State.UNCONFIRMED
    assert look([FOUND], looks=1, unclear_seconds=2.5, readback=soon).state is State.PUBLISHED
    assert look([], looks=1, unclear_seconds=25.0, readback=soon).state is State.RETRYING


def test_what_was_found_is_published_and_not_certain() -> None:
    outcome = look([FOUND])
    assert (outcome.state, outcome.external_id, outcome.certain) == (State.PUBLISHED, "1", False)


def test_a_likeness_counts_only_when_nothing_else_was_found_to_the_last() -> None:
    assert look([ALIKE]).state is State.UNCONFIRMED
    assert look([ALIKE], looks=2).external_id == "2"
    assert look([ALIKE, FOUND], looks=2).external_id == "1"


def test_a_look_that_fails_is_not_counted_and_one_that_is_forbidden_needs_a_person() -> None:
    failed = after_failed_look(Unavailable("down"), unclear_seconds=10, readback=READBACK)
    assert (failed.state, failed.looked) == (State.UNCONFIRMED, False)
    slow = after_failed_look(RateLimited("wait", after=timedelta(seconds=44)), unclear_seconds=10, readback=READBACK)
    assert slow.due_in == 44.0
    for error in (NotAuthorized("no"), Rejected("no")):
        assert after_failed_look(error, unclear_seconds=10, readback=READBACK).state is State.NEEDS_REVIEW
    late = after_failed_look(Unavailable("down"), unclear_seconds=REVIEW_SECONDS + 1, readback=READBACK)
    assert late.state is State.NEEDS_REVIEW
