"""The types of event that a client can subscribe to, in one list."""

from core.ledger.states import INWARD, State

EVENT_TYPES: tuple[str, ...] = (
    *(f"delivery.{state}" for state in State if state not in INWARD),
    "post.published",
    "post.failed",
)
"""`delivery.*` for each state of a delivery that a client cares for, and what became of the post as a whole."""
