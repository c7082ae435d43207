"""Authority: what becomes of a delivery whose account the platform does not let in."""

import msgspec

from core.accounts.accounts import Accounts, Credentials
from core.accounts.grants import NEEDS_REAUTH, REFRESHING, WAITS
from core.database.notices import Notices
from core.errors import NotAuthorized
from core.ledger.ledger import Taken
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.ledger.verdicts import REVIEW_SECONDS, failed, for_review

REFRESH_SECONDS = 60.0
"""How soon a delivery looks again by itself after its tokens; it is called when they are there."""

_STATES = {
    State.QUEUED: State.DEFERRED,
    State.PROCESSING: State.PROCESSING,
    State.UNCONFIRMED: State.UNCONFIRMED,
}


class Authority:
    """Puts deliveries by until their account has tokens that work."""

    def __init__(self, accounts: Accounts, notices: Notices) -> None:
        self._accounts = accounts
        self._notices = notices

    async def missing(self, taken: Taken, credentials: Credentials) -> Outcome | None:
        """What becomes of a delivery whose tokens are known not to work; None where it may be tried."""
        if credentials.state == "needs_reauth":
            return _put_by(taken, NEEDS_REAUTH)
        if not credentials.refreshable:
            return None
        if credentials.refused:
            return _put_by(taken, REFRESHING)
        left = credentials.expires_in
        if left is None or left > REFRESH_SECONDS:
            return None
        await self._accounts.grants.hasten(credentials.grant_id, credentials.version)
        self._notices.tell("tokens")
        return _put_by(taken, REFRESHING) if left <= 0 else None

    async def refused(self, taken: Taken, credentials: Credentials, error: NotAuthorized) -> Outcome:
        """What becomes of a delivery whose tokens the platform has just refused: nothing was made by that call."""
        reason = await self._accounts.grants.refused(
            credentials.grant_id, credentials.version, error, credentials.token
        )
        if reason is REFRESHING:
            self._notices.tell("tokens")
        elif reason is NEEDS_REAUTH:
            self._notices.tell("webhooks")
            told = failed(error)
            reason = msgspec.structs.replace(
                NEEDS_REAUTH, message=told.message, platform_code=told.platform_code, http_status=told.http_status
            )
        return _put_by(taken, reason)

    async def settled(self, taken: Taken, outcome: Outcome) -> None:
        """Let a delivery that was put by go on at once, where the tokens came while it was written down."""
        waits = outcome.error is not None and outcome.error.code in WAITS
        if waits and await self._accounts.grants.stir(taken.organization_id, taken.id):
            self._notices.tell("deliveries")


def _put_by(taken: Taken, reason: Failure | None) -> Outcome:
    """It waits where it was, at no cost; without a reason there are newer tokens, and it goes on at once."""
    state = _STATES[State(taken.from_state)]
    if reason is None:
        return Outcome(state=state, due_in=0.0, pending=taken.pending, error=REFRESHING)
    due_in = REFRESH_SECONDS if reason.code == REFRESHING.code else _patience(taken)
    if due_in <= 0:
        return for_review(reason)
    return Outcome(state=state, due_in=due_in, pending=taken.pending, error=reason)


def _patience(taken: Taken) -> float:
    """Seconds for which a delivery waits for a person: until it is too late, or somebody has to look."""
    if taken.from_state == State.QUEUED:
        return max(taken.patience_seconds, 1.0)
    passed = taken.processing_seconds if taken.from_state == State.PROCESSING else taken.unclear_seconds
    return REVIEW_SECONDS + 1.0 - (passed or 0.0)
