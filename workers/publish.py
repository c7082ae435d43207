"""Publishing: one delivery, from a worker's hands to its outcome in the ledger."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import httpx
import msgspec
import structlog
from psycopg.errors import UniqueViolation

from core.accounts.accounts import Accounts
from core.clock import Deadline, elapsed
from core.drafting import AnyAdapter, Shared, drafted
from core.errors import BrokenAdapter, FingerpostError, InvalidPost, NotFound, OutcomeUnknown, PublishError, Unavailable
from core.findings import Report
from core.ids import parse_id
from core.ledger.breaker import DOWN, Breaker
from core.ledger.ledger import PROBE_SECONDS, LeaseLost, Ledger, Taken
from core.ledger.moves import Failure, Outcome
from core.ledger.states import State
from core.ledger.verdicts import Readback, after_error, after_failed_look, after_look, after_publish, failed, unclear
from core.post import Draft
from core.registry import Registry
from core.retry import PUBLISHING, Policy
from core.session import Session
from core.settings import Settings
from core.uploads.uploads import Uploads

TWIN_SECONDS = 1.0
"""How soon a look is repeated that met an identical delivery under way."""

LOOK_BACK = timedelta(minutes=2)
"""How long before the arming a post may bear the platform's date: clocks differ."""


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
        self._clocks_ahead: dict[str, timedelta] = {}
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
            return _given_up("platform_missing", f"No adapter for {taken.platform} is installed any more.")
        if taken.from_state == State.QUEUED and taken.expired:
            return _given_up("too_late", "The post could not go out in time; going out later would be stale.")
        try:
            draft, session = await self._prepared(taken, adapter)
        except (NotFound, InvalidPost) as error:
            return Outcome(state=State.FAILED, failed=True, error=failed(error))
        if taken.probing and not await self._is_back(adapter, session):
            return _waiting(taken)
        if taken.from_state == State.UNCONFIRMED:
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
            journal=_Journal(self._ledger, taken),
            steps=taken.steps,
            read_upload=read_upload,
            request_seconds=self._settings.request_seconds,
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
            classified = _classified(error, session)
            await self._tell_breaker(taken.platform, classified, start)
            outcome = after_error(
                classified,
                failures=taken.failures,
                certainty=adapter.certainty,
                readback=self._readback,
                policy=self._policy,
                random=self._random,
            )
        else:
            await session.save()
            await self._breaker.saw(taken.platform, None)
        return msgspec.structs.replace(outcome, http_status=session.answer_status, answer=session.answer_text)

    async def _look(self, taken: Taken, adapter: AnyAdapter, draft: Draft[Any], session: Session) -> Outcome:
        if adapter.certainty in ("key", "none"):
            failure = Failure(code=OutcomeUnknown.code, message="Nobody knows whether the platform made it.")
            return unclear(
                failure,
                certainty=adapter.certainty,
                failures=taken.failures,
                readback=self._readback,
                policy=self._policy,
                random=self._random,
            )
        assert taken.armed_at is not None
        start = elapsed()
        try:
            async with asyncio.timeout(self._settings.lease):
                since = taken.armed_at + self._clocks_ahead.get(taken.platform, timedelta(0)) - LOOK_BACK
                found = await adapter.find(draft, session, since)
        except Exception as error:  # noqa: BLE001 - every error is classified and stored
            if not isinstance(error, FingerpostError):
                self._log.exception("look_failed", platform=taken.platform, delivery=str(taken.id))
            classified = _classified(error, session)
            await self._tell_breaker(taken.platform, classified, start)
            return after_failed_look(classified, unclear_seconds=taken.unclear_seconds, readback=self._readback)
        finally:
            self._clocks_ahead[taken.platform] = session.clock_ahead
        await self._breaker.saw(taken.platform, None)
        if await self._ledger.twin_publishing(taken):
            # What was found may be what the twin is making: it has to speak first.
            return Outcome(state=State.UNCONFIRMED, due_in=TWIN_SECONDS)
        known = await self._ledger.known(taken.grant_id, [published.external_id for published in found])
        return after_look(
            [published for published in found if published.external_id not in known],
            looks=taken.looks,
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


def _classified(error: Exception, session: Session) -> Exception:
    """An error nobody classified: after the point of no return it means that the outcome is unclear."""
    if isinstance(error, PublishError):
        return error
    if session.armed:
        return OutcomeUnknown(
            f"The publish was broken off ({type(error).__name__}) after it had been sent.",
            hint="It is looked up on the platform before anything is sent again.",
        )
    if isinstance(error, TimeoutError):
        return Unavailable("The platform took longer than the lease lasts.")
    return (
        error if isinstance(error, FingerpostError) else BrokenAdapter(f"The adapter failed on {type(error).__name__}.")
    )


def _given_up(code: str, message: str) -> Outcome:
    return Outcome(state=State.FAILED, failed=True, error=Failure(code=code, message=message))


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
    error = Failure(code="id_taken", message=words, hint="Look on the platform, and resolve the delivery.")
    return Outcome(state=State.NEEDS_REVIEW, error=error, http_status=outcome.http_status, answer=outcome.answer)
