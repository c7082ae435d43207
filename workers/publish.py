"""Publishing: one delivery, from a worker's hands to its outcome in the ledger."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx
import msgspec
import structlog
from psycopg.errors import UniqueViolation

from core.accounts.accounts import Accounts
from core.adapter import Published
from core.clock import Deadline, elapsed
from core.drafting import AnyAdapter, Shared, drafted
from core.errors import BrokenAdapter, FingerpostError, InvalidPost, NotFound, OutcomeUnknown, PublishError, Unavailable
from core.findings import Report
from core.ids import parse_id
from core.ledger.breaker import DOWN, Breaker
from core.ledger.ledger import PROBE_SECONDS, LeaseLost, Ledger, Taken
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.ledger.verdicts import (
    REVIEW_SECONDS,
    Readback,
    after_error,
    after_failed_look,
    after_failed_resume,
    after_look,
    after_publish,
    after_repeat,
    failed,
    unclear,
)
from core.post import Draft
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from core.session import Journal, Session, Unarmed
from core.settings import Settings
from core.uploads.uploads import Uploads

TWIN_SECONDS = 1.0
"""How soon a look is repeated that met an identical delivery under way."""

LOOK_BACK = timedelta(minutes=2)
"""How long before the arming a post may bear the platform's date: clocks differ."""

LOOK = "Look on the platform, and resolve the delivery."

UNREADABLE = (httpx.TransportError, msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError)
"""What an adapter meets where an answer breaks off or is not what the platform's documents say."""


class Publisher:
    """Carries deliveries out, each by the adapter of its platform."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        breaker: Breaker,
        accounts: Accounts,
        uploads: Uploads,
        registry: Registry,
        settings: Settings,
        transport: httpx.AsyncBaseTransport,
        random: Random,
        policy: Policy = PUBLISHING,
    ) -> None:
        self._ledger = ledger
        self._breaker = breaker
        self._accounts = accounts
        self._uploads = uploads
        self._registry = registry
        self._settings = settings
        self._transport = transport
        self._random = random
        self._policy = policy
        self._readback = Readback(seconds=settings.readback_seconds)
        self._log = structlog.get_logger(__name__)

    async def carry_out(self, taken: Taken) -> None:
        """Publish, resume or look up a delivery, and write down what became of it."""
        try:
            outcome = await self._outcome(taken)
        except LeaseLost:
            self._log.warning("lease_lost", delivery=str(taken.id), fence=taken.fence)
            return
        try:
            settled = await self._ledger.settle(taken.subject, outcome)
        except UniqueViolation:
            settled = await self._ledger.settle(taken.subject, _claimed_twice(outcome))
        self._log.info(
            "delivery_settled" if settled else "outcome_came_late",
            delivery=str(taken.id),
            platform=taken.platform,
            state=outcome.state,
            code=outcome.error.code if outcome.error else None,
        )

    async def _outcome(self, taken: Taken) -> Outcome:
        adapter = self._registry.get(taken.platform)
        if adapter is None:
            words = f"No adapter for {taken.platform} is installed any more."
            return _given_up(taken, Failure(code="platform_missing", message=words))
        if (late := _too_late(taken, adapter)) is not None:
            return _given_up(taken, late)
        try:
            draft, session = await self._prepared(taken, adapter)
        except (NotFound, InvalidPost) as error:
            return _given_up(taken, failed(error))
        if taken.probing and not await self._is_back(adapter, session):
            return _waiting(taken)
        if taken.from_state == State.UNCONFIRMED and adapter.certainty != "key":
            return await self._look(taken, adapter, draft, session)
        return await self._publish(taken, adapter, draft, session)

    async def _prepared(self, taken: Taken, adapter: AnyAdapter) -> tuple[Draft[Any], Session]:
        credentials = await self._accounts.credentials(taken.organization_id, taken.social_account_id)
        shared = Shared.of(taken.content)
        named = [*(taken.block.get("uploadIds") or ()), *(shared.upload_ids or ())]
        ids = [id for text in named if (id := parse_id(text))]
        held = await self._uploads.many(taken.organization_id, taken.team_id, ids)
        uploads = {str(upload.id): upload for upload in held.values()}
        made = drafted(
            adapter,
            shared,
            taken.block,
            path=("data", taken.platform),
            account=credentials.account,
            uploads={id: upload.media for id, upload in uploads.items()},
        )
        report = Report(made.findings)
        if made.draft is None or report.errors:
            raise InvalidPost(report)

        async def read_upload(upload_id: str) -> bytes:
            return await self._uploads.read(uploads[upload_id])

        session = Session(
            adapter,
            account=credentials.account,
            token=credentials.token,
            hosts=self._settings.hosts_of(adapter),
            key=str(taken.id),
            transport=self._transport,
            journal=_journal(self._ledger, taken, adapter),
            steps=taken.steps,
            read_upload=read_upload,
            request_seconds=self._settings.request_seconds,
            now=_database_clock(taken),
        )
        return made.draft, session

    async def _is_back(self, adapter: AnyAdapter, session: Session) -> bool:
        """Whether a platform that was in trouble answers again; asked by a read."""
        try:
            await adapter.profile(session)
        except (Unavailable, OutcomeUnknown):
            return False
        except Exception as error:  # noqa: BLE001 - any other answer is an answer
            self._log.info("probe_answered", platform=adapter.platform, error=str(error))
        await self._breaker.close(adapter.platform)
        return True

    async def _publish(self, taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session) -> Outcome:
        start = elapsed()
        try:
            async with asyncio.timeout(self._settings.lease):
                if taken.from_state == State.PROCESSING and taken.pending is not None:
                    outcome = after_publish(await adapter.resume(draft, session, taken.pending))
                else:
                    outcome = after_publish(await adapter.publish(draft, session))
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            await session.save()
            if not isinstance(error, FingerpostError):
                self._log.exception("adapter_failed", platform=taken.platform, delivery=str(taken.id))
            classified = _classified(error, session, taken)
            await self._tell_breaker(taken.platform, classified, start)
            outcome = self._after(classified, taken, adapter)
        else:
            await _save_for(outcome, session)
            await self._breaker.saw(taken.platform, None)
        return msgspec.structs.replace(outcome, http_status=session.answer_status, answer=session.answer_text)

    def _after(self, error: Exception, taken: Taken, adapter: AnyAdapter) -> Outcome:
        """What an error means for a delivery that was queued, under way or unclear."""
        certainty, readback = adapter.certainty, self._readback
        if taken.from_state == State.UNCONFIRMED:
            return after_repeat(error, looks=taken.looks, readback=readback)
        if taken.from_state == State.PROCESSING:
            armed = taken.armed_at is not None
            return after_failed_resume(
                error, pending=taken.pending, armed=armed, certainty=certainty, readback=readback
            )
        return after_error(
            error,
            failures=taken.failures,
            certainty=certainty,
            readback=readback,
            policy=self._policy,
            random=self._random,
        )

    async def _look(self, taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session) -> Outcome:
        if adapter.certainty == "none":
            failure = Failure(code=OutcomeUnknown.code, message="Nobody knows whether the platform made it.")
            return unclear(failure, certainty=adapter.certainty, readback=self._readback)
        start = elapsed()
        try:
            async with asyncio.timeout(self._settings.lease):
                found = await _found(taken, adapter, draft, session)
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            if not isinstance(error, FingerpostError):
                self._log.exception("look_failed", platform=taken.platform, delivery=str(taken.id))
            classified = _classified(error, session, taken)
            await self._tell_breaker(taken.platform, classified, start)
            return after_failed_look(classified, unclear_seconds=taken.unclear_seconds, readback=self._readback)
        await self._breaker.saw(taken.platform, None)
        return await self._after_look(taken, found)

    async def _after_look(self, taken: Taken, found: Sequence[Published]) -> Outcome:
        if await self._ledger.twin_publishing(taken):
            # What was found may be what the twin is making: it has to speak first.
            return Outcome(state=State.UNCONFIRMED, due_in=TWIN_SECONDS)
        known = await self._ledger.known(taken.grant_id, [published.external_id for published in found])
        unclaimed = [published for published in found if published.external_id not in known]
        looks, last = taken.looks, self._readback.wait(taken.looks + 1) is None
        if last and unclaimed and not any(published.exact for published in unclaimed):
            every = len(self._readback.seconds)
            if await self._ledger.others_unclear(taken, every):
                # What is only like this one may be exactly another's, which has to be seen by that one first.
                return Outcome(state=State.UNCONFIRMED, due_in=TWIN_SECONDS, looked=looks < every)
        return after_look(
            unclaimed,
            looks=looks,
            when_not_found=taken.when_not_found,
            failures=taken.failures,
            readback=self._readback,
            policy=self._policy,
            random=self._random,
        )

    async def _tell_breaker(self, platform: str, error: Exception, start: float) -> None:
        """Let the breaker know of an error, unless it was us who took too long, such as a host that was suspended."""
        if elapsed() - start < self._settings.lease:
            await self._breaker.saw(platform, error)


class _Journal:
    """The ledger, as the session of one delivery writes to it."""

    def __init__(self, ledger: Ledger, taken: Taken) -> None:
        self._ledger = ledger
        self._taken = taken

    async def arm(self, name: str, answers: Mapping[str, Any]) -> Deadline:
        return await self._ledger.arm(self._taken, dict(answers))

    async def remember(self, answers: Mapping[str, Any]) -> None:
        await self._ledger.remember(self._taken, dict(answers))


def _journal(ledger: Ledger, taken: Taken, adapter: AnyAdapter) -> Journal:
    """Where the session writes; what only looks may not pass a point of no return."""
    looks = taken.from_state == State.UNCONFIRMED and adapter.certainty != "key"
    return Unarmed() if looks else _Journal(ledger, taken)


def _database_clock(taken: Taken) -> Callable[[], datetime]:
    """The database's time, which dates our attempts, carried on by this host's measure of durations."""
    start = elapsed()
    return lambda: taken.taken_at + timedelta(seconds=elapsed() - start)


async def _found(taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session) -> Sequence[Published]:
    """What is to be found of a delivery; read once more where the platform's dates turn out to be far from ours."""
    assert taken.armed_at is not None
    since = taken.armed_at - LOOK_BACK
    found = await adapter.find(draft, session, since)
    if not found and abs(session.clock_ahead) > LOOK_BACK / 2:
        return await adapter.find(draft, session, since + session.clock_ahead)
    return found


async def _save_for(outcome: Outcome, session: Session) -> None:
    """Commit what steps have answered; what is certainly out is told all the same when the lease has just ended."""
    try:
        await session.save()
    except LeaseLost:
        if outcome.state is not State.PUBLISHED:
            raise


def _classified(error: Exception, session: Session, taken: Taken) -> Exception:
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


def _too_late(taken: Taken, adapter: AnyAdapter) -> Failure | None:
    """Why nothing may be sent any more, or asked for."""
    sends = taken.from_state == State.QUEUED or (taken.from_state == State.UNCONFIRMED and adapter.certainty == "key")
    if sends and taken.expired:
        return Failure(code="too_late", message="The post could not go out in time; going out later would be stale.")
    if (taken.processing_seconds or 0.0) > REVIEW_SECONDS:
        return Failure(code="too_late", message="The platform did not come to an end with it within a day.")
    return None


def _given_up(taken: Taken, failure: Failure) -> Outcome:
    """It ends here: as failed where nothing can have been made, else with a person who looks."""
    if taken.armed_at is None:
        return Outcome(state=State.FAILED, failed=True, error=failure)
    words = f"Nobody knows whether the platform made it. {failure.message}"
    return Outcome(state=State.NEEDS_REVIEW, error=Failure(code=OutcomeUnknown.code, message=words, hint=LOOK))


def _waiting(taken: Taken) -> Outcome:
    """The platform is still in trouble: the delivery waits where it was, and it costs nothing."""
    states = {State.QUEUED: State.DEFERRED, State.PROCESSING: State.PROCESSING, State.UNCONFIRMED: State.UNCONFIRMED}
    return Outcome(state=states[State(taken.from_state)], due_in=PROBE_SECONDS, pending=taken.pending, error=DOWN)


def _claimed_twice(outcome: Outcome) -> Outcome:
    """The platform's id belongs to another delivery: one that was only found is looked for again."""
    words = f"{outcome.external_id} on the platform is another delivery's already."
    if not outcome.certain:
        error = Failure(code=OutcomeUnknown.code, message=words, hint="It is looked up again.")
        return Outcome(state=State.UNCONFIRMED, due_in=0.0, error=error)
    error = Failure(code="id_taken", message=words, hint=LOOK)
    return Outcome(state=State.NEEDS_REVIEW, error=error, http_status=outcome.http_status, answer=outcome.answer)
