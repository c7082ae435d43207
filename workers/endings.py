"""Endings: what becomes of a delivery that is not carried out, or whose answer cannot be its own."""

import msgspec

from core.adapter import Certainty
from core.drafting import AnyAdapter
from core.errors import OutcomeUnknown
from core.ledger.breaker import DOWN
from core.ledger.ledger import PROBE_SECONDS, Taken
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.ledger.verdicts import REVIEW_SECONDS, for_review


def looks(taken: Taken, adapter: AnyAdapter, certainty: Certainty, margin: float) -> bool:
    """Whether an unclear delivery is looked up, and not sent again under a key that the platform still remembers.

    `certainty` is that of its account, `margin` how many seconds before its end a key is trusted no more.
    """
    if taken.from_state != State.UNCONFIRMED:
        return False
    forgotten = adapter.key_seconds is not None and taken.keyed_seconds > adapter.key_seconds - margin
    return certainty != "key" or forgotten


def too_late(taken: Taken, *, look: bool) -> Failure | None:
    """Why nothing may be sent any more, or asked for."""
    sends = taken.from_state in (State.QUEUED, State.UNCONFIRMED) and not look
    if sends and taken.expired:
        return Failure(code="too_late", message="The post could not go out in time; going out later would be stale.")
    if (taken.processing_seconds or 0.0) > REVIEW_SECONDS:
        return Failure(code="too_late", message="The platform did not come to an end with it within a day.")
    return None


def given_up(taken: Taken, failure: Failure) -> Outcome:
    """It ends here: as failed where nothing can have been made, else with a person who looks."""
    if taken.armed_at is None:
        return Outcome(state=State.FAILED, failed=True, error=failure)
    words = f"Nobody knows whether the platform made it. {failure.message}"
    return for_review(Failure(code=OutcomeUnknown.code, message=words))


def waiting(taken: Taken) -> Outcome:
    """The platform is still in trouble: the delivery waits where it was, and it costs nothing."""
    states = {State.QUEUED: State.DEFERRED, State.PROCESSING: State.PROCESSING, State.UNCONFIRMED: State.UNCONFIRMED}
    return Outcome(state=states[State(taken.from_state)], due_in=PROBE_SECONDS, pending=taken.pending, error=DOWN)


def claimed_twice(outcome: Outcome) -> Outcome:
    """The platform's id belongs to another delivery: one that was only found is looked for again."""
    words = f"{outcome.external_id} on the platform is another delivery's already."
    if not outcome.certain:
        error = Failure(code=OutcomeUnknown.code, message=words, hint="It is looked up again.")
        return Outcome(state=State.UNCONFIRMED, due_in=0.0, error=error)
    review = for_review(Failure(code="id_taken", message=words))
    return msgspec.structs.replace(review, http_status=outcome.http_status, answer=outcome.answer)
