"""The types of event that a client can subscribe to, in one list."""

from core.ledger.states import State

INWARD = frozenset({State.SCHEDULED, State.QUEUED, State.PUBLISHING})
"""States that say nothing to a client: the delivery is simply on its way."""

EVENT_TYPES: tuple[str, ...] = (
    *(f"delivery.{state}" for state in State if state not in INWARD),
    "post.published",
    "post.failed",
)
"""`delivery.*` for each state of a delivery that a client cares for, and what became of the post as a whole."""
