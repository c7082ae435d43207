"""The states of a delivery and the moves between them, as one table."""

from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    DEFERRED = "deferred"
    RETRYING = "retrying"
    PROCESSING = "processing"
    UNCONFIRMED = "unconfirmed"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = State

MOVES: dict[State, frozenset[State]] = {
    _S.SCHEDULED: frozenset({_S.QUEUED, _S.DEFERRED, _S.CANCELLED, _S.FAILED}),
    _S.QUEUED: frozenset({_S.PUBLISHING, _S.SCHEDULED, _S.DEFERRED, _S.CANCELLED, _S.FAILED}),
    _S.PUBLISHING: frozenset(
        {_S.PUBLISHED, _S.DEFERRED, _S.RETRYING, _S.PROCESSING, _S.UNCONFIRMED, _S.NEEDS_REVIEW, _S.FAILED, _S.QUEUED}
    ),
    _S.DEFERRED: frozenset({_S.QUEUED, _S.SCHEDULED, _S.CANCELLED, _S.FAILED}),
    _S.RETRYING: frozenset({_S.QUEUED, _S.SCHEDULED, _S.CANCELLED, _S.FAILED}),
    _S.PROCESSING: frozenset({_S.PUBLISHING}),
    _S.UNCONFIRMED: frozenset({_S.PUBLISHED, _S.PROCESSING, _S.RETRYING, _S.NEEDS_REVIEW, _S.FAILED}),
    _S.NEEDS_REVIEW: frozenset({_S.PUBLISHED, _S.RETRYING, _S.FAILED}),
    # Only what was found by looking: when a twin's certain answer names the same thing, it is the twin's.
    _S.PUBLISHED: frozenset({_S.UNCONFIRMED}),
    _S.FAILED: frozenset({_S.RETRYING}),
    _S.CANCELLED: frozenset(),
}
"""From each state, the states that may follow; staying is always allowed. The database holds the same table."""

OPEN = frozenset(state for state in State if state not in {_S.PUBLISHED, _S.FAILED, _S.CANCELLED})
"""Something may still happen to these."""


def may_follow(before: State, after: State) -> bool:
    """Whether a delivery may go from `before` to `after`, or stay."""
    return after in MOVES[before] or after is before


WAITING = frozenset({_S.SCHEDULED, _S.QUEUED, _S.DEFERRED, _S.RETRYING})
"""Nothing of these is under way: they can still be changed or called off."""

INWARD = frozenset({_S.SCHEDULED, _S.QUEUED, _S.PUBLISHING})
"""These are no news to a client: the delivery is simply on its way."""
