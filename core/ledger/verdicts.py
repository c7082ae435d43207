"""Verdicts, pure: from what an attempt brought, to what becomes of the delivery."""

import random as _random
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from core.adapter import Certainty, Pending, Published
from core.errors import (
    BrokenAdapter,
    FingerpostError,
    InvalidPost,
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Rejected,
    Unavailable,
)
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.retry import Policy

WhenNotFound = Literal["retry", "review"]
"""What a team wants when an unclear post is not on the platform after the last look."""

REVIEW_SECONDS = 86_400.0
"""How long it is tried to look; what could not be looked up by then is left to a person."""


SETTLE = 1.25
"""After so many times a request's time limit it is believed that the platform has carried it out, or never will."""


LOOK = "Look on the platform whether it is there, and say so: POST /api/v1/delivery/{id}/resolve."
SOUGHT = "It is looked up on the platform before anything is sent again."
REPEATED = "It is sent again under its key, which makes no second one."
TRIED = "It is tried no more by itself; POST /api/v1/post/{id}/retry tries it again."
"""What happens next, or what to do, as the hint of a failure: an error does not know what becomes of it."""


class Readback(msgspec.Struct, frozen=True, kw_only=True):
    """When an unclear outcome is looked up: seconds after it became unclear, one look each.

    The last look, after which it may be sent again, is not before `settled` seconds after the arming: whatever the
    client was told, a platform may be at work on a request for as long as a request may take.
    """

    seconds: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    settled: float = 0.0

    def wait(self, looks: int) -> float | None:
        """Seconds from the `looks`-th look to the next, or None after the last."""
        if looks >= len(self.seconds):
            return None
        return self.seconds[looks] - (self.seconds[looks - 1] if looks else 0.0)

    def is_last(self, looks: int, unclear_seconds: float) -> bool:
        """Whether a look after `looks` others, so long after the arming, is the last."""
        return self.wait(looks + 1) is None and unclear_seconds >= self.settled

    def again(self, looks: int) -> float:
        """Seconds until a create is sent once more that was repeated `looks` times; there is no last time."""
        return self.seconds[min(looks, len(self.seconds) - 1)]


def after_publish(result: Published | Pending) -> Outcome:
    """The adapter has answered."""
    if isinstance(result, Pending):
        wait = max(result.after.total_seconds(), 0.0)
        return Outcome(state=State.PROCESSING, due_in=wait, pending=result.state)
    return Outcome(state=State.PUBLISHED, external_id=result.external_id, permalink=result.permalink)


def after_error(
    error: Exception,
    *,
    failures: int,
    certainty: Certainty,
    readback: Readback,
    policy: Policy,
    random: _random.Random,
) -> Outcome:
    """The attempt has failed; the class of the error says what happens next."""
    failure = failed(error)
    match error:
        case RateLimited():
            return Outcome(state=State.DEFERRED, due_in=error.after.total_seconds(), error=failure)
        case OutcomeUnknown():
            return unclear(failure, certainty=certainty, readback=readback)
        case Unavailable():
            return _again(failure, failures, policy, random)
    return Outcome(state=State.FAILED, failed=True, error=failure)


def unclear(failure: Failure, *, certainty: Certainty, readback: Readback) -> Outcome:
    """Nobody knows whether it went out: where nothing helps to find out, a person has to."""
    if certainty == "none":
        return for_review(failure)
    told = msgspec.structs.replace(failure, hint=REPEATED if certainty == "key" else SOUGHT)
    return Outcome(state=State.UNCONFIRMED, due_in=readback.wait(0) or 0.0, error=told)


def for_review(failure: Failure) -> Outcome:
    """A person has to look, whatever the platform or its adapter advises."""
    return Outcome(state=State.NEEDS_REVIEW, error=msgspec.structs.replace(failure, hint=LOOK))


def after_repeat(error: Exception, *, looks: int, readback: Readback) -> Outcome:
    """A create was sent again under its key, and that brought no yes either: the first is as unclear as before.

    It is sent again until the platform answers; where that refuses, a person has to look.
    """
    if not isinstance(error, OutcomeUnknown | Unavailable | RateLimited):
        return for_review(failed(error))
    wait = max(error.after.total_seconds(), 1.0) if isinstance(error, RateLimited) else readback.again(looks)
    told = msgspec.structs.replace(failed(error), hint=REPEATED)
    return Outcome(state=State.UNCONFIRMED, due_in=wait, looked=True, error=told)


def after_failed_resume(
    error: Exception, *, pending: dict[str, Any] | None, armed: bool, certainty: Certainty, readback: Readback
) -> Outcome:
    """The platform was at work and could not be asked, or refused. A question that got no answer costs nothing."""
    failure = failed(error)
    match error:
        case OutcomeUnknown():
            return unclear(failure, certainty=certainty, readback=readback)
        case Unavailable() | RateLimited():
            wait = error.after.total_seconds() if isinstance(error, RateLimited) else readback.seconds[0]
            return Outcome(state=State.PROCESSING, due_in=max(wait, 1.0), pending=pending, error=failure)
    if armed and not isinstance(error, Rejected):
        return for_review(failure)
    return Outcome(state=State.FAILED, failed=True, error=failure)


def _again(failure: Failure, failures: int, policy: Policy, random: _random.Random) -> Outcome:
    wait = policy.after(failures + 1, random)
    if wait is None:
        return Outcome(state=State.FAILED, failed=True, error=msgspec.structs.replace(failure, hint=TRIED))
    return Outcome(state=State.RETRYING, due_in=wait, failed=True, error=failure)


def after_look(
    found: Sequence[Published],
    *,
    looks: int,
    unclear_seconds: float,
    failures: int,
    when_not_found: WhenNotFound,
    readback: Readback,
    policy: Policy,
    random: _random.Random,
) -> Outcome:
    """The platform was read. What was found is ours; what is not there after the last look was never made."""
    last = readback.is_last(looks, unclear_seconds)
    # A likeness may be another post that is not accounted for yet; by the last look it would be.
    counted = [published for published in found if published.exact or last]
    if counted:
        best = next((published for published in counted if published.exact), counted[0])
        return msgspec.structs.replace(after_publish(best), certain=False)
    unseen = Failure(
        code="outcome_unknown",
        message="The platform's answer was unclear, and the post is not to be seen there yet.",
        hint=SOUGHT,
    )
    if not last:
        wait = readback.wait(looks + 1)
        due_in = readback.settled - unclear_seconds if wait is None else wait
        return Outcome(state=State.UNCONFIRMED, due_in=due_in, looked=wait is not None, error=unseen)
    words = "The platform did not make the post; it was looked for until that was certain."
    absent = Failure(code="not_made", message=words)
    if when_not_found == "review":
        return for_review(absent)
    return _again(absent, failures, policy, random)


def after_failed_look(error: Exception, *, unclear_seconds: float, readback: Readback) -> Outcome:
    """A look that could not be carried through says nothing, and is not counted.

    Where we may not look, or could not for a day, a person has to.
    """
    if isinstance(error, NotAuthorized | Rejected) or unclear_seconds > REVIEW_SECONDS:
        return for_review(failed(error))
    wait = error.after.total_seconds() if isinstance(error, RateLimited) else readback.seconds[0]
    return Outcome(state=State.UNCONFIRMED, due_in=max(wait, 1.0), error=failed(error))


def failed(error: Exception) -> Failure:
    """What is stored and shown of an error. An error nobody classified is a bug of the adapter and says so."""
    match error:
        case PublishError():
            return Failure(
                code=error.code,
                message=error.message,
                hint=error.hint,
                platform_code=error.platform_code,
                http_status=error.http_status,
            )
        case InvalidPost():
            words = "; ".join(finding.message for finding in error.report.errors)
            return Failure(code=error.code, message=words, hint="Mend the post and send it again.")
        case FingerpostError():
            return Failure(code=error.code, message=error.message)
    words = f"The adapter failed on {type(error).__name__}."
    return Failure(code=BrokenAdapter.code, message=words, hint="Nothing was sent. Tell the adapter's author.")
