"""The meaning of an error that ended an attempt, where the adapter had no word for it."""

from core.answers import UNREADABLE
from core.errors import BrokenAdapter, FingerpostError, OutcomeUnknown, PublishError, Unavailable
from core.ledger.ledger import Taken
from core.ledger.states import State
from core.session import Session


def meaning_of(error: Exception, session: Session, taken: Taken) -> Exception:
    """An error nobody classified: after the point of no return it means that the outcome is unclear."""
    if isinstance(error, PublishError):
        return error
    if session.armed or (taken.from_state == State.PROCESSING and taken.armed_at is not None):
        return OutcomeUnknown(
            f"The publish was broken off ({type(error).__name__}) after it had been sent.",
            hint="It is looked up on the platform before anything is sent again.",
        )
    if isinstance(error, TimeoutError):
        return Unavailable("The platform took longer than the lease lasts.")
    if isinstance(error, UNREADABLE):
        return Unavailable(f"The platform's answer could not be read ({type(error).__name__}).")
    return (
        error if isinstance(error, FingerpostError) else BrokenAdapter(f"The adapter failed on {type(error).__name__}.")
    )
